// What commands ask a coordinator, one call each. Functions without state; they use the connection from the calling
// thread. Errors are those of Connection::call().
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/service/connection.h"
#include "hone/v1/fleet.pb.h"
#include "hone/v1/jobs.pb.h"
#include "hone/v1/server.pb.h"

namespace hone::client {

absl::StatusOr<v1::Job> getJob(Connection &connection, const std::string &id);
absl::StatusOr<v1::Job> cancelJob(Connection &connection, const std::string &id);
/// One page.
absl::StatusOr<v1::ListJobsResponse> listJobs(Connection &connection, const v1::ListJobsRequest &request);
/// In the order of tasks, and of a task's leases. Their logs may be more than fits into memory.
absl::Status forEachAttempt(Connection &connection, const std::string &job,
                            const std::function<void(const v1::Attempt &)> &take);
/// What has happened to \p job so far.
absl::StatusOr<std::vector<v1::JobEvent>> eventsOf(Connection &connection, const v1::Job &job);

/// One page.
absl::StatusOr<v1::ListWorkersResponse> listWorkers(Connection &connection, const v1::ListWorkersRequest &request);
absl::StatusOr<v1::Worker> drainWorker(Connection &connection, const v1::DrainRequest &request);

absl::StatusOr<v1::StopResponse> stopServer(Connection &connection, bool now);

}  // namespace hone::client
