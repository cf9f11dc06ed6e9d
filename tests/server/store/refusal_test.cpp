// What a server must not open: refused with a sentence that names the way out, and left as it is.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/failpoint.h"
#include "server/store/database_file.h"
#include "server/store/maintenance.h"
#include "server/store/schema.h"
#include "server/store/sqlite_store.h"
#include "tests/server/scratch.h"
#include "tests/server/store/files.h"
#include "tests/server/store/store_contract.h"
#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::server::testing {
namespace {

namespace fs = std::filesystem;
using hone::testing::effort;
using hone::testing::Random;

class Refusal : public ::testing::Test {
 protected:
  Refusal() : file_(scratch_.path() / "hone.db") {
    std::unique_ptr<Store> store = open();
    EXPECT_TRUE(store->begin().ok());
    for (int i = 0; i < 200; ++i) {
      EXPECT_TRUE(store->putJob(newJob(absl::StrCat("j-", i), "ada"), i + 1).ok());
    }
    EXPECT_EQ(store->commit(), absl::OkStatus());
  }

  std::unique_ptr<Store> open() {
    absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = scratch_.path()}, failpoints_);
    EXPECT_EQ(store.status(), absl::OkStatus());
    return store.ok() ? *std::move(store) : nullptr;
  }
  /// Jobs j-BEGIN … j-(END - 1), each in a commit of its own.
  static void fill(Store &store, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      ASSERT_TRUE(store.begin().ok());
      ASSERT_TRUE(store.putJob(newJob(absl::StrCat("j-", i), "ada"), i + 1).ok());
      ASSERT_EQ(store.commit(), absl::OkStatus());
    }
  }
  /// Fails to open with \p code, names the command, and changes nothing.
  void expectRefused(absl::StatusCode code, const std::string &part) {
    const std::string before = fs::exists(file_) ? readFile(file_) : "";
    const absl::Status status = openSqliteStore({.folder = scratch_.path()}, failpoints_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), part)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(),
                                  absl::StrCat("hone-server restore --data ", scratch_.path().string(), " BACKUP")))
        << status;
    EXPECT_EQ(fs::exists(file_) ? readFile(file_) : "", before);
  }
  void execute(const char *sql) {
    sqlite3 *handle = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  Scratch scratch_;
  Failpoints failpoints_;
  fs::path file_;
};

TEST_F(Refusal, aNewerVersion) {
  execute("PRAGMA user_version=99");
  expectRefused(absl::StatusCode::kFailedPrecondition, "version 99");
  execute(absl::StrCat("PRAGMA user_version=", sqlite::schemaSteps().size()).c_str());
  EXPECT_NE(open(), nullptr);
}

TEST_F(Refusal, anotherProgramsDatabase) {
  execute("PRAGMA application_id=1");
  expectRefused(absl::StatusCode::kFailedPrecondition, "not a database of hone");
}

TEST_F(Refusal, noVersion) {
  execute("PRAGMA user_version=0");
  expectRefused(absl::StatusCode::kDataLoss, "no version");
}

TEST_F(Refusal, garbageInTheHeader) {
  std::string bytes = readFile(file_);
  bytes.replace(0, 4, "\xde\xad\xbe\xef");
  writeFile(file_, bytes);
  expectRefused(absl::StatusCode::kDataLoss, "does not begin as a database does");
}

TEST_F(Refusal, nothingInTheFile) {
  for (const size_t size : {0, 1, 99}) {
    writeFile(file_, std::string(size, 'x'));
    expectRefused(absl::StatusCode::kDataLoss, "does not begin");
  }
}

TEST_F(Refusal, aTruncatedFile) {
  const std::string bytes = readFile(file_);
  ASSERT_GT(bytes.size(), 40960U);
  for (const size_t size : {size_t{100}, size_t{4096}, size_t{5000}, bytes.size() / 2, bytes.size() - 4096}) {
    writeFile(file_, bytes.substr(0, size));
    expectRefused(absl::StatusCode::kDataLoss, "damaged");
  }
}

TEST_F(Refusal, aPageOfGarbage) {
  const std::string bytes = readFile(file_);
  Random random(hone::testing::testSeed());
  int refused = 0;
  const auto pages = static_cast<int64_t>(bytes.size() / 4096);
  for (int64_t round = 0; round < effort(10, 100); ++round) {
    std::string damaged = bytes;
    const size_t page = static_cast<size_t>(random.between(1, pages - 1)) * 4096;
    for (size_t i = 0; i < 4096; ++i) damaged[page + i] = static_cast<char>(random.next());
    writeFile(file_, damaged);
    // A page that is on the free list may hold anything.
    absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = scratch_.path()}, failpoints_);
    if (store.ok()) continue;
    ++refused;
    EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
    EXPECT_TRUE(absl::StrContains(store.status().message(), "hone-server restore --data")) << store.status();
  }
  EXPECT_GT(refused, effort(10, 100) / 2);
}

TEST_F(Refusal, aLogWithoutItsDatabase) {
  std::unique_ptr<Store> store = open();
  fill(*store, 200, 210);
  fs::copy_file(file_.string() + "-wal", scratch_.path() / "kept");
  store.reset();
  fs::rename(scratch_.path() / "kept", file_.string() + "-wal");
  fs::remove(file_);
  expectRefused(absl::StatusCode::kDataLoss, "is not there");
}

TEST_F(Refusal, anInterruptedRestore) {
  writeFile(scratch_.path() / "restore-unfinished", "");
  expectRefused(absl::StatusCode::kFailedPrecondition, "interrupted");
}

TEST_F(Refusal, aNetworkFileSystem) {
  for (const int64_t type : {0x6969LL, 0x517bLL, 0xff534d42LL, 0xfe534d42LL, 0x01021997LL, 0x00c36400LL}) {
    const absl::Status status = sqlite::checkFileSystem(type, "/data");
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_TRUE(absl::StrContains(status.message(), "choose a data folder on a local disk")) << status;
  }
  for (const int64_t type : {0xef53LL, 0x58465342LL, 0x9123683eLL, 0x01021994LL, 0x794c7630LL}) {  // ext4, xfs, …
    EXPECT_EQ(sqlite::checkFileSystem(type, "/data"), absl::OkStatus());
  }
}

/// A log that was cut or changed by a crash: what stands before the damage is there, nothing after it is.
TEST_F(Refusal, aDamagedLogGivesWhatCameBeforeTheDamage) {
  Random random(hone::testing::testSeed());
  std::unique_ptr<Store> store = open();
  fill(*store, 200, 260);
  const std::string database = readFile(file_);
  const std::string log = readFile(file_.string() + "-wal");
  store.reset();
  ASSERT_GT(log.size(), 60U * 4096);
  int some = 0;
  for (int64_t round = 0; round < effort(15, 200); ++round) {
    Scratch copy;
    std::string damaged = log;
    const auto where = static_cast<size_t>(random.between(0, static_cast<int64_t>(log.size()) - 1));
    if (random.chance(50)) {
      damaged.resize(where);
    } else {
      damaged[where] = static_cast<char>(damaged[where] ^ 0x10);
    }
    writeFile(copy.path() / "hone.db", database);
    writeFile(copy.path() / "hone.db-wal", damaged);
    absl::StatusOr<std::unique_ptr<Store>> opened = openSqliteStore({.folder = copy.path()}, failpoints_);
    ASSERT_EQ(opened.status(), absl::OkStatus()) << "at " << where;
    v1::ListJobsRequest all;
    all.set_page_size(1000);
    const v1::ListJobsResponse jobs = *(*opened)->jobs(all);
    ASSERT_GE(jobs.jobs_size(), 200);
    for (int i = 0; i < jobs.jobs_size(); ++i) {
      EXPECT_EQ(jobs.jobs(i).id(), absl::StrCat("j-", jobs.jobs_size() - 1 - i));
    }
    if (jobs.jobs_size() > 200 && jobs.jobs_size() < 260) ++some;
    opened->reset();
    const absl::StatusOr<FsckReport> report = fsck(copy.path());
    ASSERT_EQ(report.status(), absl::OkStatus());
    EXPECT_TRUE(report->isWhole()) << report->findings[0];
  }
  EXPECT_GT(some, 0);
}

}  // namespace
}  // namespace hone::server::testing
