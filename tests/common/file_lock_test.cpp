// Descriptors and locks between processes.
#include "common/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <utility>

namespace hone {
namespace {

namespace fs = std::filesystem;

class Locks : public testing::Test {
 protected:
  Locks() { EXPECT_NE(mkdtemp(folder_.data()), nullptr); }
  ~Locks() override { fs::remove_all(folder_); }
  std::string folder_ = "/tmp/hone-lock-XXXXXX";
};

bool isOpen(int number) { return fcntl(number, F_GETFD) >= 0; }

TEST_F(Locks, ADescriptorIsClosedOnceWhateverIsMoved) {
  auto first = Descriptor::open(folder_, O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(first.ok());
  const int number = first->get();
  EXPECT_NE(fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
  Descriptor second(std::move(*first));
  EXPECT_FALSE(first->isOpen());
  EXPECT_TRUE(isOpen(number));
  auto copy = second.copy(40);
  ASSERT_TRUE(copy.ok());
  EXPECT_GE(copy->get(), 40);
  EXPECT_NE(fcntl(copy->get(), F_GETFD) & FD_CLOEXEC, 0);
  // What was held before is closed at once, not when the other one ends.
  const int copied = copy->get();
  second = *std::move(copy);
  EXPECT_FALSE(isOpen(number));
  Descriptor &same = second;
  second = std::move(same);
  EXPECT_TRUE(isOpen(copied));
  second.reset();
  EXPECT_FALSE(isOpen(copied));
}

TEST_F(Locks, FailuresNameTheFileAndTheReason) {
  const auto missing = Descriptor::open(folder_ + "/none", O_RDONLY);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(), "cannot open '" + folder_ + "/none': No such file or directory");
  EXPECT_FALSE(FileLock::attempt(folder_ + "/none/lock").ok());
  // A planted link must not make us lock, or create, a file of somebody's choice.
  ASSERT_EQ(symlink("elsewhere", (folder_ + "/lock").c_str()), 0);
  EXPECT_FALSE(FileLock::attempt(folder_ + "/lock").ok());
  EXPECT_FALSE(FileLock::wait(folder_ + "/lock").ok());
  EXPECT_FALSE(fs::exists(folder_ + "/elsewhere"));
}

TEST_F(Locks, OneHoldsItAndTheNextGetsItAtTheEnd) {
  const std::string path = folder_ + "/lock";
  auto held = FileLock::attempt(path);
  ASSERT_TRUE(held.ok() && held->has_value());
  EXPECT_FALSE(FileLock::attempt(path)->has_value());
  FileLock moved = *std::move(*held);
  EXPECT_FALSE((*held)->isHeld());
  held->reset();
  EXPECT_FALSE(FileLock::attempt(path)->has_value());
  bool hasIt = false;
  std::thread waiting([&] { hasIt = FileLock::wait(path).ok(); });
  {
    const FileLock ending = std::move(moved);
  }
  waiting.join();
  EXPECT_TRUE(hasIt);
  EXPECT_TRUE(FileLock::attempt(path)->has_value());
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077, 0u);
}

}  // namespace
}  // namespace hone
