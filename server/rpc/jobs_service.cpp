#include "server/rpc/jobs_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/rpc/unary.h"
#include "server/rpc/watch.h"

namespace hone::server {

namespace {

constexpr int32_t kMostJobs = 1000;  // of a page

/// A repeated call gets the job of the first one, whatever would be said to a new one: \p refusal.
void answerAgain(Site &site, std::shared_ptr<Unary<v1::Job>> call, const v1::SubmitRequest &request,
                 const absl::Status &refusal) {
  site.reads.run([&site, call = std::move(call), id = request.request_id(), refusal] {
    const absl::StatusOr<v1::Job> first = site.store->jobOfRequest(call->call.user(), id);
    call->finish(first.ok() ? first : absl::StatusOr<v1::Job>(refusal));
  });
}

}  // namespace

grpc::ServerUnaryReactor *JobsService::Submit(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                              grpc::ByteBuffer *out) {
  return serve<v1::SubmitRequest, v1::Job>(
      site_, context, in, out, "Jobs.Submit", Call::Kind::Change,
      [this](std::shared_ptr<Unary<v1::Job>> call, v1::SubmitRequest request) {
        const absl::Status room =
            site_.slots.checkDisk("submission", static_cast<int64_t>(request.ByteSizeLong()), site_.blobs->freeBytes());
        if (!room.ok()) return answerAgain(site_, std::move(call), request, room);
        site_.engine->submit(call->call.user(), std::move(request), [call](absl::StatusOr<v1::Job> job) {
          if (job.ok()) call->call.setJob(job->id());
          call->finish(job);
        });
      });
}

grpc::ServerUnaryReactor *JobsService::Get(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                           grpc::ByteBuffer *out) {
  return serve<v1::GetJobRequest, v1::Job>(
      site_, context, in, out, "Jobs.Get", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::Job>> call, v1::GetJobRequest request) {
        call->call.setJob(request.id());
        site_.reads.run([this, call = std::move(call), id = request.id()] {
          const auto job = site_.store->job(id);
          if (!job.ok() || job->state() != v1::JOB_PENDING) return call->finish(job);
          site_.engine->queuePosition(id, [call, job = *job](const absl::StatusOr<int64_t> &before) mutable {
            job.set_queue_position(static_cast<int32_t>(before.value_or(0)));
            call->finish(job);
          });
        });
      });
}

grpc::ServerUnaryReactor *JobsService::List(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                            grpc::ByteBuffer *out) {
  return serve<v1::ListJobsRequest, v1::ListJobsResponse>(
      site_, context, in, out, "Jobs.List", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::ListJobsResponse>> call, v1::ListJobsRequest request) {
        request.set_page_size(std::min(request.page_size(), kMostJobs));
        site_.lists.run([this, call = std::move(call), request = std::move(request)] {
          call->finish(site_.store->jobs(request, [this](v1::JobSpec &spec) {
            const JobKind *kind = site_.kinds->find(spec);
            if (kind != nullptr && kind->shorten != nullptr) kind->shorten(spec);
          }));
        });
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer> *JobsService::Watch(grpc::CallbackServerContext *context,
                                                               const grpc::ByteBuffer *in) {
  return server::Watch::start(site_, context, in);
}

grpc::ServerUnaryReactor *JobsService::Cancel(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                              grpc::ByteBuffer *out) {
  return serve<v1::CancelJobRequest, v1::Job>(
      site_, context, in, out, "Jobs.Cancel", Call::Kind::Change,
      [this](std::shared_ptr<Unary<v1::Job>> call, v1::CancelJobRequest request) {
        call->call.setJob(request.id());
        site_.engine->cancel(call->call.user(), request.id(),
                             [call](absl::StatusOr<v1::Job> job) { call->finish(job); });
      });
}

grpc::ServerUnaryReactor *JobsService::Attempts(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                                grpc::ByteBuffer *out) {
  return serve<v1::AttemptsRequest, v1::AttemptsResponse>(
      site_, context, in, out, "Jobs.Attempts", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::AttemptsResponse>> call, v1::AttemptsRequest request) {
        call->call.setJob(request.id());
        site_.lists.run([this, call = std::move(call), request = std::move(request)] {
          call->finish(site_.store->attempts(request));
        });
      });
}

}  // namespace hone::server
