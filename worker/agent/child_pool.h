// Children in reserve: one idle child for each slot that is free, so that a lease begins in milliseconds. A thread of
// its own spawns them all, because children die with the thread that made them. Thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "worker/agent/child.h"
#include "worker/agent/log.h"
#include "worker/agent/quiet_lock.h"

namespace hone::worker {

class ChildPool {
 public:
  /// \p quiet and \p log outlive the pool. None is spawned for the reserve while the machine is to be quiet.
  ChildPool(ChildProgram program, const QuietLock &quiet, const Log &log);
  ~ChildPool();

  /// How many are to wait for work. What there is beyond that stays: a lease that has begun is about to take it.
  void keep(int idle);
  /// One for who needs it: from the reserve, or spawned now. UNAVAILABLE when none can be started.
  absl::StatusOr<std::unique_ptr<Child>> take();
  /// The same, with a log that says what confines it.
  absl::StatusOr<std::unique_ptr<Child>> takeTalkative();
  /// Ends \p child, whose work is done, a moment later and without its caller: the kernel takes milliseconds to let go
  /// of a process with a compiler's libraries, and whoever waits for the work's result needs the processor first.
  void endLater(std::unique_ptr<Child> child);
  /// Ends those at once, and waits for it: somebody is going to measure.
  void endNow();

 private:
  struct Order {  // guarded by mutex_ as soon as it is in orders_
    bool isTalkative = false;
    bool isDone = false;
    absl::StatusOr<std::unique_ptr<Child>> child = nullptr;
  };
  absl::StatusOr<std::unique_ptr<Child>> order(bool isTalkative);
  void work();
  /// What is to be done next, and when.
  enum class Step { Order, End, Spare, Nothing };
  std::pair<Step, std::chrono::steady_clock::time_point> next() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::unique_ptr<Child> spare() const;
  void stop();

  const ChildProgram program_;
  const QuietLock &quiet_;
  const Log &log_;
  Mutex mutex_;
  Condition changed_, done_;
  std::deque<std::unique_ptr<Child>> idle_ ABSL_GUARDED_BY(mutex_);
  std::deque<Order *> orders_ ABSL_GUARDED_BY(mutex_);
  struct Ending {
    std::unique_ptr<Child> child;
    std::chrono::steady_clock::time_point at;
  };
  std::deque<Ending> ending_ ABSL_GUARDED_BY(mutex_);  ///< the thread ends the first of them, and takes it out then
  size_t target_ ABSL_GUARDED_BY(mutex_) = 0;
  bool isEnding_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point lastEnd_ ABSL_GUARDED_BY(mutex_){};  ///< of a lease
  std::thread thread_;
};

}  // namespace hone::worker
