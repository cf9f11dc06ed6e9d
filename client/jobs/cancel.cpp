// hone jobs cancel.
#include <cstdio>

#include "client/command_line.h"
#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/calls.h"
#include "client/service/job_follow.h"

namespace hone::client {

namespace {

absl::Status cancel(const std::vector<std::string> &ids, Connection &connection) {
  for (const std::string &id : ids) {
    auto job = cancelJob(connection, id);
    if (!job.ok()) return job.status();
    printf("%s  %s\n", job->id().c_str(), nameOf(job->state()).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

int jobsCancelCommand(const Invocation &invocation) {
  CommandLine line{"end jobs; one that has ended stays as it is", "hone jobs cancel"};
  std::vector<std::string> ids;
  line.option("ID", ids, "of the jobs").required();
  return runRemoteCommand(line, invocation, [&](Connection &connection) { return cancel(ids, connection); });
}

}  // namespace hone::client
