#include "client/service/calls.h"

#include <utility>

#include "client/service/stubs.h"

namespace hone::client {

namespace {

// A watch is left when it has given as many events as there are.
grpc::Status readEvents(Connection &connection, grpc::ClientContext &context, const v1::Job &job,
                        std::vector<v1::JobEvent> &events) {
  v1::WatchRequest request;
  request.set_id(job.id());
  events.clear();
  const auto reader = connection.stubs().jobs.Watch(&context, request);
  bool isComplete = job.last_sequence() == 0;
  for (v1::WatchResponse message; !isComplete && reader->Read(&message);) {
    if (message.has_event()) events.push_back(message.event());
    isComplete = message.has_final() || (message.has_event() && message.event().sequence() >= job.last_sequence());
  }
  if (!isComplete) return reader->Finish();
  context.TryCancel();
  reader->Finish();
  return grpc::Status::OK;
}

}  // namespace

absl::StatusOr<v1::Job> getJob(Connection &connection, const std::string &id) {
  v1::GetJobRequest request;
  request.set_id(id);
  return unary(connection, connection.stubs().jobs, &v1::Jobs::Stub::Get, request);
}

absl::StatusOr<v1::Job> cancelJob(Connection &connection, const std::string &id) {
  v1::CancelJobRequest request;
  request.set_id(id);
  return unary(connection, connection.stubs().jobs, &v1::Jobs::Stub::Cancel, request);
}

absl::StatusOr<v1::ListJobsResponse> listJobs(Connection &connection, const v1::ListJobsRequest &request) {
  return unary(connection, connection.stubs().jobs, &v1::Jobs::Stub::List, request);
}

absl::Status forEachAttempt(Connection &connection, const std::string &job,
                            const std::function<void(const v1::Attempt &)> &take) {
  v1::AttemptsRequest request;
  request.set_id(job);
  do {
    const auto page = unary(connection, connection.stubs().jobs, &v1::Jobs::Stub::Attempts, request);
    if (!page.ok()) return page.status();
    for (const v1::Attempt &attempt : page->attempts()) take(attempt);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::JobEvent>> eventsOf(Connection &connection, const v1::Job &job) {
  std::vector<v1::JobEvent> events;
  absl::Status status =
      connection.call({}, [&](grpc::ClientContext &context) { return readEvents(connection, context, job, events); });
  if (!status.ok()) return status;
  return events;
}

absl::StatusOr<v1::ListWorkersResponse> listWorkers(Connection &connection, const v1::ListWorkersRequest &request) {
  return unary(connection, connection.stubs().fleet, &v1::Fleet::Stub::List, request);
}

absl::StatusOr<v1::Worker> drainWorker(Connection &connection, const v1::DrainRequest &request) {
  return unary(connection, connection.stubs().fleet, &v1::Fleet::Stub::Drain, request);
}

absl::StatusOr<v1::StopResponse> stopServer(Connection &connection, bool now) {
  v1::StopRequest request;
  request.set_now(now);
  return unary(connection, connection.stubs().server, &v1::Server::Stub::Stop, request, {.isRepeatable = false});
}

}  // namespace hone::client
