// Opening what a model names: only plain files below the folder, without links, whatever happens to the folder
// meanwhile; by the kernel's one call, and step by step as on older kernels.
#include "client/data_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hone::client {
namespace {

namespace fs = std::filesystem;
using Open = absl::StatusOr<InputFile> (*)(const fs::path &, const std::string &);

std::string contentOf(const InputFile &file) {
  std::string text(100, '\0');
  const ssize_t count = pread(file.descriptor(), text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return text;
}

class DataFile : public testing::TestWithParam<Open> {
 protected:
  DataFile() {
    std::string pattern = (fs::temp_directory_path() / "hone-data-file-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    model_ = root_ / "model";
    fs::create_directories(model_ / "sub/deep");
    write("secret", "secret");
    write("model/w", "weights");
    write("model/sub/deep/w", "deep weights");
  }
  ~DataFile() override { fs::remove_all(root_); }

  void write(const std::string &name, const std::string &text) const { std::ofstream(root_ / name) << text; }
  absl::StatusOr<InputFile> open(const std::string &location) const { return GetParam()(model_, location); }

  void expectRefused(const std::string &location, const std::string &words,
                     absl::StatusCode code = absl::StatusCode::kDataLoss) const {
    const absl::Status status = open(location).status();
    EXPECT_EQ(status.code(), code) << location << ": " << status;
    EXPECT_TRUE(absl::StrContains(status.message(), words)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("'", location, "'"))) << status;
  }

  fs::path root_, model_;
};

TEST_P(DataFile, IsTakenFromTheFolderAndBelow) {
  for (const char *name : {"w", "./w", ".//w"}) {
    const auto file = open(name);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(contentOf(*file), "weights");
  }
  const auto deep = open("sub//./deep/w");
  ASSERT_TRUE(deep.ok()) << deep.status();
  EXPECT_EQ(contentOf(*deep), "deep weights");
}

TEST_P(DataFile, HasNoPathThatLeadsElsewhere) {
  expectRefused("/etc/passwd", "absolute name");
  expectRefused((model_ / "w").string(), "absolute name");
  expectRefused("//w", "absolute name");
  for (const char *name : {"../secret", "..", "sub/../w", "sub/../../secret", "./../secret", "w/.."})
    expectRefused(name, "'..' in its name");
}

TEST_P(DataFile, IsReachedThroughNoLink) {
  fs::create_symlink("w", model_ / "inside");
  fs::create_symlink("../secret", model_ / "outside");
  fs::create_symlink("/etc/passwd", model_ / "absolute");
  fs::create_symlink("nowhere", model_ / "dangling");
  fs::create_symlink("loop", model_ / "loop");
  fs::create_symlink("sub", model_ / "folder");
  fs::create_symlink("..", model_ / "sub/up");
  for (const char *name : {"inside", "outside", "absolute", "dangling", "loop", "folder/deep/w", "sub/up/w", "folder"})
    expectRefused(name, "symbolic link");
}

TEST_P(DataFile, MayHaveAModelsFolderBehindALink) {
  fs::create_symlink("model", root_ / "alias");
  const auto file = GetParam()(root_ / "alias", "w");
  ASSERT_TRUE(file.ok()) << "the person named that folder: " << file.status();
  EXPECT_EQ(contentOf(*file), "weights");
}

TEST_P(DataFile, IsAPlainFile) {
  ASSERT_EQ(mkfifo((model_ / "pipe").c_str(), 0600), 0);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (model_ / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr *>(&address), sizeof address), 0);
  for (const char *name : {"pipe", "socket", "sub", "sub/", ".", "./", "sub/deep/."})
    expectRefused(name, "no plain file");
  close(listener);
}

TEST_P(DataFile, ThatIsNotThereIsNamedWithItsFolder) {
  expectRefused("absent", absl::StrCat("was looked for in '", model_.string(), "'"), absl::StatusCode::kNotFound);
  expectRefused("absent/w", "is not there", absl::StatusCode::kNotFound);
  expectRefused("w/x", "Not a directory", absl::StatusCode::kNotFound);
  expectRefused(std::string(300, 'x'), "File name too long", absl::StatusCode::kNotFound);
}

TEST_P(DataFile, ThatIsSwappedForALinkIsNeverTheLinksTarget) {
  fs::create_symlink("../secret", root_ / "spare");
  std::atomic<bool> isOver{false};
  // The name is, in turn, a plain file and a link to the secret; the folder on the way likewise.
  std::thread swapper([&] {
    write("spare.file", "weights");
    fs::create_symlink("../../", root_ / "spare.folder");
    while (!isOver) {
      for (const auto &[one, other] : {std::pair{"spare", "model/w"}, {"spare.folder", "model/sub/deep"}})
        renameat2(AT_FDCWD, (root_ / one).c_str(), AT_FDCWD, (root_ / other).c_str(), RENAME_EXCHANGE);
    }
  });
  int opened = 0, refused = 0;
  for (int round = 0; round < 20000 || (opened == 0 || refused == 0); ++round) {
    const auto file = open(round % 2 == 0 ? "w" : "sub/deep/secret");
    if (file.ok()) {
      EXPECT_EQ(contentOf(*file), "weights");
    }
    file.ok() ? ++opened : ++refused;
  }
  isOver = true;
  swapper.join();
}

TEST_P(DataFile, StaysTheFileThatWasOpened) {
  const auto file = open("w");
  ASSERT_TRUE(file.ok()) << file.status();
  fs::remove(model_ / "w");
  fs::create_symlink("../secret", model_ / "w");
  EXPECT_EQ(contentOf(*file), "weights");
}

INSTANTIATE_TEST_SUITE_P(ByTheKernel, DataFile, testing::Values(openDataFile));
INSTANTIATE_TEST_SUITE_P(StepByStep, DataFile, testing::Values(openDataFileStepwise));

}  // namespace
}  // namespace hone::client
