// What all services share: the coordinator's parts, the limits, and the threads that may block. Built once by
// RpcServer; owned by it; its members are thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "server/base/clock.h"
#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/traffic_observer.h"
#include "server/engine/engine.h"
#include "server/kinds/kinds.h"
#include "server/rpc/thread_pool.h"
#include "server/rpc/ticker.h"
#include "server/store/blob_folder.h"
#include "server/store/store.h"

namespace hone::server {

/// Limits of the wire; the options table of hone-server says what each is for.
struct RpcLimits {
  int64_t maxBlobBytes = int64_t{16} << 30;
  int64_t maxChunkBytes = int64_t{1} << 20;
  int32_t maxDigests = 1000;                    ///< in one FindMissing
  int64_t leastUploadRate = int64_t{16} << 10;  ///< bytes per second, on the average of one grace
  absl::Duration uploadGrace = absl::Seconds(30);
  int32_t uploadsPerUser = 32;
  int64_t leastDownloadRate = int64_t{16} << 10;  ///< bytes per second, on the average of one grace
  absl::Duration downloadGrace = absl::Seconds(30);
  int32_t downloadsPerUser = 64;
  int32_t diskThreads = 4;
  int32_t readThreads = 4;
  int32_t listThreads = 2;
  int64_t memoryBytes = int64_t{512} << 20;  ///< that gRPC may use for what is under way
  int32_t maxUnsent = 4096;                  ///< messages that wait for one worker to read them
};

/// How much of the coordinator is used now: for the private one, which ends when it is not.
class Activity {
 public:
  explicit Activity(const Clock &clock) : clock_(clock), last_(clock.monotonic()) {}
  void begin() { ++active_; }
  void end();
  /// Since when no call has been under way; zero while one is.
  absl::Duration idle() const;

 private:
  const Clock &clock_;
  std::atomic<int64_t> active_{0};
  mutable Mutex mutex_;
  absl::Duration last_ ABSL_GUARDED_BY(mutex_);
};

/// Uploads under way, by user: their number is limited, and what they still need counts for quota and disk.
class UploadSlots {
 public:
  struct Limits {
    int32_t perUser;
    int64_t userBytes;  ///< of stored blobs and of uploads together
    int64_t reserveBytes;
  };
  explicit UploadSlots(Limits limits) : limits_(limits) {}
  /// RESOURCE_EXHAUSTED: too many at once, the quota, or the disk.
  absl::Status take(const std::string &user, int64_t bytes, int64_t storedBytes, int64_t freeBytes);
  /// The same without limits of a user's: for the results of jobs. Given back with the same name.
  absl::Status takeUnlimited(const std::string &name, int64_t bytes, int64_t freeBytes);
  void give(const std::string &user, int64_t bytes);
  /// RESOURCE_EXHAUSTED: \p bytes more in the database would take from the reserve, or from what is promised.
  absl::Status checkDisk(std::string_view what, int64_t bytes, int64_t freeBytes);

 private:
  absl::Status takeLocked(const std::string &user, int64_t bytes, int64_t freeBytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status checkDiskLocked(std::string_view what, int64_t bytes, int64_t freeBytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  struct Use {
    int32_t count = 0;
    int64_t bytes = 0;
  };
  const Limits limits_;
  Mutex mutex_;
  std::map<std::string, Use> users_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

/// Downloads under way, by user.
class DownloadSlots {
 public:
  explicit DownloadSlots(int32_t perUser) : perUser_(perUser) {}
  absl::Status take(const std::string &user);  ///< RESOURCE_EXHAUSTED: too many at once
  void give(const std::string &user);

 private:
  const int32_t perUser_;
  Mutex mutex_;
  std::map<std::string, int32_t> users_ ABSL_GUARDED_BY(mutex_);
};

/// Request ids for the calls that bring none. Started from a seed, so that those of two starts differ.
class RequestIds {
 public:
  explicit RequestIds(uint64_t seed) : next_(seed) {}
  std::string next() { return absl::StrCat("s-", absl::Hex(next_++, absl::kZeroPad16)); }

 private:
  std::atomic<uint64_t> next_;
};

struct Site {
  struct Parts {
    Engine *engine;
    Store *store;
    BlobFolder *blobs;
    const Kinds *kinds;
    const Clock *clock;
    const Log *log;
    TrafficObserver *traffic;
    Failpoints *failpoints;
  };

  Site(Parts parts, RpcLimits rpcLimits, Policy enginePolicy, std::string privateUserName, uint64_t seed)
      : engine(parts.engine),
        store(parts.store),
        blobs(parts.blobs),
        kinds(parts.kinds),
        clock(*parts.clock),
        log(*parts.log),
        traffic(*parts.traffic),
        failpoints(*parts.failpoints),
        limits(rpcLimits),
        policy(enginePolicy),
        privateUser(std::move(privateUserName)),
        startedMicros(parts.clock->wallMicros()),
        requestIds(seed),
        activity(*parts.clock),
        slots({rpcLimits.uploadsPerUser, enginePolicy.maxUserBytes, parts.blobs->reserveBytes()}),
        downloads(rpcLimits.downloadsPerUser),
        disk(rpcLimits.diskThreads),
        reads(rpcLimits.readThreads),
        lists(rpcLimits.listThreads),
        ticker(*parts.clock) {}

  bool isPrivate() const { return !privateUser.empty(); }

  Engine *const engine;
  Store *const store;
  BlobFolder *const blobs;
  const Kinds *const kinds;
  const Clock &clock;
  const Log &log;
  TrafficObserver &traffic;
  Failpoints &failpoints;
  const RpcLimits limits;
  const Policy policy;
  const std::string privateUser;  ///< as whom every caller of the private coordinator is seen; empty: it is not private
  std::string programs;           ///< of the private coordinator, as Capabilities has them
  const int64_t startedMicros;
  RequestIds requestIds;
  Activity activity;
  UploadSlots slots;
  DownloadSlots downloads;
  std::atomic<bool> isClosing{false};  ///< streams are being ended
  std::function<void(bool now)> stop;  ///< asks the process to end; of the private coordinator
  ThreadPool disk;                     ///< bytes of blobs
  ThreadPool reads;                    ///< the store, one thing at a time
  ThreadPool lists;                    ///< the store, many things: nobody else waits for these
  Ticker ticker;
};

}  // namespace hone::server
