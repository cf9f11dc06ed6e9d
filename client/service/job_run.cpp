#include "client/service/job_run.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/progress.h"
#include "client/service/calls.h"
#include "client/service/job_follow.h"
#include "client/service/pending_request.h"
#include "client/service/service_error.h"
#include "text/message.h"

namespace hone::client {

namespace {

v1::SubmitRequest requestFor(v1::JobSpec &&spec, const JobFlags &flags) {
  v1::SubmitRequest request;
  *request.mutable_spec() = std::move(spec);
  request.set_priority(flags.priority);
  request.set_deadline_seconds(flags.deadlineSeconds);
  request.set_label(flags.label);
  return request;
}

// A blob that the server had a moment ago and has no longer, or only damaged: the same again brings or makes it.
bool isBlobGone(const absl::Status &status) {
  const std::string reason = reasonOf(status);
  return reason == "MISSING_BLOB" || reason == "NOT_FOUND" || reason == "DATA_LOSS";
}

absl::Status beforeSubmission(const absl::Status &status) {
  if (!absl::IsCancelled(status)) return status;
  return absl::CancelledError("interrupted before the job was submitted; the same command again goes on where it was");
}

}  // namespace

void declareJobFlags(CommandLine &line, JobFlags &flags) {
  line.option("--priority", flags.priority, "of the job among those of this user: -100 to 100, higher first")
      .between(-100, 100)
      .inGroup("Server");
  line.option("--deadline", flags.deadlineSeconds, "seconds after which the job is given up (default: the server's)")
      .inGroup("Server");
  line.option("--label", flags.label, "of the job, for listings").inGroup("Server");
  line.flag("--detach", flags.detach, "submit, print the job's id, and do not wait; `hone jobs watch ID` comes back")
      .inGroup("Server");
}

absl::Status runJob(Connection &connection, const JobPlan &plan, const JobFlags &flags) {
  ProgressLine progress;
  Transfer transfer(connection, progress);
  for (bool isSecond = false;;) {
    auto spec = plan.prepare(transfer);
    if (!spec.ok()) return beforeSubmission(spec.status());
    connection.failpoints().pass("client.upload.done");
    v1::SubmitRequest request = requestFor(*std::move(spec), flags);
    if (absl::Status status = text::checkUtf8(request); !status.ok()) return status;
    PendingRequest pending = PendingRequest::find(request, connection.endpoint());
    auto job = submit(connection, std::move(request), pending);
    connection.failpoints().pass("client.submit.answered");
    if (reasonOf(job.status()) == "MISSING_BLOB" && (transfer.doubt() || !std::exchange(isSecond, true))) continue;
    if (!job.ok()) return beforeSubmission(job.status());
    if (flags.detach) {
      pending.forget();
      progress.clear();
      puts(job->id().c_str());
      return absl::OkStatus();
    }
    if (job->queue_position() > 0)
      progress.note(absl::StrCat("job ", job->id(), " waits; ", job->queue_position(),
                                 job->queue_position() == 1 ? " is" : " are", " before it"));
    if (!hasEnded(job->state())) job = follow(connection, job->id(), progress, {});
    if (!job.ok()) return job.status();
    if (job->state() != v1::JOB_SUCCEEDED) {
      pending.forget();
      progress.clear();
      return plan.explain(*job);
    }
    absl::Status delivered = plan.deliver(*job, transfer);
    progress.clear();
    if (!delivered.ok() && isBlobGone(delivered) && !std::exchange(isSecond, true)) {
      pending.forget();
      continue;
    }
    if (delivered.ok()) pending.forget();
    return delivered;
  }
}

std::string lastLog(Connection &connection, const std::string &job) {
  std::string log;
  forEachAttempt(connection, job, [&](const v1::Attempt &attempt) { log = attempt.log(); }).IgnoreError();
  return log;
}

}  // namespace hone::client
