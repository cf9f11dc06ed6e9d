// Asks one lease's work to end, from whatever it is doing: waiting in poll(), in a call to the coordinator, or in a
// loop. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>

#include "common/descriptor.h"
#include "common/mutex.h"

namespace hone::worker {

class Cancellation {
 public:
  Cancellation();
  Cancellation(const Cancellation &) = delete;
  Cancellation &operator=(const Cancellation &) = delete;

  void cancel();
  bool isCancelled() const { return isCancelled_; }
  /// Readable once cancelled.
  int descriptor() const { return event_.get(); }
  /// Sleeps; true when cancelled.
  bool waitFor(int milliseconds) const;

  /// While it lives, cancel() calls \p action (at once, if it has been called already).
  class Hook {
   public:
    Hook(Cancellation &cancellation, std::function<void()> action);
    Hook(const Hook &) = delete;
    Hook &operator=(const Hook &) = delete;
    ~Hook();

   private:
    Cancellation &cancellation_;
  };

 private:
  void add(const Hook *hook, std::function<void()> action);
  void remove(const Hook *hook);

  std::atomic<bool> isCancelled_{false};
  const Descriptor event_;
  Mutex mutex_;
  std::map<const Hook *, std::function<void()>> hooks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hone::worker
