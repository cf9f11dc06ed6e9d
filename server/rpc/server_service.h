// hone.v1.Server on gRPC's callback interface. Thread-safe; lives as long as the server that it is registered with.
#pragma once

#include "hone/v1/server.grpc.pb.h"
#include "server/rpc/site.h"

namespace hone::server {

class ServerService : public v1::Server::WithRawCallbackMethod_GetCapabilities<
                          v1::Server::WithRawCallbackMethod_Stop<v1::Server::Service>> {
 public:
  explicit ServerService(Site &site) : site_(site) {}

  grpc::ServerUnaryReactor *GetCapabilities(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                            grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *Stop(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                 grpc::ByteBuffer *out) override;

 private:
  Site &site_;
};

}  // namespace hone::server
