// A thread for what would keep the engine's waiting: hashing and removing files. Runs what it is given in order.
// Thread-safe. Owns its thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

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
      const std::lock_guard lock(mutex_);
      if (!isStopping_) {
        work_.push_back(std::move(work));
        wake_.notify_one();
        return;
      }
    }
    work();
  }

  /// Does what was given before, then ends the thread.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      isStopping_ = true;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return isStopping_ || !work_.empty(); });
      if (work_.empty()) return;
      const std::function<void()> next = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  bool isStopping_ = false;
  std::thread thread_;  // last: it uses what is above
};

}  // namespace hone::server
