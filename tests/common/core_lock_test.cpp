// The agreement about cores: what others see, who gets what, and that nothing outlives who marked it.
#include "common/core_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <thread>
#include <vector>

#include "common/user_folder.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using Mark = CoreLock::Mark;

CoreSet coresFrom(std::initializer_list<size_t> cores) {
  CoreSet set;
  for (const size_t core : cores) set.set(core);
  return set;
}

class Cores : public testing::Test {
 protected:
  ~Cores() override { fs::remove_all(folder_); }
  CoreLock open() {
    auto lock = CoreLock::open(path_);
    EXPECT_TRUE(lock.ok()) << lock.status();
    return *std::move(lock);
  }
  static std::string makeFolder() {
    std::string folder = "/tmp/hone-cores-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    return folder;
  }
  const std::string folder_ = makeFolder();
  const std::string path_ = folder_ + "/cores";
};

TEST_F(Cores, AFolderThatEverybodyMayWriteIsRefused) {
  ASSERT_EQ(chmod(folder_.c_str(), 01777), 0);
  const auto lock = CoreLock::open(path_);
  EXPECT_EQ(lock.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(lock.status().message().find("may be written by everybody"), std::string::npos) << lock.status();
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(Cores, ALinkInItsPlaceIsNotFollowed) {
  fs::create_symlink(folder_ + "/elsewhere", path_);
  EXPECT_FALSE(CoreLock::open(path_).ok());
  EXPECT_FALSE(fs::exists(folder_ + "/elsewhere"));
  EXPECT_FALSE(CoreLock::open(folder_ + "/none/cores").ok());
}

TEST_F(Cores, NobodyNeedsToWriteTheFile) {
  const mode_t old = umask(0);
  open();
  umask(old);
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0644u);
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  const CoreLock one = open(), other = open();
  EXPECT_EQ(fcntl(one.descriptor(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_TRUE(one.claim(coresFrom({0, 1})));
  EXPECT_EQ(other.marked(Mark::Measuring), coresFrom({0, 1}));
}

TEST_F(Cores, OthersSeeExactlyWhatIsMarked) {
  const CoreLock one = open(), other = open(), third = open();
  const CoreSet cores = coresFrom({0, 3, 4, 5, 1023});
  for (const Mark mark : {Mark::Measuring, Mark::Building, Mark::Waiting}) {
    one.mark(mark, cores);
    EXPECT_EQ(other.marked(mark), cores);
    EXPECT_TRUE(one.marked(mark).none());
    third.mark(mark, coresFrom({4, 7}));
    EXPECT_EQ(other.marked(mark), cores | coresFrom({7}));
    EXPECT_EQ(one.marked(mark), coresFrom({4, 7}));
    third.mark(mark, {});
    one.mark(mark, coresFrom({3, 6}));
    EXPECT_EQ(other.marked(mark), coresFrom({3, 6}));
    one.mark(mark, {});
    EXPECT_TRUE(other.marked(mark).none());
    one.mark(mark, ~CoreSet());
    EXPECT_TRUE(other.marked(mark).all());
    for (const Mark another : {Mark::Measuring, Mark::Building, Mark::Waiting})
      EXPECT_EQ(other.marked(another).any(), another == mark);
    one.mark(mark, {});
  }
}

TEST_F(Cores, OneMeasuresOnACoreAndOthersOnOthers) {
  const CoreLock one = open(), other = open();
  EXPECT_TRUE(one.claim(coresFrom({0, 1, 2})));
  EXPECT_FALSE(other.claim(coresFrom({2, 3})));
  EXPECT_TRUE(one.marked(Mark::Measuring).none());
  EXPECT_TRUE(other.claim(coresFrom({3})));
}

TEST_F(Cores, WhoWaitsForATurnComesFirst) {
  const CoreLock builder = open(), measuring = open();
  builder.mark(Mark::Waiting, coresFrom({1}));
  EXPECT_FALSE(measuring.claim(coresFrom({0, 1})));
  EXPECT_TRUE(measuring.claim(coresFrom({0})));
}

TEST_F(Cores, OfManyAtOnceOneGetsThem) {
  constexpr int kRounds = 200;
  std::atomic<int> holders = 0, most = 0, total = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const CoreLock lock = open();
      for (int round = 0; round < kRounds;) {
        if (!lock.claim(coresFrom({5}))) continue;
        const int now = ++holders;
        if (now > 1) most = now;
        ++total;
        --holders;
        lock.mark(Mark::Measuring, {});
        ++round;
      }
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(most, 0);
  EXPECT_EQ(total, 4 * kRounds);
}

TEST_F(Cores, MarksEndWithTheProcessAndPassToItsChildren) {
  const CoreLock other = open();
  const CoreLock ours = open();
  ASSERT_TRUE(ours.claim(coresFrom({0})));
  const pid_t child = fork();
  if (child == 0) {
    const CoreLock own = open();
    own.mark(Mark::Building, coresFrom({9}));
    // What is inherited is the same one: the child lets go for both.
    const CoreLock inherited(Descriptor(dup(ours.descriptor())));
    if (inherited.marked(Mark::Measuring).none()) inherited.mark(Mark::Measuring, {});
    pause();
  }
  for (int i = 0; i < 1000 && other.marked(Mark::Measuring).any(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(other.marked(Mark::Measuring).none());
  EXPECT_EQ(other.marked(Mark::Building), coresFrom({9}));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(other.marked(Mark::Building).none());
}

TEST_F(Cores, AMeasurementDoesNotWaitForEver) {
  const CoreLock builder = open();
  builder.mark(Mark::Building, coresFrom({0}));
  const auto sleep = [](std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
    return false;
  };
  const CoreTimes times{.departure = std::chrono::milliseconds(100)};
  const auto late = Measurement::begin(open(), coresFrom({0}), sleep, times);
  EXPECT_EQ(late.status().code(), absl::StatusCode::kUnavailable) << late.status();
  EXPECT_TRUE(builder.marked(Mark::Measuring).none());
  int waits = 0;
  const auto cancelled = Measurement::begin(open(), coresFrom({0}), [&waits](auto) { return ++waits == 3; });
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(waits, 3);
  EXPECT_TRUE(builder.marked(Mark::Measuring).none());
  // For another measurement it waits longer than that.
  builder.mark(Mark::Building, {});
  builder.mark(Mark::Measuring, coresFrom({0}));
  waits = 0;
  const auto patient = Measurement::begin(
      open(), coresFrom({0}),
      [&](std::chrono::milliseconds time) {
        std::this_thread::sleep_for(time);
        if (++waits == 100) builder.mark(Mark::Measuring, {});
        return false;
      },
      times);
  EXPECT_TRUE(patient.ok()) << patient.status();
}

TEST(CoreSets, SiblingsAreAddedAndNothingIsLost) {
  const CoreSet cores = allowedCores();
  EXPECT_TRUE(cores.any());
  EXPECT_EQ(withSiblings(cores) & cores, cores);
  EXPECT_TRUE(withSiblings({}).none());
  EXPECT_EQ(withSiblings(withSiblings(cores)), withSiblings(cores));
}

TEST(CoreSets, AllThreadsOfAProcessAreMoved) {
  const CoreSet all = allowedCores();
  CoreSet one;
  one.set(all._Find_first());
  std::atomic<bool> isEnding = false;
  std::atomic<pid_t> thread = 0;
  std::thread idle([&] {
    thread = gettid();
    while (!isEnding) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  while (thread == 0) std::this_thread::yield();
  EXPECT_TRUE(moveProcess(getpid(), one));
  cpu_set_t set;
  for (const pid_t task : {getpid(), thread.load()}) {
    ASSERT_EQ(sched_getaffinity(task, sizeof set, &set), 0);
    EXPECT_EQ(CPU_COUNT(&set), 1);
  }
  EXPECT_TRUE(moveProcess(getpid(), all));
  EXPECT_EQ(allowedCores(), all);
  isEnding = true;
  idle.join();
  EXPECT_FALSE(moveProcess(0x7FFFFFF, one));
}

TEST_F(Cores, FoldersThatSomebodyHasPlantedAreRefused) {
  fs::create_directory(folder_ + "/real");
  fs::create_symlink(folder_ + "/real", folder_ + "/link");
  std::ofstream(folder_ + "/file") << "x";
  for (const std::string name : {"/link", "/file"}) {
    EXPECT_EQ(makePrivateFolder(folder_ + name).code(), absl::StatusCode::kUnavailable) << name;
    EXPECT_FALSE(checkOwnFolder(folder_ + name).ok()) << name;
  }
  ASSERT_EQ(chmod((folder_ + "/real").c_str(), 0750), 0);
  EXPECT_FALSE(makePrivateFolder(folder_ + "/real").ok());
  EXPECT_TRUE(checkOwnFolder(folder_ + "/real").ok());
  // It is refused, not mended: who has planted it may have it open.
  struct stat status{};
  ASSERT_EQ(stat((folder_ + "/real").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0750u);
  EXPECT_TRUE(makePrivateFolder(folder_ + "/new").ok());
  EXPECT_TRUE(makePrivateFolder(folder_ + "/new").ok());
  ASSERT_EQ(stat((folder_ + "/new").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  if (geteuid() == 0) {
    ASSERT_EQ(chown((folder_ + "/new").c_str(), 65534, 65534), 0);
    EXPECT_FALSE(makePrivateFolder(folder_ + "/new").ok());
    EXPECT_FALSE(checkOwnFolder(folder_ + "/new").ok());
  }
}

}  // namespace
}  // namespace hone
