// hone.v1.Jobs on gRPC's callback interface. Thread-safe; lives as long as the server that it is registered with.
#pragma once

#include "hone/v1/jobs.grpc.pb.h"
#include "server/rpc/site.h"

namespace hone::server {

class JobsService
    : public v1::Jobs::WithRawCallbackMethod_Submit<v1::Jobs::WithRawCallbackMethod_Get<
          v1::Jobs::WithRawCallbackMethod_List<v1::Jobs::WithRawCallbackMethod_Watch<
              v1::Jobs::WithRawCallbackMethod_Cancel<v1::Jobs::WithRawCallbackMethod_Attempts<v1::Jobs::Service>>>>>> {
 public:
  explicit JobsService(Site &site) : site_(site) {}

  grpc::ServerUnaryReactor *Submit(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                   grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *Get(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *List(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                 grpc::ByteBuffer *out) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer> *Watch(grpc::CallbackServerContext *context,
                                                    const grpc::ByteBuffer *in) override;
  grpc::ServerUnaryReactor *Cancel(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                   grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *Attempts(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                     grpc::ByteBuffer *out) override;

 private:
  Site &site_;
};

}  // namespace hone::server
