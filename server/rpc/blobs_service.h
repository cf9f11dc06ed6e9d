// hone.v1.Blobs on gRPC's callback interface. Thread-safe; lives as long as the server that it is registered with.
#pragma once

#include "hone/v1/blobs.grpc.pb.h"
#include "server/rpc/site.h"

namespace hone::server {

class BlobsService
    : public v1::Blobs::WithRawCallbackMethod_FindMissing<v1::Blobs::WithRawCallbackMethod_Upload<
          v1::Blobs::WithRawCallbackMethod_QueryUpload<v1::Blobs::WithRawCallbackMethod_Download<
              v1::Blobs::WithRawCallbackMethod_Import<v1::Blobs::WithRawCallbackMethod_Locate<v1::Blobs::Service>>>>>> {
 public:
  explicit BlobsService(Site &site) : site_(site) {}

  grpc::ServerUnaryReactor *FindMissing(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                        grpc::ByteBuffer *out) override;
  grpc::ServerReadReactor<grpc::ByteBuffer> *Upload(grpc::CallbackServerContext *context,
                                                    grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *QueryUpload(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                        grpc::ByteBuffer *out) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer> *Download(grpc::CallbackServerContext *context,
                                                       const grpc::ByteBuffer *in) override;
  grpc::ServerUnaryReactor *Import(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                   grpc::ByteBuffer *out) override;
  grpc::ServerUnaryReactor *Locate(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                   grpc::ByteBuffer *out) override;

 private:
  Site &site_;
};

}  // namespace hone::server
