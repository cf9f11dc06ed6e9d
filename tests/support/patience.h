// How long a test waits for what is to happen at once. What is broken takes for ever, and is to be known within
// seconds; a machine with much else to do takes long now and then. So it is the single wait that has a limit, not the
// test; where other processes are waited for, the time counts in which they have nothing to do; and what has failed
// once is hardly waited for again.
//
//   for (IdleTime idle(isBusy); !holds(); sleepALittle()) if (idle.isUp()) return false;
//   TimeLimit limit;                 // where nothing of ours can give up waiting, such as a join
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hone::test {

using Clock = std::chrono::steady_clock;

inline Clock::duration patience() {
  return ::testing::Test::HasFailure() ? std::chrono::milliseconds(500) : std::chrono::seconds(6);
}

/// The threads of a process, as folders of /proc; none once it has ended.
inline std::vector<std::filesystem::path> threadsOf(pid_t pid) {
  std::vector<std::filesystem::path> threads;
  std::error_code error;
  // Its own ++ would throw when the process ends meanwhile.
  for (std::filesystem::directory_iterator thread("/proc/" + std::to_string(pid) + "/task", error), end;
       !error && thread != end; thread.increment(error))
    threads.push_back(thread->path());
  return threads;
}

/// Whether a thread of the process runs, would run if a processor were free, or waits for a disk.
inline bool isBusy(pid_t pid) {
  for (const auto &thread : threadsOf(pid)) {
    std::ifstream file(thread / "stat");
    std::string text;
    // Empty when the thread ended meanwhile; a stream's buffer, read by itself, would throw.
    std::getline(file, text, '\0');
    // Behind the name, which may hold anything.
    const size_t state = text.rfind(')') + 2;
    if (state < text.size() && (text[state] == 'R' || text[state] == 'D')) return true;
  }
  return false;
}

/// The time in which whoever is waited for has nothing to do. To be asked every few milliseconds; one thread.
class IdleTime {
 public:
  explicit IdleTime(std::function<bool()> isBusy) : isBusy_(std::move(isBusy)) {}
  /// Whether it is more than patience() and \p more.
  bool isUp(Clock::duration more = {}) {
    constexpr Clock::duration kMostBetween = std::chrono::milliseconds(100);
    const auto now = Clock::now();
    if (!isBusy_()) idle_ += std::min(now - last_, kMostBetween);
    last_ = now;
    return idle_ > patience() + more;
  }

 private:
  const std::function<bool()> isBusy_;
  Clock::time_point last_ = Clock::now();
  Clock::duration idle_{};
};

/// Ends the program when it lives for longer than patience(), which renew() begins again. Thread-safe.
class TimeLimit {
 public:
  TimeLimit() : thread_([this] { watch(); }) {}
  TimeLimit(const TimeLimit &) = delete;
  TimeLimit &operator=(const TimeLimit &) = delete;
  ~TimeLimit() {
    {
      const std::lock_guard lock(mutex_);
      isOver_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void renew() {
    const std::lock_guard lock(mutex_);
    ++renewals_;
    changed_.notify_all();
  }

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    while (!isOver_) {
      const int seen = renewals_;
      if (changed_.wait_for(lock, patience(), [&] { return isOver_ || renewals_ != seen; })) continue;
      const auto *test = ::testing::UnitTest::GetInstance()->current_test_info();
      fprintf(stderr, "%s.%s waits in vain\n", test ? test->test_suite_name() : "?", test ? test->name() : "?");
      std::_Exit(1);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int renewals_ = 0;
  bool isOver_ = false;
  std::thread thread_;  // last, as it uses the rest
};

}  // namespace hone::test
