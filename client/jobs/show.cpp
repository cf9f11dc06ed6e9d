// hone jobs show.
#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/calls.h"
#include "client/service/job_follow.h"

namespace hone::client {

namespace {

struct History {
  v1::Job job;
  std::vector<v1::JobEvent> events;
  std::vector<v1::Attempt> attempts;  ///< without what they wrote
};

absl::StatusOr<History> load(Connection &connection, const std::string &id) {
  auto job = getJob(connection, id);
  if (!job.ok()) return job.status();
  auto events = eventsOf(connection, *job);
  if (!events.ok()) return events.status();
  History history{*std::move(job), *std::move(events), {}};
  absl::Status status = forEachAttempt(connection, id, [&](const v1::Attempt &attempt) {
    history.attempts.push_back(attempt);
    history.attempts.back().clear_log();
  });
  if (!status.ok()) return status;
  return history;
}

Json toJson(const History &history) {
  Json json = jobJson(history.job);
  std::string spec;
  if (!google::protobuf::util::MessageToJsonString(history.job.spec(), &spec).ok()) spec.clear();
  json["spec"] = Json::parse(spec, nullptr, /*allow_exceptions=*/false);
  json["events"] = Json::array();
  for (const v1::JobEvent &event : history.events) json["events"].push_back(eventJson(event));
  json["tries"] = Json::array();
  for (const v1::Attempt &attempt : history.attempts)
    json["tries"].push_back({{"task", attempt.task()},
                             {"epoch", attempt.epoch()},
                             {"worker", attempt.worker()},
                             {"granted", timeJson(attempt.granted_micros())},
                             {"ended", timeJson(attempt.ended_micros())},
                             {"end", attempt.end()}});
  return json;
}

void printField(const char *name, const std::string &value) {
  if (!value.empty()) printf("%-11s %s\n", name, value.c_str());
}

void printText(const History &history) {
  const v1::Job &job = history.job;
  const v1::JobResult &result = job.result();
  printField("id", job.id());
  printField("state", nameOf(job.state()) + (result.from_cache() ? " (from the cache)" : ""));
  printField("kind", kindText(job));
  printField("user", job.user());
  printField("label", job.label());
  printField("submitted", timeText(job.submitted_micros()));
  printField("started", timeText(job.started_micros()));
  printField("ended", timeText(job.ended_micros()));
  printField("worker", job.worker());
  if (job.tasks() > 1) printField("tasks", absl::StrCat(job.ended_tasks(), " of ", job.tasks(), " have ended"));
  if (job.queue_position() > 0) printField("before it", std::to_string(job.queue_position()));
  printField("error", result.result().sentence());
  if (!result.artifact().sha256().empty())
    printField("artifact", result.artifact().sha256() + ", " + megabytes(result.artifact().size_bytes()));
  if (!result.outputs().sha256().empty())
    printField("outputs", result.outputs().sha256() + ", " + megabytes(result.outputs().size_bytes()));
  puts("\nhistory");
  for (const v1::JobEvent &event : history.events) printf("  %s\n", eventText(event).c_str());
  if (!history.attempts.empty()) puts("\nattempts");
  for (const v1::Attempt &attempt : history.attempts)
    printf("  %s  %s  %s\n", timeText(attempt.granted_micros()).c_str(), attempt.worker().c_str(),
           attempt.end().empty() ? "goes on" : attempt.end().c_str());
}

}  // namespace

int jobsShowCommand(const Invocation &invocation) {
  CommandLine line{"show a job, with its history and attempts", "hone jobs show"};
  std::string id, format;
  line.option("ID", id, "of the job").required();
  declareFormat(line, format);
  return runRemoteCommand(line, invocation, [&](Connection &connection) {
    auto history = load(connection, id);
    if (!history.ok()) return history.status();
    format == "json"
        ? static_cast<void>(puts(toJson(*history).dump(2, ' ', false, Json::error_handler_t::replace).c_str()))
        : printText(*history);
    return absl::OkStatus();
  });
}

}  // namespace hone::client
