// The quiet lock: builders leave the cores on which something is measured, come back afterwards, and never starve.
#include "worker/agent/quiet_lock.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/runtime/sample_artifact.h"
#include "tests/worker/worker_program.h"

namespace hone::worker {
namespace {

class Sleeper {
 public:
  Sleeper() {
    char name[] = "/bin/sleep", time[] = "600";
    char *arguments[] = {name, time, nullptr};
    EXPECT_EQ(posix_spawn(&pid_, name, nullptr, nullptr, arguments, environ), 0);
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool isStopped() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string number, name, state;
    file >> number >> name >> state;
    return state == "T";
  }

 private:
  pid_t pid_ = -1;
};

/// A process that computes for so long, and ends.
class Worker {
 public:
  explicit Worker(double seconds) : pid_(fork()) {
    if (pid_ != 0) return;
    timespec used{};
    while (used.tv_sec + used.tv_nsec * 1e-9 < seconds) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    _exit(0);
  }
  ~Worker() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool hasEnded(double seconds) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    for (;;) {
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
        return true;
      if (std::chrono::steady_clock::now() >= end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

 private:
  pid_t pid_;
};

class Quiet : public testing::Test {
 protected:
  const std::string path_ = test::temporaryFolder() + "/quiet.lock";
  Cancellation never_;
};

TEST_F(Quiet, StopsBuildersOfAnyWorkerWhileItLasts) {
  QuietLock one(path_), other(path_);
  const Sleeper sleeper, late;
  const QuietLock::Builder builder(one, sleeper.pid());
  for (int round = 0; round < 3; ++round) {
    {
      const auto quiet = other.measure(never_);
      ASSERT_TRUE(quiet.ok());
      EXPECT_TRUE(one.isWanted());
      // One that was there is still by now; one that comes later is stopped soon.
      const QuietLock::Builder second(other, late.pid());
      EXPECT_TRUE(test::eventually([&] { return sleeper.isStopped() && late.isStopped(); }));
    }
    EXPECT_TRUE(test::eventually([&] { return !sleeper.isStopped() && !late.isStopped(); }));
    EXPECT_FALSE(one.isWanted());
  }
}

TEST_F(Quiet, IsHeldByOneAtATime) {
  QuietLock lock(path_);
  auto first = lock.measure(never_);
  ASSERT_TRUE(first.ok());
  Cancellation soon;
  std::thread canceller([&soon] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    soon.cancel();
  });
  EXPECT_EQ(lock.measure(soon).status().code(), absl::StatusCode::kCancelled);
  canceller.join();
  first = absl::UnknownError("let go");
  EXPECT_TRUE(lock.measure(never_).ok());
}

TEST_F(Quiet, AnEndedWorkerLeavesNobodyStopped) {
  const Sleeper sleeper;
  QuietLock other(path_);
  const auto quiet = other.measure(never_);
  {
    QuietLock one(path_);
    const QuietLock::Builder builder(one, sleeper.pid());
    EXPECT_TRUE(test::eventually([&] { return sleeper.isStopped(); }));
  }
  EXPECT_TRUE(test::eventually([&] { return !sleeper.isStopped(); }));
}

TEST_F(Quiet, ShortMeasurementsWithoutAPauseDoNotStarveABuilder) {
  QuietLock lock(path_), other(path_);
  const Worker worker(1);
  const QuietLock::Builder builder(lock, worker.pid());
  std::atomic<bool> isEnding = false;
  int rounds = 0;
  std::thread measuring([&] {
    for (; !isEnding; ++rounds) {
      {
        const auto quiet = other.measure(never_);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
  });
  EXPECT_TRUE(worker.hasEnded(60));
  isEnding = true;
  measuring.join();
  // Nor does the builder keep others from measuring.
  EXPECT_GE(rounds, 3);
}

CoreSet coresOf(pid_t process) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CoreSet cores;
  if (sched_getaffinity(process, sizeof set, &set) != 0) return cores;
  for (size_t core = 0; core < kMostCores; ++core) cores[core] = CPU_ISSET(core, &set) != 0;
  return cores;
}

bool sleepABit(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time);
  return false;
}

absl::StatusOr<Measurement> measureOn(const std::string &path, const CoreSet &cores, CoreTimes times = {}) {
  auto lock = CoreLock::open(path);
  if (!lock.ok()) return lock.status();
  return Measurement::begin(*std::move(lock), cores, sleepABit, times);
}

TEST_F(Quiet, BuildersGoOnWhereNothingIsMeasured) {
  const CoreSet all = allowedCores();
  if (all.count() < 2) GTEST_SKIP() << "there is one core";
  QuietLock lock(path_);
  const Sleeper sleeper, late;
  const QuietLock::Builder builder(lock, sleeper.pid());
  CoreSet measured;
  measured.set(all._Find_first());
  {
    const auto measurement = measureOn(path_, measured);
    ASSERT_TRUE(measurement.ok()) << measurement.status();
    // It has begun only now that the builder is away.
    EXPECT_EQ(coresOf(sleeper.pid()), all & ~measured);
    const QuietLock::Builder second(lock, late.pid());
    EXPECT_TRUE(test::eventually([&] { return coresOf(late.pid()) == (all & ~measured); }));
    EXPECT_FALSE(sleeper.isStopped() || late.isStopped());
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_GT(builder.lost(), std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(test::eventually([&] { return coresOf(sleeper.pid()) == all; }));
}

TEST_F(Quiet, AMeasurementOnOtherCoresDisturbsNobody) {
  const CoreSet all = allowedCores();
  if (all.count() < 2) GTEST_SKIP() << "there is one core";
  CoreSet first;
  first.set(all._Find_first());
  QuietLock lock(path_, first);
  const Sleeper sleeper;
  const QuietLock::Builder builder(lock, sleeper.pid());
  const auto measurement = measureOn(path_, all & ~first);
  ASSERT_TRUE(measurement.ok());
  EXPECT_FALSE(lock.isWanted());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(coresOf(sleeper.pid()), all);
  EXPECT_EQ(builder.lost(), QuietLock::Duration());
}

TEST_F(Quiet, ALongMeasurementRestsForBuilders) {
  const CoreTimes times{.patience = std::chrono::milliseconds(200), .turn = std::chrono::milliseconds(300)};
  QuietLock lock(path_, allowedCores(), times);
  const Worker worker(0.4);
  const QuietLock::Builder builder(lock, worker.pid());
  auto measurement = measureOn(path_, allowedCores(), times);
  ASSERT_TRUE(measurement.ok());
  int rests = 0;
  std::chrono::steady_clock::duration measured{};
  for (int run = 0; run < 1000; ++run) {
    const auto start = std::chrono::steady_clock::now();
    if (worker.hasEnded(0.005)) break;
    measured += std::chrono::steady_clock::now() - start;
    rests += measurement->rest() ? 1 : 0;
  }
  EXPECT_TRUE(worker.hasEnded(0));
  EXPECT_GE(rests, 1);
  // As many as it takes, and not a rest between any two runs: a builder is patient first.
  EXPECT_LE(rests, 1 + measured / times.patience);
}

TEST_F(Quiet, AMeasurementThatNeverRestsDoesNotStarveABuilder) {
  const CoreTimes times{.patience = std::chrono::milliseconds(50),
                        .turn = std::chrono::milliseconds(100),
                        .force = std::chrono::milliseconds(200)};
  QuietLock lock(path_, allowedCores(), times);
  const Worker worker(0.3);
  const auto measurement = measureOn(path_, allowedCores(), times);
  const QuietLock::Builder builder(lock, worker.pid());
  EXPECT_TRUE(worker.hasEnded(60));
  EXPECT_GE(builder.lost(), std::chrono::milliseconds(200));
}

TEST_F(Quiet, ATurnIsNotCutShort) {
  const CoreTimes times{.patience = std::chrono::milliseconds(100), .turn = std::chrono::milliseconds(500)};
  QuietLock lock(path_, allowedCores(), times);
  const Sleeper sleeper;
  const QuietLock::Builder builder(lock, sleeper.pid());
  {
    const auto measurement = measureOn(path_, allowedCores(), times);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_TRUE(sleeper.isStopped());
  }
  EXPECT_TRUE(test::eventually([&] { return !sleeper.isStopped(); }));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(measureOn(path_, allowedCores(), times).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(300));
}

TEST_F(Quiet, TheTimeThatIsLostIsNotTheWorks) {
  QuietLock lock(path_);
  const Sleeper sleeper;
  const QuietLock::Builder builder(lock, sleeper.pid());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(builder.lost(), QuietLock::Duration());
  const auto start = std::chrono::steady_clock::now();
  {
    const auto measurement = measureOn(path_, allowedCores());
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  EXPECT_TRUE(test::eventually([&] { return !sleeper.isStopped(); }));
  EXPECT_GE(builder.lost(), std::chrono::milliseconds(200));
  EXPECT_LE(builder.lost(), std::chrono::steady_clock::now() - start);
  const QuietLock::Builder later(lock, sleeper.pid());
  EXPECT_EQ(later.lost(), QuietLock::Duration());
}

TEST_F(Quiet, WithoutTheFileEverythingGoesOn) {
  QuietLock lock("/no/such/folder/lock");
  EXPECT_FALSE(lock.state().ok());
  const Sleeper sleeper;
  const QuietLock::Builder builder(lock, sleeper.pid());
  EXPECT_TRUE(lock.measure(never_).ok());
  EXPECT_FALSE(sleeper.isStopped());
}

}  // namespace
}  // namespace hone::worker
