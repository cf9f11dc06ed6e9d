// The thread pool, and the number of threads: every piece once, whoever is late, busy or asleep.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "runtime/cpu.h"
#include "runtime/thread_pool.h"
#include "tests/runtime/sample_artifact.h"
#include "tests/support/patience.h"

namespace hone::runtime {
namespace {

struct Counts {
  explicit Counts(size_t extent) : pieces(extent) {}
  // Plain, not atomic: two threads in one piece are a race that ThreadSanitizer sees, and a wrong count here.
  std::vector<int> pieces;
  std::atomic<int> highestThread{0};
};

void count(void *argument, int64_t begin, int64_t end, int thread) {
  Counts &counts = *static_cast<Counts *>(argument);
  for (int64_t i = begin; i < end; ++i) ++counts.pieces[static_cast<size_t>(i)];
  int highest = counts.highestThread.load();
  while (thread > highest && !counts.highestThread.compare_exchange_weak(highest, thread)) {
  }
}

TEST(Pool, ComputesEveryPieceOnce) {
  test::TimeLimit limit;
  for (const int threads : {1, 2, 3, 5, 8}) {
    ThreadPool pool(threads, false, std::chrono::microseconds(20));
    for (const int64_t extent : {0, 1, 2, 3, 4, 7, 8, 31, 32, 33, 1000}) {
      Counts counts(static_cast<size_t>(extent));
      for (int run = 1; run <= 30; ++run) {
        ASSERT_TRUE(pool.tryRun(extent, count, &counts));
        limit.renew();
        for (const int pieces : counts.pieces) ASSERT_EQ(pieces, run) << threads << " threads, extent " << extent;
      }
      EXPECT_LT(counts.highestThread.load(), threads);
    }
  }
}

TEST(Pool, WakesWorkersThatSleep) {
  test::TimeLimit limit;
  ThreadPool pool(3, false, std::chrono::microseconds(0));
  struct Meeting {
    std::atomic<int> inside{0};
    std::atomic<bool> isMissed{false};
  };
  // Each piece waits until another thread has one too: only workers that wake can end this.
  const auto meet = [](void *argument, int64_t, int64_t, int) {
    Meeting &meeting = *static_cast<Meeting *>(argument);
    const auto end = test::Clock::now() + test::patience() / 2;
    ++meeting.inside;
    while (meeting.inside.load() < 2 && !meeting.isMissed.load()) {
      if (test::Clock::now() > end) meeting.isMissed = true;
      std::this_thread::yield();
    }
  };
  for (int run = 0; run < 50; ++run) {
    if (run % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    Meeting meeting;
    ASSERT_TRUE(pool.tryRun(2, meet, &meeting));
    ASSERT_FALSE(meeting.isMissed.load()) << "no other thread came";
    limit.renew();
  }
}

TEST(Pool, SaysThatItIsBusy) {
  const test::TimeLimit limit;
  ThreadPool pool(2, false, std::chrono::microseconds(20));
  struct State {
    ThreadPool &pool;
    std::atomic<int> refused{0};
  } state{pool};
  const auto nested = [](void *argument, int64_t begin, int64_t end, int) {
    State &state = *static_cast<State *>(argument);
    for (int64_t i = begin; i < end; ++i)
      if (!state.pool.tryRun(4, [](void *, int64_t, int64_t, int) {}, nullptr)) ++state.refused;
  };
  ASSERT_TRUE(pool.tryRun(10, nested, &state));
  EXPECT_EQ(state.refused.load(), 10);
}

TEST(Pool, IsUsedByManyCallersInTurn) {
  test::TimeLimit limit;
  ThreadPool pool(3, false, std::chrono::microseconds(5));
  std::atomic<int64_t> pieces{0}, busy{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int run = 0; run < 500; ++run) {
        Counts counts(64);
        limit.renew();
        if (pool.tryRun(64, count, &counts)) {
          for (const int times : counts.pieces) pieces += times;
        } else {
          ++busy;
        }
      }
    });
  }
  for (std::thread &caller : callers) caller.join();
  EXPECT_EQ(pieces.load(), (int64_t{4} * 500 - busy.load()) * 64);
}

TEST(Pool, EndsWhileItsWorkersSpinOrSleep) {
  test::TimeLimit limit;
  for (int run = 0; run < 50; ++run) {
    ThreadPool(4, run % 2 == 0, std::chrono::microseconds(run % 3 * 100));
    limit.renew();
  }
}

/// A made-up /proc and /sys.
class Cgroup : public testing::Test {
 protected:
  void put(const std::string &path, const std::string &content) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    test::writeFile(root_ + path, content);
  }
  const std::string root_ = test::temporaryFolder();
};

TEST_F(Cgroup, NoneMeansNoLimit) {
  EXPECT_EQ(cgroupThreads(root_), 0);
  put("/proc/self/cgroup", "0::/a/b\n");
  EXPECT_EQ(cgroupThreads(root_), 0);
  put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroupThreads(root_), 0);
  put("/sys/fs/cgroup/a/b/cpu.max", "nonsense\n");
  EXPECT_EQ(cgroupThreads(root_), 0);
}

TEST_F(Cgroup, SmallestQuotaOfVersionTwoCounts) {
  put("/proc/self/cgroup", "0::/a/b\n");
  put("/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(cgroupThreads(root_), 4);
  put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroupThreads(root_), 2) << "1.5 CPUs need two threads";
  put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroupThreads(root_), 1);
  EXPECT_EQ(availableThreads(root_), 1);
}

TEST_F(Cgroup, QuotaOfVersionOneCounts) {
  put("/proc/self/cgroup", "5:memory:/x\n3:cpuset:/y\n4:cpu,cpuacct:/docker/1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroupThreads(root_), 0);
  put("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(cgroupThreads(root_), 3);
  // In a container the path of the host is not there, but the root of the mount is the group's own.
  put("/proc/self/cgroup", "4:cpu:/elsewhere\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroupThreads(root_), 2);
}

}  // namespace
}  // namespace hone::runtime
