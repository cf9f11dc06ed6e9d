// hone.v1.Fleet on gRPC's callback interface. Thread-safe; lives as long as the server that it is registered with.
#pragma once

#include "hone/v1/fleet.grpc.pb.h"
#include "server/rpc/site.h"

namespace hone::server {

class FleetService
    : public v1::Fleet::WithRawCallbackMethod_Attach<
          v1::Fleet::WithRawCallbackMethod_List<v1::Fleet::WithRawCallbackMethod_Drain<v1::Fleet::Service>>> {
 public:
  explicit FleetService(Site &site) : site_(site) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> *Attach(grpc::CallbackServerContext *context) override;
  grpc::ServerUnaryReactor *List(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                 grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *Drain(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                  grpc::ByteBuffer *out) override;

 private:
  Site &site_;
};

}  // namespace hone::server
