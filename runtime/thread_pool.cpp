#include "runtime/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>

namespace hone::runtime {
namespace {

constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kInside = kOpen - 1;
/// Chunks per thread: enough to even out delays, few enough that the counters are not felt.
constexpr int64_t kChunksPerThread = 4;
/// Pauses between looks at the clock.
constexpr int kPausesPerLook = 64;
/// Pauses before a waiting caller offers its CPU to the worker that it waits for.
constexpr int kPausesBeforeYield = 4096;

inline void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

uint32_t generation(uint64_t state) { return static_cast<uint32_t>(state >> 32); }

/// Binds \p thread to the \p position-th CPU of \p allowed, counted round robin. Failing is no error: pinning is a
/// wish.
void pinThread(pthread_t thread, const cpu_set_t &allowed, int position) {
  const int count = CPU_COUNT(&allowed);
  if (count == 0) return;
  int left = position % count;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || left-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(thread, sizeof(one), &one);
    return;
  }
}

}  // namespace

ThreadPool::ThreadPool(int threads, bool pin, std::chrono::microseconds spin)
    : threads_(std::max(1, threads)), spin_(spin), parts_(std::make_unique<Part[]>(static_cast<size_t>(threads_))) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool canPin = pin && sched_getaffinity(0, sizeof(allowed), &allowed) == 0;
  try {
    for (int thread = 1; thread < threads_; ++thread) {
      workers_.emplace_back([this, thread] { workerLoop(thread); });
      if (canPin) pinThread(workers_.back().native_handle(), allowed, thread);
    }
  } catch (...) {
    shutDown();
    throw;
  }
  if (canPin) pinThread(pthread_self(), allowed, 0);
}

ThreadPool::~ThreadPool() { shutDown(); }

void ThreadPool::shutDown() {
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread &worker : workers_) worker.join();
}

bool ThreadPool::tryRun(int64_t extent, Function function, void *argument) {
  if (threads_ == 1 || extent <= 1) {
    // Nothing is shared, so the pool need not be free.
    if (extent > 0) function(argument, 0, extent, 0);
    return true;
  }
  if (busy_.exchange(true, std::memory_order_acquire)) return false;
  function_ = function;
  argument_ = argument;
  split(extent);
  publish();
  work(0);
  finish();
  busy_.store(false, std::memory_order_release);
  return true;
}

void ThreadPool::split(int64_t extent) {
  const int64_t share = extent / threads_, rest = extent % threads_;
  chunk_ = std::max<int64_t>(1, share / kChunksPerThread);
  int64_t begin = 0;
  for (int thread = 0; thread < threads_; ++thread) {
    const int64_t end = begin + share + (thread < rest ? 1 : 0);
    parts_[thread].next.store(begin, std::memory_order_relaxed);
    parts_[thread].end = end;
    begin = end;
  }
}

void ThreadPool::publish() {
  const uint64_t next = (static_cast<uint64_t>(generation(state_.load(std::memory_order_relaxed)) + 1u) << 32) | kOpen;
  // Sequentially consistent, like the sleeper's: either it sees the new range or we see that it sleeps.
  state_.store(next);
  if (sleeping_.load() == 0) return;
  {
    const std::lock_guard lock(mutex_);
  }
  wake_.notify_all();
}

void ThreadPool::work(int thread) {
  for (int offset = 0; offset < threads_; ++offset) {
    const int owner = thread + offset < threads_ ? thread + offset : thread + offset - threads_;
    Part &part = parts_[owner];
    while (part.next.load(std::memory_order_relaxed) < part.end) {
      const int64_t begin = part.next.fetch_add(chunk_, std::memory_order_relaxed);
      if (begin >= part.end) break;
      function_(argument_, begin, std::min(begin + chunk_, part.end), thread);
    }
  }
}

void ThreadPool::finish() {
  // All chunks are handed out: nobody needs to join any more, and those inside finish what they hold.
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int pauses = 0; (state_.load(std::memory_order_acquire) & kInside) != 0; ++pauses) {
    pauseCpu();
    if (pauses > kPausesBeforeYield) sched_yield();
  }
}

void ThreadPool::workerLoop(int thread) {
  uint64_t seen = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    uint64_t state = awaitRange(seen);
    seen = generation(state);
    while ((state & kOpen) != 0 && generation(state) == seen) {
      if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        continue;
      work(thread);
      state_.fetch_sub(1, std::memory_order_release);
      break;
    }
  }
}

/// Returns the state once its generation is not \p seen (or the pool is going away).
uint64_t ThreadPool::awaitRange(uint64_t seen) {
  const auto deadline = std::chrono::steady_clock::now() + spin_;
  for (int pauses = 1;; ++pauses) {
    const uint64_t state = state_.load(std::memory_order_acquire);
    if (generation(state) != seen || stop_.load(std::memory_order_relaxed)) return state;
    pauseCpu();
    if (pauses % kPausesPerLook == 0 && std::chrono::steady_clock::now() >= deadline) break;
  }
  std::unique_lock lock(mutex_);
  sleeping_.fetch_add(1);
  wake_.wait(lock, [&] { return generation(state_.load()) != seen || stop_.load(); });
  sleeping_.fetch_sub(1);
  return state_.load(std::memory_order_acquire);
}

}  // namespace hone::runtime
