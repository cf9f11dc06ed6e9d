// Fleet.Attach: the stream of one worker. What it says is checked and handed to the engine; what the engine sends waits
// in a queue of bounded length. Ends when the worker is silent, stops reading, or breaks the rules. Lives until gRPC is
// done with it; the engine may hold it longer, as a link that leads nowhere.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "common/mutex.h"
#include "grpcpp/grpcpp.h"
#include "hone/v1/fleet.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/site.h"

namespace hone::server {

class Attach : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
               public WorkerLink,
               public Ticked,
               public std::enable_shared_from_this<Attach> {
 public:
  /// gRPC owns the reactor that comes back.
  static Attach *start(Site &site, grpc::CallbackServerContext *context);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void send(v1::CoordinatorMessage message) override;
  void close() override;
  void tick(absl::Duration now) override;

  Attach(Site &site, grpc::CallbackServerContext *context);

 private:
  absl::Status take();
  void queue(const v1::CoordinatorMessage &message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void writeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void finish(const absl::Status &status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Site &site_;
  Call call_;
  std::shared_ptr<Attach> self_;  // until OnDone()
  grpc::ByteBuffer incoming_;

  Mutex mutex_;
  std::optional<SessionId> session_ ABSL_GUARDED_BY(mutex_);
  absl::Duration heard_ ABSL_GUARDED_BY(mutex_);
  std::deque<grpc::ByteBuffer> queue_ ABSL_GUARDED_BY(mutex_);
  bool isWriting_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> last_ ABSL_GUARDED_BY(mutex_);  // how to end once the queue is empty
  bool isFinished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ByteBuffer outgoing_;  // gRPC's while it is written
};

}  // namespace hone::server
