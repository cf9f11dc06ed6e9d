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
          {"tasks", job.tasks()},
          {"ended_tasks", job.ended_tasks()},
          {"from_cache", result.from_cache()},
          {"artifact", orNull(result.artifact().sha256())},
          {"outputs", orNull(result.outputs().sha256())},
          {"error", orNull(result.result().sentence())}};
}

namespace {

std::string wordFor(v1::TaskEvent::What what) {
  switch (what) {
    case v1::TaskEvent::LEASED:
      return "leased";
    case v1::TaskEvent::CAME_BACK:
      return "came back";
    case v1::TaskEvent::DONE:
      return "done";
    case v1::TaskEvent::FAILED:
      return "failed";
    case v1::TaskEvent::ITEMS:
      return "items";
    default:
      return "changed";
  }
}

// What the event tells: of one task, or of the job's state.
std::string whatHappened(const v1::JobEvent &event) {
  if (event.has_task())
    return absl::StrCat("task ", event.task().task(), " (", event.task().kind(), ") ", wordFor(event.task().what()));
  return event.from() == v1::JOB_STATE_UNSPECIFIED ? nameOf(event.to())
                                                   : absl::StrCat(nameOf(event.from()), " -> ", nameOf(event.to()));
}

}  // namespace

std::string eventText(const v1::JobEvent &event) {
  return absl::StrCat(timeText(event.micros()), "  ", whatHappened(event), "  ", event.actor(),
                      event.detail().empty() ? "" : "  ", event.detail());
}

Json eventJson(const v1::JobEvent &event) {
  Json json = {{"sequence", event.sequence()},
               {"time", timeJson(event.micros())},
               {"state", nameOf(event.to())},
               {"actor", event.actor()},
               {"detail", event.detail()}};
  if (!event.has_task()) return json;
  const v1::TaskEvent &task = event.task();
  json["task"] = {{"id", task.task()}, {"kind", task.kind()}, {"what", wordFor(task.what())}, {"items", task.items()}};
  if (task.what() == v1::TaskEvent::ITEMS) json["task"]["ended_items"] = task.ended_items();
  return json;
}

}  // namespace hone::client
