// Blobs.Upload: one reaction at a time, and the disk on threads of its own. At most one message is in memory; the next
// is read when this one is on the disk, which is what holds the sender back. Lives until gRPC is done with it.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.pb.h"
#include "server/rpc/call.h"
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
  void readNext();
  void take();     // on a disk thread: one message
  void takeEnd();  // on a disk thread: no further message
  absl::Status begin(const v1::UploadHeader &header);
  absl::Status open();  // ALREADY_EXISTS when the blob is there
  absl::Status append(const std::string &data);
  void store();  // the file is there: makes its row
  void finish(const absl::Status &status);
  void finishLocked(const absl::Status &status);  // mutex_ is held

  Site &site_;
  grpc::ByteBuffer *const response_;
  Call call_;
  std::shared_ptr<Upload> self_;  // until OnDone()

  std::mutex mutex_;  // of what follows, up to the blank line
  bool isFinished_ = false;
  bool isWaiting_ = false;  // for a message of the client
  absl::Duration waitingSince_;
  absl::Duration waited_;  // in the present window of the least rate
  int64_t windowBytes_ = 0;

  // Of whoever has the message: gRPC while a read is under way, then a disk thread.
  grpc::ByteBuffer message_;
  bool hasBegun_ = false;
  bool hasSlot_ = false;
  v1::UploadHeader header_;
  std::unique_ptr<BlobFolder::Writer> writer_;
};

}  // namespace hone::server
