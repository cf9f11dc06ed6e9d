// Blobs.Upload: one reaction at a time, and the disk on threads of its own. At most one message is in memory; the next
// is read when this one is on the disk, which is what holds the sender back. Lives until gRPC is done with it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/least_rate.h"
#include "server/rpc/site.h"

namespace hone::server {

class Upload : public grpc::ServerReadReactor<grpc::ByteBuffer>,
               public Ticked,
               public std::enable_shared_from_this<Upload> {
 public:
  /// gRPC owns the reactor that comes back.
  static Upload *start(Site &site, grpc::CallbackServerContext *context, grpc::ByteBuffer *response);

  void OnReadDone(bool ok) override;
  void OnDone() override;
  void tick(absl::Duration now) override;

  Upload(Site &site, grpc::CallbackServerContext *context, grpc::ByteBuffer *response);

 private:
  /// What one message of the client leaves to the next. While the client is waited for it is parked below, and whoever
  /// ends the upload drops it; who has a message takes it out, and nobody else touches it.
  struct Work {
    bool hasBegun = false;
    v1::UploadHeader header;
    std::unique_ptr<BlobFolder::Writer> writer;
  };

  /// Parks \p work and waits for a message.
  void readNext(Work work);
  /// None: the upload has ended.
  std::optional<Work> takeWork();
  void take();     // on a disk thread: one message
  void takeEnd();  // on a disk thread: no further message
  /// ALREADY_EXISTS when the blob is there.
  absl::Status begin(const v1::UploadHeader &header, Work &work);
  /// As whose the blob counts.
  absl::Status findOwner(const v1::UploadHeader &header);
  /// Whether there is room for it.
  absl::Status takeSlot(const v1::UploadHeader &header);
  absl::Status append(const std::string &data, Work &work);
  void store(const v1::Digest &digest);  // the file is there: makes its row
  void finish(const absl::Status &status);
  void finishLocked(const absl::Status &status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Site &site_;
  grpc::ByteBuffer *const response_;
  Call call_;
  std::shared_ptr<Upload> self_;  // until OnDone()

  Mutex mutex_;
  bool isFinished_ ABSL_GUARDED_BY(mutex_) = false;
  LeastRate rate_ ABSL_GUARDED_BY(mutex_);
  std::optional<Work> parked_ ABSL_GUARDED_BY(mutex_);
  std::optional<int64_t> slot_ ABSL_GUARDED_BY(mutex_);  // the bytes for which it has one

  std::string user_, slotName_;  // since the header
  grpc::ByteBuffer message_;     // gRPC's while a read is under way, then a disk thread's
};

}  // namespace hone::server
