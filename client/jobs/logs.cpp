// hone jobs logs.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "client/jobs/jobs.h"
#include "client/remote_command.h"

namespace hone::client {

namespace {

absl::Status logs(const std::string &id, Connection &connection) {
  v1::AttemptsRequest request;
  request.set_id(id);
  v1::AttemptsResponse response;
  absl::Status status = connection.call(
      {}, [&](grpc::ClientContext &context) { return connection.jobs().Attempts(&context, request, &response); });
  if (!status.ok()) return status;
  for (const v1::Attempt &attempt : response.attempts()) {
    printf("--- attempt %lld on %s, %s\n", static_cast<long long>(attempt.epoch()), attempt.worker().c_str(),
           attempt.end().empty() ? "goes on" : attempt.end().c_str());
    fputs(attempt.log().c_str(), stdout);
    if (!attempt.log().empty() && attempt.log().back() != '\n') puts("");
  }
  return absl::OkStatus();
}

}  // namespace

int jobsLogsCommand(const Invocation &invocation) {
  CLI::App app{"print what each attempt at a job wrote, its last 64 KiB", "hone jobs logs"};
  std::string id;
  app.add_option("ID", id, "of the job")->required();
  return runRemoteCommand(app, invocation, [&](Connection &connection) { return logs(id, connection); });
}

}  // namespace hone::client
