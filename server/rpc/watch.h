// Jobs.Watch: what has happened to a job, then what happens. The events are read from the store, the engine only says
// that there are new ones; progress is sent as it comes, the latest only if the client is slow. Lives until gRPC is
// done with it; the engine's threads may hold it a little longer.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "common/mutex.h"
#include "grpcpp/grpcpp.h"
#include "hone/v1/jobs.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/site.h"

namespace hone::server {

class Watch : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
              public JobWatcher,
              public Ticked,
              public std::enable_shared_from_this<Watch> {
 public:
  /// gRPC owns the reactor that comes back.
  static Watch *start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void changed() override;
  void progress(const v1::Progress &progress) override;
  void tick(absl::Duration now) override;

  Watch(Site &site, grpc::CallbackServerContext *context);

 private:
  void begin();      // on a reading thread
  void readStore();  // on a reading thread
  absl::Status readEvents();
  void writeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void finish(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Site &site_;
  Call call_;
  std::shared_ptr<Watch> self_;  // until OnDone()
  v1::WatchRequest request_;

  Mutex mutex_;
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;     // of the last event that was queued
  bool isReading_ ABSL_GUARDED_BY(mutex_) = false;   // a reading thread looks at the store
  bool hasChanged_ ABSL_GUARDED_BY(mutex_) = false;  // since it began
  bool isWriting_ ABSL_GUARDED_BY(mutex_) = false;
  bool isFinal_ ABSL_GUARDED_BY(mutex_) = false;  // the last message is queued
  bool isFinished_ ABSL_GUARDED_BY(mutex_) = false;
  bool isWatching_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<grpc::ByteBuffer> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Progress> progress_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer message_;  // until it is written
};

}  // namespace hone::server
