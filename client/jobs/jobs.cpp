#include "client/jobs/jobs.h"

#include "absl/strings/str_cat.h"
#include "client/service/job_follow.h"
#include "client/service/job_kinds.h"
#include "client/subcommands.h"

namespace hone::client {

namespace {

constexpr Subcommand kSubcommands[] = {
    {"list", jobsListCommand, "newest first"},
    {"show", jobsShowCommand, "one job, with its history and attempts"},
    {"watch", jobsWatchCommand, "what happens to a job, until it has ended"},
    {"cancel", jobsCancelCommand, "end a job"},
    {"logs", jobsLogsCommand, "what the attempts at a job wrote"},
    {"download", jobsDownloadCommand, "what a job has made"},
};

Json orNull(const std::string &text) { return text.empty() ? Json() : Json(text); }

}  // namespace

int jobsCommand(const Invocation &invocation) {
  return runSubcommand("jobs", "Jobs of a server: they go on without the command that submitted them.", kSubcommands,
                       invocation);
}

std::string kindText(const v1::Job &job) {
  const JobKind &kind = kindOf(job.spec());
  return kind.key == nullptr ? kind.name : absl::StrCat(kind.name, " ", kind.key(job.spec()));
}

Json jobJson(const v1::Job &job) {
  const v1::JobResult &result = job.result();
  const JobKind &kind = kindOf(job.spec());
  return {{"id", job.id()},
          {"state", nameOf(job.state())},
          {"user", job.user()},
          {"kind", kind.name},
          {"key", kind.key == nullptr ? Json() : Json(kind.key(job.spec()))},
          {"priority", job.priority()},
          {"label", job.label()},
          {"submitted", timeJson(job.submitted_micros())},
          {"started", timeJson(job.started_micros())},
          {"ended", timeJson(job.ended_micros())},
          {"attempts", job.attempts()},
          {"worker", orNull(job.worker())},
          {"queue_position", job.queue_position()},
          {"from_cache", result.from_cache()},
          {"artifact", orNull(result.artifact().sha256())},
          {"outputs", orNull(result.outputs().sha256())},
          {"error", orNull(result.result().sentence())}};
}

std::string eventText(const v1::JobEvent &event) {
  const std::string from = event.from() == v1::JOB_STATE_UNSPECIFIED ? "" : absl::StrCat(nameOf(event.from()), " -> ");
  return absl::StrCat(timeText(event.micros()), "  ", from, nameOf(event.to()), "  ", event.actor(),
                      event.detail().empty() ? "" : "  ", event.detail());
}

}  // namespace hone::client
