// No room: a commit that cannot be made says so, leaves nothing behind, and the store goes on when there is room again.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "server/base/failpoint.h"
#include "server/store/blob_folder.h"
#include "server/store/maintenance.h"
#include "server/store/sqlite_store.h"
#include "tests/server/scratch.h"
#include "tests/server/store/files.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

/// Submits until it fails, at most \p most jobs; returns how many commits were made and \p status of the one that
/// failed.
int fillUp(Store &store, const std::string &prefix, int most, absl::Status &status) {
  for (int i = 0; i < most; ++i) {
    NewJob job = newJob(absl::StrCat("j-", prefix, i), "ada");
    job.request.mutable_spec()->mutable_compile()->mutable_options()->set_schedules(std::string(20000, 's'));
    status = store.begin();
    if (status.ok()) status = store.putJob(job, 1).status();
    // An engine that overlooks the failure of an intent is told at the commit.
    const absl::Status committed = store.commit();
    EXPECT_TRUE(status.ok() || !committed.ok()) << "a commit after " << status;
    if (status.ok()) status = committed;
    if (!status.ok()) return i;
  }
  return most;
}

void expectJobs(const Store &store, const std::string &prefix, int count) {
  EXPECT_TRUE(store.job(absl::StrCat("j-", prefix, count - 1)).ok());
  EXPECT_TRUE(absl::IsNotFound(store.job(absl::StrCat("j-", prefix, count)).status()));
  EXPECT_EQ(store.usage("ada")->queuedJobs, static_cast<int64_t>(store.unfinished()->tasks.size()));
}

TEST(FullDisk, aDatabaseAtItsLimitRefusesAndStaysWhole) {
  Scratch scratch;
  Failpoints none;
  int made = 0;
  {
    std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path(), .maxPages = 300}, none);
    absl::Status status;
    made = fillUp(*store, "a", 1000, status);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "free space")) << status;
    ASSERT_GT(made, 0);
    expectJobs(*store, "a", made);
    // What needs no room still works.
    const Task task = store->unfinished()->tasks.at(0);
    ASSERT_TRUE(store->begin().ok());
    EXPECT_TRUE(*store->endJob(task.job, v1::JOB_CANCELLED, {}, "user:ada", "", 9));
    EXPECT_EQ(*store->removeEndedJobs(10, 1), 1);
    EXPECT_EQ(store->commit(), absl::OkStatus());
    // And that made room.
    EXPECT_EQ(fillUp(*store, "b", 1, status), 1) << status;
  }
  std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
  absl::Status status;
  EXPECT_EQ(fillUp(*store, "c", 100, status), 100) << status;
  store.reset();
  EXPECT_TRUE(fsck(scratch.path())->isWhole());
}

/// Files may not grow beyond a size: what a full disk looks like to one process. Restored at the end.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  FileLimit(const FileLimit &) = delete;
  FileLimit &operator=(const FileLimit &) = delete;
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

TEST(FullDisk, aWriteThatFailsUndoesTheTransaction) {
  Scratch scratch;
  Failpoints none;
  std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
  int made = 0;
  {
    const FileLimit limit(1 << 20);
    absl::Status status;
    made = fillUp(*store, "a", 1000, status);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    ASSERT_GT(made, 0);
    ASSERT_LT(made, 1000);
    expectJobs(*store, "a", made);
  }
  absl::Status status;
  EXPECT_EQ(fillUp(*store, "b", 50, status), 50) << status;
  expectJobs(*store, "a", made);
  store.reset();
  EXPECT_TRUE(fsck(scratch.path())->isWhole());
}

TEST(FullDisk, anUploadFailsAndGoesOnLater) {
  Scratch scratch;
  Failpoints none;
  std::unique_ptr<BlobFolder> blobs = *BlobFolder::open({scratch.path(), 0}, none);
  const std::string bytes(3 << 20, 'b');
  v1::Digest digest;
  digest.set_sha256(sha256Hex(bytes));
  digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
  std::unique_ptr<BlobFolder::Writer> writer = *blobs->write(digest, "u", 0);
  {
    const FileLimit limit((1 << 20) + 12345);
    ASSERT_EQ(writer->append({bytes.data(), 1 << 20}), absl::OkStatus());
    const absl::Status status = writer->append({bytes.data() + (1 << 20), 1 << 20});
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(writer->written(), 1 << 20) << "half a piece does not count";
  }
  EXPECT_EQ(blobs->resumable(digest, "u"), 1 << 20);
  ASSERT_EQ(writer->append({bytes.data() + (1 << 20), 2 << 20}), absl::OkStatus());
  EXPECT_EQ(writer->finish(), absl::OkStatus());
  EXPECT_EQ(blobs->verify(digest), absl::OkStatus());
}

TEST(FullDisk, uploadsStopAtTheReserve) {
  Scratch scratch;
  Failpoints none;
  const int64_t free = (*BlobFolder::open({scratch.path(), 0}, none))->freeBytes();
  std::unique_ptr<BlobFolder> blobs = *BlobFolder::open({scratch.path(), free * 2}, none);
  const absl::Status status = blobs->write(digestOf(1, 1), "u", 0).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "reserve")) << status;
  writeFile(scratch.path() / "file", "x");
  EXPECT_TRUE(absl::IsResourceExhausted(blobs->import(scratch.path() / "file").status()));
}

/// A real file system that is full.
TEST(FullDisk, aFullFileSystem) {
  Scratch scratch;
  if (mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=4m") != 0) {
    GTEST_SKIP() << "a small file system cannot be mounted here (" << std::strerror(errno) << ")";
  }
  {
    Failpoints none;
    std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
    absl::Status status;
    const int made = fillUp(*store, "a", 1000, status);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    ASSERT_GT(made, 0);
    ASSERT_LT(made, 1000);
    expectJobs(*store, "a", made);
    EXPECT_EQ(mount("tmpfs", scratch.path().c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    EXPECT_EQ(fillUp(*store, "b", 50, status), 50) << status;
    expectJobs(*store, "a", made);
    store.reset();
    EXPECT_TRUE(fsck(scratch.path())->isWhole());
  }
  EXPECT_EQ(umount2(scratch.path().c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace hone::server::testing
