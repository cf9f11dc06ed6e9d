// hone.v1.Records on gRPC's callback interface. Thread-safe; lives as long as the server that it is registered with.
#pragma once

#include "hone/v1/records.grpc.pb.h"
#include "server/rpc/site.h"

namespace hone::server {

class RecordsService
    : public v1::Records::WithRawCallbackMethod_Query<
          v1::Records::WithRawCallbackMethod_Import<v1::Records::WithRawCallbackMethod_Export<v1::Records::Service>>> {
 public:
  explicit RecordsService(Site &site) : site_(site) {}

  grpc::ServerUnaryReactor *Query(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                  grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *Import(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                   grpc::ByteBuffer *out) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer> *Export(grpc::CallbackServerContext *context,
                                                     const grpc::ByteBuffer *in) override;

 private:
  Site &site_;
};

}  // namespace hone::server
