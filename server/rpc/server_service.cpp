#include "server/rpc/server_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "proto/api_version.h"
#include "server/base/error_detail.h"
#include "server/rpc/unary.h"

namespace hone::server {

namespace {

v1::Capabilities describe(const Site &site, const std::string &user) {
  v1::Capabilities capabilities;
  capabilities.set_version(HONE_VERSION);
  capabilities.set_api_version(proto::kApiVersion);
  capabilities.set_oldest_api_version(proto::kOldestApiVersion);
  capabilities.set_is_private(site.isPrivate());
  capabilities.set_max_blob_bytes(site.limits.maxBlobBytes);
  capabilities.set_max_chunk_bytes(site.limits.maxChunkBytes);
  capabilities.set_max_digests_per_request(site.limits.maxDigests);
  capabilities.set_blob_grace_seconds(absl::ToInt64Seconds(site.policy.blobGrace));
  capabilities.set_max_job_seconds(absl::ToInt64Seconds(site.policy.maxJob));
  capabilities.set_least_upload_bytes_per_second(site.limits.leastUploadRate);
  capabilities.set_now_micros(site.clock.wallMicros());
  capabilities.set_user(user);
  const auto number = [](int64_t value) { return static_cast<int32_t>(std::min<int64_t>(value, INT32_MAX)); };
  capabilities.mutable_quota()->set_max_blob_bytes(site.policy.maxUserBytes);
  capabilities.mutable_quota()->set_max_running_jobs(number(site.policy.maxRunningJobs));
  capabilities.mutable_quota()->set_max_queued_jobs(number(site.policy.maxQueuedJobs));
  capabilities.mutable_disk()->set_free_bytes(site.blobs->freeBytes());
  capabilities.mutable_disk()->set_reserve_bytes(site.blobs->reserveBytes());
  if (site.isPrivate()) {
    capabilities.set_staging_folder(site.blobs->stagingFolder().string());
    capabilities.set_programs(site.programs);
  }
  capabilities.set_started_micros(site.startedMicros);
  return capabilities;
}

}  // namespace

grpc::ServerUnaryReactor *ServerService::GetCapabilities(grpc::CallbackServerContext *context,
                                                         const grpc::ByteBuffer *in, grpc::ByteBuffer *out) {
  return serve<v1::GetCapabilitiesRequest, v1::Capabilities>(
      site_, context, in, out, "Server.GetCapabilities", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::Capabilities>> call, const v1::GetCapabilitiesRequest &request) {
        call->finish(describe(site_, call->call.user()));
      });
}

grpc::ServerUnaryReactor *ServerService::Stop(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                              grpc::ByteBuffer *out) {
  return serve<v1::StopRequest, v1::StopResponse>(
      site_, context, in, out, "Server.Stop", Call::Kind::Change,
      [this](std::shared_ptr<Unary<v1::StopResponse>> call, const v1::StopRequest &request) {
        if (!site_.isPrivate())
          return call->finish(
              withDetail(absl::PermissionDeniedError("only the private coordinator ends on request; a shared one is "
                                                     "ended by its operator (systemctl stop hone-server)"),
                         "NOT_PRIVATE"));
        const EngineState state = site_.engine->state();
        v1::StopResponse response;
        const int64_t unfinished = state.pending + state.leased;
        response.set_unfinished_jobs(static_cast<int32_t>(std::min<int64_t>(unfinished, INT32_MAX)));
        call->finish(response);
        if (!request.if_idle() || unfinished == 0) site_.stop(request.now());
      });
}

}  // namespace hone::server
