// Blobs.Download: checks the blob, then sends it in chunks; the next is read from the disk when gRPC has taken this
// one. A client that does not read, or hardly, is let go. Lives until gRPC is done with it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/descriptor.h"
#include "common/mutex.h"
#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/least_rate.h"
#include "server/rpc/site.h"
#include "server/store/file_io.h"

namespace hone::server {

class Download : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                 public Ticked,
                 public std::enable_shared_from_this<Download> {
 public:
  /// gRPC owns the reactor that comes back.
  static Download *start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request);

  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void tick(absl::Duration now) override;

  Download(Site &site, grpc::CallbackServerContext *context);

 private:
  void open();  // on a disk thread
  void send();  // on a disk thread
  int64_t chunkBytes() const;
  void finish(const absl::Status &status);
  void finishLocked(const absl::Status &status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Site &site_;
  Call call_;
  std::shared_ptr<Download> self_;  // until OnDone()
  v1::DownloadRequest request_;

  Mutex mutex_;
  grpc::CallbackServerContext *context_ ABSL_GUARDED_BY(mutex_);  // none after OnDone()
  bool hasSlot_ ABSL_GUARDED_BY(mutex_) = false;
  LeastRate rate_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> finished_ ABSL_GUARDED_BY(mutex_);  // since when

  // Of whoever has the turn: a disk thread, or gRPC while a write is under way.
  Descriptor file_;
  int64_t left_ = 0;
  grpc::ByteBuffer message_;
};

}  // namespace hone::server
