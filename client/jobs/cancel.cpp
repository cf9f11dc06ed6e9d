// hone jobs cancel.
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/calls.h"
#include "client/service/job_follow.h"

namespace hone::client {

namespace {

bool isAboutOneJob(const absl::Status &status) { return absl::IsNotFound(status) || absl::IsInvalidArgument(status); }

// A wrong id keeps nobody from ending the others; the error has the first one's exit code and everybody's sentence.
absl::Status cancel(const std::vector<std::string> &ids, Connection &connection) {
  absl::Status failure;
  for (const std::string &id : ids) {
    auto job = cancelJob(connection, id);
    if (job.ok()) {
      printf("%s  %s\n", job->id().c_str(), nameOf(job->state()).c_str());
      continue;
    }
    const std::string message(job.status().message());
    const std::string sentence = absl::StrContains(message, id) ? message : absl::StrCat("job '", id, "': ", message);
    failure = failure.ok() ? absl::Status(job.status().code(), sentence)
                           : absl::Status(failure.code(), absl::StrCat(failure.message(), "; ", sentence));
    if (!isAboutOneJob(job.status())) return failure;
  }
  return failure;
}

}  // namespace

int jobsCancelCommand(const Invocation &invocation) {
  CommandLine line{"end jobs; one that has ended stays as it is", "hone jobs cancel"};
  std::vector<std::string> ids;
  line.option("ID", ids, "of the jobs").required();
  return runRemoteCommand(line, invocation, [&](Connection &connection) { return cancel(ids, connection); });
}

}  // namespace hone::client
