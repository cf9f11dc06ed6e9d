// A mutex whose discipline the compiler checks: what is ABSL_GUARDED_BY(mutex_) is touched only with the lock held,
// what needs it says ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_), and clang refuses the rest (-Wthread-safety), but for what
// constructors and destructors do: clang does not look into them, so that locks are taken elsewhere. It is the
// standard library's mutex inside: that one has no annotations, and the thread sanitizer does not see into absl::Mutex
// where the system's library was built without it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"

namespace hone {

class ABSL_LOCKABLE Mutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

/// Holds a mutex as long as it lives, but for what comes between unlock() and lock().
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex &mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_.lock(); }
  MutexLock(const MutexLock &) = delete;
  MutexLock &operator=(const MutexLock &) = delete;
  ~MutexLock() ABSL_UNLOCK_FUNCTION() {
    if (isHeld_) mutex_.unlock();
  }

  void unlock() ABSL_UNLOCK_FUNCTION() {
    isHeld_ = false;
    mutex_.unlock();
  }
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    mutex_.lock();
    isHeld_ = true;
  }

 private:
  Mutex &mutex_;
  bool isHeld_ = true;
};

/// Waits are written as loops around what is waited for: the analysis does not see into a predicate.
class Condition {
 public:
  void notifyOne() { condition_.notify_one(); }
  void notifyAll() { condition_.notify_all(); }

  void wait(Mutex &mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False: it is \p end.
  bool waitUntil(Mutex &mutex, std::chrono::steady_clock::time_point end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool isWoken = condition_.wait_until(lock, end) == std::cv_status::no_timeout;
    lock.release();
    return isWoken;
  }

 private:
  std::condition_variable condition_;
};

}  // namespace hone
