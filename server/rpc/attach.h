// Fleet.Attach: the stream of one worker. What it says is checked and handed to the engine; what the engine sends waits
// in a queue of bounded length. Ends when the worker is silent, stops reading, or breaks the rules. Lives until gRPC is
// done with it; the engine may hold it longer, as a link that leads nowhere.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

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
  void queue(const v1::CoordinatorMessage &message);  // with the lock
  void writeNext();                                   // with the lock
  void finish(const absl::Status &status);            // with the lock

  Site &site_;
  Call call_;
  std::shared_ptr<Attach> self_;  // until OnDone()
  grpc::ByteBuffer incoming_;

  std::mutex mutex_;
  std::optional<SessionId> session_;
  absl::Duration heard_;
  std::deque<grpc::ByteBuffer> queue_;
  grpc::ByteBuffer outgoing_;
  bool isWriting_ = false;
  std::optional<absl::Status> last_;  // how to end once the queue is empty
  bool isFinished_ = false;
};

}  // namespace hone::server
