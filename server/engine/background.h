// A thread for what would keep the engine's waiting: hashing and removing files. Runs what it is given in order.
// Thread-safe. Owns its thread.
#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "common/mutex.h"

namespace hone::server {

class Background {
 public:
  Background() : thread_([this] { loop(); }) {}
  ~Background() { stop(); }
  Background(const Background &) = delete;
  Background &operator=(const Background &) = delete;

  /// After stop() \p work runs on the caller's thread, so that nobody waits for it in vain.
  void run(std::function<void()> work) {
    {
      const MutexLock lock(mutex_);
      if (!isStopping_) {
        work_.push_back(std::move(work));
        wake_.notifyOne();
        return;
      }
    }
    work();
  }

  /// Does what was given before, then ends the thread.
  void stop() {
    {
      const MutexLock lock(mutex_);
      isStopping_ = true;
      wake_.notifyOne();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void loop() {
    MutexLock lock(mutex_);
    while (true) {
      while (!isStopping_ && work_.empty()) wake_.wait(mutex_);
      if (work_.empty()) return;
      const std::function<void()> next = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }

  Mutex mutex_;
  Condition wake_;
  std::deque<std::function<void()>> work_ ABSL_GUARDED_BY(mutex_);
  bool isStopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses what is above
};

}  // namespace hone::server
