// Blobs.Download: checks the blob, then sends it in chunks; the next is read from the disk when gRPC has taken this
// one. Lives until gRPC is done with it.
#pragma once

#include <memory>

#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/site.h"

namespace hone::server {

class Download : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public std::enable_shared_from_this<Download> {
 public:
  /// gRPC owns the reactor that comes back.
  static Download *start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request);

  void OnWriteDone(bool ok) override;
  void OnDone() override;

  Download(Site &site, grpc::CallbackServerContext *context);
  ~Download() override;

 private:
  void open();  // on a disk thread
  void send();  // on a disk thread
  void finish(const absl::Status &status);

  Site &site_;
  Call call_;
  std::shared_ptr<Download> self_;  // until OnDone()
  v1::DownloadRequest request_;
  int descriptor_ = -1;
  int64_t left_ = 0;
  grpc::ByteBuffer message_;  // until it is written
};

}  // namespace hone::server
