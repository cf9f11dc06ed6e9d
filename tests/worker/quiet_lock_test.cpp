// The quiet lock: builders stand still while something is measured, and never afterwards.
#include "worker/agent/quiet_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>

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

TEST_F(Quiet, TheFileIsForEveryUser) {
  const mode_t old = umask(077);
  const QuietLock lock(path_);
  umask(old);
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0666u);
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
