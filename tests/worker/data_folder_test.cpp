// Where a worker keeps its files: nowhere where somebody else could have been first.
#include "worker/agent/data_folder.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/runtime/sample_artifact.h"
#include "worker/agent/options.h"

namespace hone::worker {
namespace {

namespace fs = std::filesystem;

TEST(DataFolders, WithoutHomeItIsTheAccountsAndNotOneThatAnybodyMayMake) {
  const std::string home = getenv("HOME") == nullptr ? "" : getenv("HOME");
  unsetenv("HOME");
  unsetenv("XDG_CACHE_HOME");
  std::string words[] = {"hone-worker", "--server", "localhost:1", "--key", "k", "--name", "n"};
  std::vector<char *> arguments;
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const auto options = readOptions(7, arguments.data(), false);
  setenv("HOME", home.c_str(), 1);
  ASSERT_TRUE(options.ok()) << options.status();
  const passwd *account = getpwuid(getuid());
  if (account == nullptr) GTEST_SKIP() << "this user has no account";
  EXPECT_EQ(options->data, std::string(account->pw_dir) + "/.cache/hone/worker-n");
}

TEST(Memory, IsSharedByAllThatMayBeDoneAtOnce) {
  const auto read = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"hone-worker", "--server", "localhost:1", "--key", "k", "--data", "/d"});
    std::vector<char *> arguments;
    for (std::string &word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    return readOptions(static_cast<int>(words.size()), arguments.data(), true);
  };
  const uint64_t all = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  EXPECT_EQ(read({"--slots", "4", "--roles", "builder"})->childMemoryBytes, all / 4);
  EXPECT_EQ(read({"--slots", "4", "--roles", "builder,device"})->childMemoryBytes, all / 5);
  EXPECT_EQ(read({"--roles", "device"})->childMemoryBytes, all);
  EXPECT_EQ(read({"--child-memory", "3GiB"})->childMemoryBytes, uint64_t{3} << 30);
  // Not more slots than have memory to work with.
  EXPECT_LE(read({})->slots, std::max<uint64_t>(1, all >> 31));
}

class Planted : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can make what belongs to another user";
    fs::create_directories(victim_ + "/work");
    std::ofstream(fs::path(victim_) / "work" / "precious") << "x";
    ASSERT_EQ(chmod(victim_.c_str(), 0755), 0);
  }
  void expectRefused(const std::string &path, const std::string &why) {
    const auto folder = DataFolder::open(path);
    EXPECT_EQ(folder.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(folder.status().message().find(why), std::string::npos) << folder.status();
    struct stat status{};
    ASSERT_EQ(stat(victim_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0755u);
    EXPECT_TRUE(fs::exists(fs::path(victim_) / "work" / "precious"));
  }
  static constexpr uid_t kNobody = 65534;
  const std::string folder_ = test::temporaryFolder();
  const std::string victim_ = folder_ + "/victim";
};

TEST_F(Planted, AFolderOfAnotherUserIsNeitherChangedNorEmptied) {
  ASSERT_EQ(chown(victim_.c_str(), kNobody, kNobody), 0);
  expectRefused(victim_, "is not a folder of this user's");
}

TEST_F(Planted, ALinkOfAnotherUserIsNotFollowed) {
  const std::string link = folder_ + "/link";
  fs::create_symlink(victim_, link);
  ASSERT_EQ(lchown(link.c_str(), kNobody, kNobody), 0);
  expectRefused(link, "a link that another user has made");
}

TEST_F(Planted, AnOperatorsLinkIs) {
  const std::string link = folder_ + "/link";
  fs::create_symlink(victim_, link);
  EXPECT_TRUE(DataFolder::open(link).ok());
}

}  // namespace
}  // namespace hone::worker
