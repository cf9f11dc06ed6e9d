// This worker's part in the agreement about the machine's cores (common/core_lock.h): its children that build leave the
// cores on which something is measured, and stand still if those are all they have; but never for long.
//
// Thread-safe. Without the file (it cannot be opened) everything goes on without quiet; state() tells.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/core_lock.h"
#include "common/mutex.h"
#include "worker/agent/cancellation.h"

namespace hone::worker {

class QuietLock {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// \p path: where the file is, or why there is none. \p cores: those of this worker.
  explicit QuietLock(const absl::StatusOr<std::filesystem::path> &path, const CoreSet &cores = allowedCores(),
                     CoreTimes times = {});
  ~QuietLock();

  const absl::Status &state() const { return state_; }

  /// Whether somebody measures on our cores.
  bool isWanted() const;

  /// Holds our cores quiet while it lives. Without the file: none.
  using Quiet = std::optional<Measurement>;
  /// Waits for other measurements to end and builders to leave. CANCELLED when \p cancellation ended the wait.
  absl::StatusOr<Quiet> measure(const Cancellation &cancellation);

  /// While it lives, the process \p child is a builder. Ends before the child is waited for: until then its number
  /// means no other process.
  class Builder {
   public:
    Builder(QuietLock &lock, pid_t child);
    Builder(const Builder &) = delete;
    Builder &operator=(const Builder &) = delete;
    ~Builder();
    /// How long it stood still for others since it began; time on a part of its cores counts in part. It is not the
    /// work's.
    Duration lost() const;

   private:
    QuietLock &lock_;
    pid_t child_;
    Duration lostBefore_;
  };

 private:
  /// \p child is a builder from now on. Returns what lost() is then.
  Duration add(pid_t child);
  void remove(pid_t child);
  Duration lost() const;  ///< of all builders, since we began
  void watch();
  void stop();
  void look(Duration sinceLast) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void occupy() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void beginTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void leave(const CoreSet &measured) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void place(pid_t child) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void placeAll() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::filesystem::path path_;
  const CoreSet cores_;          ///< that we build on
  const CoreSet measuredCores_;  ///< of our measurements: what shares a physical core with ours, too
  const CoreTimes times_;
  absl::Status state_;
  std::optional<CoreLock> file_;  ///< of the builders
  mutable Mutex mutex_;
  Condition changed_;
  std::set<pid_t> children_ ABSL_GUARDED_BY(mutex_);
  CoreSet taken_ ABSL_GUARDED_BY(mutex_);           ///< the part of cores_ on which the children are
  bool isWaiting_ ABSL_GUARDED_BY(mutex_) = false;  ///< for a turn
  Duration stoodStill_ ABSL_GUARDED_BY(mutex_){};   ///< since the last turn
  Duration atAStretch_ ABSL_GUARDED_BY(mutex_){};   ///< stands still now for so long
  std::chrono::steady_clock::time_point turnUntil_ ABSL_GUARDED_BY(mutex_){};
  Duration lost_ ABSL_GUARDED_BY(mutex_){};
  bool isEnding_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watcher_;
};

}  // namespace hone::worker
