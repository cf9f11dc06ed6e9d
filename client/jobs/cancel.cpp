// hone jobs cancel.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/job_follow.h"

namespace hone::client {

namespace {

absl::Status cancel(const std::vector<std::string> &ids, Connection &connection) {
  for (const std::string &id : ids) {
    v1::CancelJobRequest request;
    request.set_id(id);
    v1::Job job;
    absl::Status status = connection.call(
        {}, [&](grpc::ClientContext &context) { return connection.jobs().Cancel(&context, request, &job); });
    if (!status.ok()) return status;
    printf("%s  %s\n", job.id().c_str(), nameOf(job.state()).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

int jobsCancelCommand(const Invocation &invocation) {
  CLI::App app{"end jobs; one that has ended stays as it is", "hone jobs cancel"};
  std::vector<std::string> ids;
  app.add_option("ID", ids, "of the jobs")->required();
  return runRemoteCommand(app, invocation, [&](Connection &connection) { return cancel(ids, connection); });
}

}  // namespace hone::client
