#include "client/service/job_follow.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/result_status.h"
#include "client/service/service_error.h"
#include "client/service/stubs.h"
#include "text/message.h"

namespace hone::client {

namespace {

// How long a server may be away while its job goes on.
constexpr std::chrono::minutes kPatience{5};

absl::Status detached(const Connection &connection, const std::string &id) {
  const std::string &flags = connection.endpoint().flags;
  return absl::CancelledError(absl::StrCat("interrupted; the job goes on: `hone jobs watch ", id, flags,
                                           "` comes back to it, `hone jobs cancel ", id, flags, "` ends it"));
}

absl::Status lost(const absl::Status &status, const std::string &id) {
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), "; job ", id, " goes on when the server is there again"));
}

// One stream of events. What has been seen is noted in \p sequence.
struct Watch {
  Connection &connection;
  ProgressLine &progress;
  const OnEvent &onEvent;
  v1::WatchRequest request;
  v1::Job job;
  bool isOver = false;
  bool hasHeard = false;

  void take(v1::WatchResponse &&message) {
    hasHeard = true;
    connection.failpoints().pass("client.watch.heard");
    if (message.has_progress()) progress.update(message.progress());
    if (message.has_event()) {
      const v1::JobEvent &event = message.event();
      // A server that went back to a backup may begin again.
      if (event.sequence() <= request.after_sequence()) return;
      request.set_after_sequence(event.sequence());
      if (!hasEnded(event.to())) progress.show(nameOf(event.to()));
      if (onEvent) onEvent(event);
    }
    if (message.has_final()) {
      job = std::move(*message.mutable_final());
      isOver = true;
    }
  }

  grpc::Status run(grpc::ClientContext &context) {
    const auto reader = connection.stubs().jobs.Watch(&context, request);
    for (v1::WatchResponse message; reader->Read(&message);) take(std::move(message));
    const grpc::Status status = reader->Finish();
    if (status.ok() && !isOver) return {grpc::StatusCode::UNAVAILABLE, "the server ended the watch"};
    return status;
  }
};

}  // namespace

bool hasEnded(v1::JobState state) {
  return state == v1::JOB_SUCCEEDED || state == v1::JOB_FAILED || state == v1::JOB_CANCELLED;
}

std::string nameOf(v1::JobState state) {
  const std::string name = v1::JobState_Name(state);
  return absl::AsciiStrToLower(name.starts_with("JOB_") ? name.substr(4) : name);
}

absl::StatusOr<v1::Job> submit(Connection &connection, v1::SubmitRequest request, PendingRequest &pending) {
  for (;;) {
    request.set_request_id(pending.id());
    auto job = unary(connection, connection.stubs().jobs, &v1::Jobs::Stub::Submit, request);
    if (!job.ok()) return job.status();
    if (!pending.isOld() || !hasEnded(job->state()) || job->state() == v1::JOB_SUCCEEDED) return job;
    pending.renew();
  }
}

absl::StatusOr<v1::Job> follow(Connection &connection, const std::string &id, ProgressLine &progress,
                               const OnEvent &onEvent) {
  Watch watch{connection, progress, onEvent, {}, {}};
  watch.request.set_id(id);
  if (absl::Status status = text::checkUtf8(watch.request); !status.ok()) return status;
  auto giveUp = std::chrono::steady_clock::now() + kPatience;
  for (int attempt = 0;; ++attempt) {
    bool isPassing = false;
    watch.hasHeard = false;
    absl::Status status = connection.call({.deadline = std::chrono::seconds(0), .isRepeatable = false},
                                          [&](grpc::ClientContext &context) {
                                            grpc::Status end = watch.run(context);
                                            isPassing = hone::client::isPassing(end);
                                            return end;
                                          });
    if (watch.isOver) return std::move(watch.job);
    if (absl::IsCancelled(status) && connection.interrupts().raised()) return detached(connection, id);
    if (!isPassing) return status;
    if (watch.hasHeard) {
      attempt = 0;
      giveUp = std::chrono::steady_clock::now() + kPatience;
    }
    if (std::chrono::steady_clock::now() >= giveUp) return lost(status, id);
    progress.show("waiting for the server");
    absl::Status waited = connection.waitForServer(attempt);
    if (absl::IsCancelled(waited)) return detached(connection, id);
    if (!waited.ok()) return lost(waited, id);
  }
}

absl::Status endOf(const v1::Job &job, const std::string &subject) {
  const v1::Result &result = job.result().result();
  if (job.state() == v1::JOB_SUCCEEDED) return absl::OkStatus();
  const std::string &sentence = result.sentence();
  if (job.state() == v1::JOB_CANCELLED)
    return absl::ResourceExhaustedError(
        absl::StrCat("job ", job.id(), " was cancelled", sentence.empty() ? "" : absl::StrCat(": ", sentence)));
  if (result.outcome() == v1::Result::DONE)
    return absl::ResourceExhaustedError(
        absl::StrCat("job ", job.id(), " failed", sentence.empty() ? "" : absl::StrCat(": ", sentence)));
  return statusOf(result, subject);
}

}  // namespace hone::client
