// hone jobs logs.
#include <cstdio>

#include "client/command_line.h"
#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/calls.h"

namespace hone::client {

namespace {

void printAttempt(const v1::Attempt &attempt) {
  printf("--- attempt %lld on %s, %s\n", static_cast<long long>(attempt.epoch()), attempt.worker().c_str(),
         attempt.end().empty() ? "goes on" : attempt.end().c_str());
  fputs(attempt.log().c_str(), stdout);
  if (!attempt.log().empty() && attempt.log().back() != '\n') puts("");
}

}  // namespace

int jobsLogsCommand(const Invocation &invocation) {
  CommandLine line{"print what each attempt at a job wrote, its last 64 KiB", "hone jobs logs"};
  std::string id;
  line.option("ID", id, "of the job").required();
  return runRemoteCommand(line, invocation,
                          [&](Connection &connection) { return forEachAttempt(connection, id, printAttempt); });
}

}  // namespace hone::client
