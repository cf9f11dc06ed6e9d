// hone jobs watch.
#include <cstdio>

#include "client/command_line.h"
#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/job_follow.h"

namespace hone::client {

namespace {

void printLine(const Json &json) {
  puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  fflush(stdout);
}

// JSON: a line for each event, then one for the job, which alone has an id.
absl::Status watch(const std::string &id, const std::string &format, Connection &connection) {
  ProgressLine progress;
  auto job = follow(connection, id, progress, [&](const v1::JobEvent &event) {
    progress.clear();
    if (format == "json") return printLine(eventJson(event));
    puts(eventText(event).c_str());
    fflush(stdout);
  });
  progress.clear();
  if (!job.ok()) return job.status();
  if (format == "json") {
    printLine(jobJson(*job));
    return endOf(*job, job->id());
  }
  if (absl::Status end = endOf(*job, job->id()); !end.ok()) return end;
  fputs(job->result().result().printed().c_str(), stdout);
  const v1::JobResult &result = job->result();
  if (!result.artifact().sha256().empty() || !result.outputs().sha256().empty())
    printf("`hone jobs download %s%s -o FILE` fetches what it has made\n", id.c_str(),
           connection.endpoint().flags.c_str());
  return absl::OkStatus();
}

}  // namespace

int jobsWatchCommand(const Invocation &invocation) {
  CommandLine line{"show what happens to a job until it has ended; ends with the exit code of the job's own command",
                   "hone jobs watch"};
  std::string id, format;
  line.option("ID", id, "of the job").required();
  declareFormat(line, format);
  return runRemoteCommand(line, invocation, [&](Connection &connection) { return watch(id, format, connection); });
}

}  // namespace hone::client
