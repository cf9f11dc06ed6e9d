// Outputs where the file system or the disk does not play along: what was there before stays until the new file is
// whole, nothing is left beside it, and where there are no files without names it is done with one.
#include "client/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/server/disk/file_calls.h"
#include "tests/server/scratch.h"

namespace hone::client {
namespace {

namespace fs = std::filesystem;
using server::testing::FailCalls;
using server::testing::FileCall;
using server::testing::Scratch;
using Kind = FileCall::Kind;

std::string contentOf(const fs::path &file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

bool isNameless(const FileCall &call) { return call.kind == Kind::Open && (call.flags & O_TMPFILE) == O_TMPFILE; }

class Output : public ::testing::Test {
 protected:
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const fs::directory_entry &entry : fs::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  /// Nothing but what was there before.
  void expectUntouched() const {
    EXPECT_EQ(names(), std::vector<std::string>{"out"});
    EXPECT_EQ(contentOf(file_), "old");
  }
  void expectWritten() const {
    EXPECT_EQ(names(), std::vector<std::string>{"out"});
    EXPECT_EQ(contentOf(file_), "new");
    struct stat info{};
    EXPECT_EQ(stat(file_.c_str(), &info), 0);
    const mode_t mask = umask(0);
    umask(mask);
    EXPECT_EQ(info.st_mode & 0777, 0666U & ~mask) << "as any other new file";
  }

  const Scratch folder_;
  const fs::path file_ = folder_.path() / "out";
};

/// Errors with which file systems say that they have no files without names.
TEST_F(Output, worksWithoutNamelessFiles) {
  for (const int error : {EOPNOTSUPP, EISDIR, ENOENT, EINVAL}) {
    std::ofstream(file_) << "old";
    int refused = 0, renames = 0;
    const FailCalls failing([&](const FileCall &call) {
      renames += call.kind == Kind::Rename;
      if (!isNameless(call)) return 0;
      ++refused;
      return error;
    });
    {
      absl::StatusOr<OutputFile> output = OutputFile::create(file_);
      ASSERT_TRUE(output.ok()) << output.status();
      ASSERT_TRUE(output->write("half of it").ok());
      EXPECT_EQ(contentOf(file_), "old") << "until it is whole";
      EXPECT_EQ(names().size(), 2U) << "beside it, since on another disk it could not be renamed";
    }
    expectUntouched();
    ASSERT_TRUE(writeWholeFile(file_, "new").ok());
    expectWritten();
    EXPECT_EQ(refused, 2);
    EXPECT_EQ(renames, 1);
  }
}

TEST_F(Output, staysAsItWasWhenACallFails) {
  // Every call on either way, one after the other.
  for (const bool hasNameless : {true, false}) {
    for (int number = 1;; ++number) {
      std::ofstream(file_) << "old";
      int seen = 0;
      FileCall::Kind failed = Kind::Open;
      absl::Status status;
      {
        const FailCalls failing([&](const FileCall &call) {
          if (call.kind == Kind::Read || call.kind == Kind::Remove) return 0;
          if (isNameless(call) && !hasNameless) return EOPNOTSUPP;
          if (++seen != number) return 0;
          failed = call.kind;
          return call.kind == Kind::Write ? ENOSPC : EIO;
        });
        status = writeWholeFile(file_, "new");
      }
      if (seen < number) {
        EXPECT_GE(seen, 3) << "opened, written, renamed";
        break;
      }
      if (status.ok()) {
        // The one call that has another way.
        EXPECT_TRUE(hasNameless && failed == Kind::Open) << number;
        expectWritten();
        continue;
      }
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_TRUE(absl::StrContains(status.message(), file_.string())) << status;
      EXPECT_TRUE(absl::StrContains(status.message(), failed == Kind::Write ? "No space" : "Input/output")) << status;
      expectUntouched();
    }
  }
}

TEST_F(Output, isWrittenToItsEndByASlowDisk) {
  // A write may take less than it was given.
  class Slow : public server::testing::FileWatcher {
   public:
    int64_t around(const FileCall &call, const std::function<int64_t()> &make) override {
      if (call.kind != Kind::Write || call.bytes.size() < 2) return make();
      if (++calls_ % 2 == 1) return -EINTR;
      return pwrite(call.descriptor, call.bytes.data(), 1, call.offset) == 1 &&
                     lseek(call.descriptor, call.offset + 1, SEEK_SET) >= 0
                 ? 1
                 : -EIO;
    }

   private:
    int calls_ = 0;
  } slow;
  const server::testing::WatchFiles watch(slow);
  ASSERT_TRUE(writeWholeFile(file_, "a longer text").ok());
  EXPECT_EQ(contentOf(file_), "a longer text");
}

TEST_F(Output, takesAnotherNameWhereOneIsTaken) {
  int links = 0;
  const FailCalls failing([&](const FileCall &call) { return call.kind == Kind::Link && ++links <= 2 ? EEXIST : 0; });
  ASSERT_TRUE(writeWholeFile(file_, "new").ok());
  expectWritten();
}

}  // namespace
}  // namespace hone::client
