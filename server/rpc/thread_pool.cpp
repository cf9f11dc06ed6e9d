#include "server/rpc/thread_pool.h"

#include <utility>

namespace hone::server {

ThreadPool::ThreadPool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

ThreadPool::~ThreadPool() {
  {
    const MutexLock lock(mutex_);
    isEnding_ = true;
  }
  changed_.notifyAll();
  for (std::thread &thread : threads_) thread.join();
}

void ThreadPool::run(std::function<void()> job) {
  {
    const MutexLock lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notifyOne();
}

void ThreadPool::loop() {
  for (;;) {
    std::function<void()> job;
    {
      const MutexLock lock(mutex_);
      while (!isEnding_ && jobs_.empty()) changed_.wait(mutex_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace hone::server
