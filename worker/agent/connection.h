// One attempt at Fleet.Attach: a stream of messages both ways until it breaks. What arrives, and the end, go to the
// listener, which is called on gRPC's threads and must not block. Lives until its end was told, whoever lets go of it.
// Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/mutex.h"
#include "hone/v1/fleet.grpc.pb.h"

namespace hone::worker {

class Connection final : private grpc::ClientBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage> {
 public:
  struct Listener {
    std::function<void(v1::CoordinatorMessage)> received;
    std::function<void(grpc::Status)> ended;  ///< once, last
  };
  static std::shared_ptr<Connection> dial(v1::Fleet::Stub &stub, const std::string &name, Listener listener);

  /// Queues; messages go out in order.
  void send(v1::WorkerMessage message);
  /// Says that nothing more will be sent, after what is queued.
  void close();
  /// Ends it now; ended() follows.
  void cancel() { context_.TryCancel(); }

 private:
  explicit Connection(Listener listener) : listener_(std::move(listener)) {}
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status &status) override;
  void writeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Listener listener_;
  grpc::ClientContext context_;
  std::shared_ptr<Connection> self_;  ///< until OnDone
  v1::CoordinatorMessage incoming_;
  Mutex mutex_;
  std::deque<v1::WorkerMessage> queue_ ABSL_GUARDED_BY(mutex_);
  bool isWriting_ ABSL_GUARDED_BY(mutex_) = false;
  bool isClosing_ ABSL_GUARDED_BY(mutex_) = false;
  bool isClosed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hone::worker
