// ThreadPool: the threads of a context. One parallel range runs at a time; a caller that finds the pool busy is told so
// and computes alone. Any thread may call; the caller takes part in the work.
//
// The range is split evenly: thread t owns the t-th contiguous part, which keeps its data in its caches from one
// range to the next, and hands it out in a few chunks. Whoever has finished its own part takes chunks of the others',
// so that a thread which is delayed (or still asleep) does not hold up the rest. The caller waits only for threads
// that have begun. Workers spin for a while after each range and then sleep.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace hone::runtime {

class ThreadPool {
 public:
  /// What is computed: pieces [begin, end) by thread \p thread of the pool (0 is the caller).
  using Function = void (*)(void *argument, int64_t begin, int64_t end, int thread);

  /// \p threads counts the caller. Throws std::system_error when threads cannot be had. With \p pin the calling thread
  /// and the workers are bound to one CPU each of the calling thread's affinity mask.
  ThreadPool(int threads, bool pin, std::chrono::microseconds spin);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return threads_; }

  /// Computes [0, extent) and returns when it is done, or returns false at once, having done nothing, when another
  /// thread uses the pool.
  bool tryRun(int64_t extent, Function function, void *argument);

 private:
  /// One thread's part of the range, on a cache line of its own.
  struct alignas(64) Part {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  void split(int64_t extent);
  void work(int thread);
  void publish();
  void finish();
  void workerLoop(int thread);
  uint64_t awaitRange(uint64_t seen);
  void shutDown();

  const int threads_;
  const std::chrono::microseconds spin_;
  std::vector<std::thread> workers_;

  // The current range; written by the caller while no worker is inside.
  Function function_ = nullptr;
  void *argument_ = nullptr;
  int64_t chunk_ = 1;
  std::unique_ptr<Part[]> parts_;

  /// Generation of the range (high 32 bits), whether workers may join (bit 31), how many are inside (the rest).
  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace hone::runtime
