#include "server/rpc/fleet_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/rpc/attach.h"
#include "server/rpc/unary.h"

namespace hone::server {

namespace {

constexpr int32_t kMostWorkers = 1000;  // of a page

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> *FleetService::Attach(
    grpc::CallbackServerContext *context) {
  return server::Attach::start(site_, context);
}

grpc::ServerUnaryReactor *FleetService::List(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                             grpc::ByteBuffer *out) {
  return serve<v1::ListWorkersRequest, v1::ListWorkersResponse>(
      site_, context, in, out, "Fleet.List", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::ListWorkersResponse>> call, v1::ListWorkersRequest request) {
        request.set_page_size(std::min(request.page_size(), kMostWorkers));
        site_.engine->listWorkers(std::move(request),
                                  [call](absl::StatusOr<v1::ListWorkersResponse> response) { call->finish(response); });
      });
}

grpc::ServerUnaryReactor *FleetService::Drain(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                              grpc::ByteBuffer *out) {
  return serve<v1::DrainRequest, v1::Worker>(site_, context, in, out, "Fleet.Drain", Call::Kind::Change,
                                             [this](std::shared_ptr<Unary<v1::Worker>> call, v1::DrainRequest request) {
                                               site_.engine->drainWorker(
                                                   std::move(request),
                                                   [call](absl::StatusOr<v1::Worker> worker) { call->finish(worker); });
                                             });
}

}  // namespace hone::server
