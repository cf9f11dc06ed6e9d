// Backup, restore and fsck of a data folder.
#include "server/store/maintenance.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/sha256.h"
#include "server/base/failpoint.h"
#include "server/store/blob_folder.h"
#include "server/store/data_lock.h"
#include "server/store/sqlite_store.h"
#include "tests/server/scratch.h"
#include "tests/server/store/child.h"
#include "tests/server/store/files.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

namespace fs = std::filesystem;

/// A data folder with a finished, cached job, a running and a pending one, and four blobs.
class Maintenance : public ::testing::Test {
 protected:
  Maintenance() : data_(scratch_.path() / "data"), copy_(scratch_.path() / "backup") { open(); }

  void SetUp() override {
    for (const char *text : {"model", "artifact", "other", "fourth"}) digests_.push_back(put(text));
    begin();
    for (const char *id : {"j-done", "j-runs", "j-waits"}) {
      NewJob job = newJob(id, "ada");
      *job.request.mutable_spec()->mutable_compile()->mutable_model() = digests_[0];
      job.tasks[0].cacheKey = "key";
      tasks_.push_back(store_->putJob(job, 10)->tasks.at(0).id);
    }
    v1::JobResult result;
    *result.mutable_artifact() = digests_[1];
    const int64_t epoch = store_->claim(tasks_[0], "w", 11)->epoch;
    ASSERT_TRUE(*complete(*store_, tasks_[0], epoch, AttemptEnd::Done, result, "log", "key", 12));
    ASSERT_TRUE(store_->claim(tasks_[1], "w", 13).ok());
    commit();
  }

  void open() {
    blobs_ = *BlobFolder::open({data_, 0}, none_);
    absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = data_}, none_);
    ASSERT_EQ(store.status(), absl::OkStatus());
    store_ = *std::move(store);
  }
  void close() {
    store_.reset();
    blobs_.reset();
  }
  void begin() { ASSERT_EQ(store_->begin(), absl::OkStatus()); }
  void commit() { ASSERT_EQ(store_->commit(), absl::OkStatus()); }
  v1::Digest put(const std::string &bytes) {
    writeFile(scratch_.path() / "incoming", bytes);
    v1::Digest digest = *blobs_->import(scratch_.path() / "incoming");
    begin();
    EXPECT_EQ(store_->putBlob({digest, "ada", 1, 1}), absl::OkStatus());
    commit();
    return digest;
  }
  static fs::path blobOf(const fs::path &folder, const v1::Digest &digest) {
    return folder / "blobs" / "sha256" / digest.sha256().substr(0, 2) / digest.sha256();
  }
  void execute(const std::string &sql) {
    sqlite3 *handle = nullptr;
    ASSERT_EQ(sqlite3_open((data_ / "hone.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }
  /// The folder is open and holds what SetUp() made.
  void expectEverything() {
    EXPECT_EQ(store_->job("j-done")->result().artifact().sha256(), digests_[1].sha256());
    EXPECT_EQ(store_->job("j-runs")->state(), v1::JOB_RUNNING);
    EXPECT_EQ(store_->job("j-waits")->state(), v1::JOB_PENDING);
    EXPECT_TRUE(store_->cached("key")->has_value());
    for (const v1::Digest &digest : digests_) EXPECT_EQ(blobs_->verify(digest), absl::OkStatus());
  }
  /// fsck finds nothing.
  void expectWhole() {
    const absl::StatusOr<FsckReport> report = fsck(data_);
    ASSERT_EQ(report.status(), absl::OkStatus());
    EXPECT_TRUE(report->isWhole()) << absl::StrJoin(report->findings, "\n");
    EXPECT_EQ(report->orphanFiles, 0) << absl::StrJoin(report->findings, "\n");
  }

  Scratch scratch_;
  Failpoints none_;
  const fs::path data_, copy_;
  std::unique_ptr<BlobFolder> blobs_;
  std::unique_ptr<Store> store_;
  std::vector<v1::Digest> digests_;
  std::vector<int64_t> tasks_;
};

// ---------------------------------------------------------------------------------------------------- backup, restore

TEST_F(Maintenance, aBackupIsTakenWhileTheServerWrites) {
  begin();
  ASSERT_TRUE(store_->putJob(newJob("j-open", "ada"), 20).ok());  // not committed: not in the backup
  const absl::StatusOr<BackupReport> report = backup(data_, copy_);
  ASSERT_EQ(report.status(), absl::OkStatus());
  commit();
  EXPECT_EQ(report->jobs, 3);
  EXPECT_EQ(report->blobs, 4);
  EXPECT_EQ(report->linkedBlobs, 4);
  EXPECT_EQ(report->blobBytes, 5 + 8 + 5 + 6);
  EXPECT_TRUE(report->findings.empty());
  // What comes after is not in it.
  put("fifth");
  close();
  fs::remove_all(data_);
  const absl::StatusOr<RestoreReport> restored = restore(copy_, data_);
  ASSERT_EQ(restored.status(), absl::OkStatus());
  EXPECT_TRUE(restored->setAside.empty());
  EXPECT_EQ(restored->jobs, 3);
  EXPECT_EQ(restored->blobs, 4);
  expectWhole();
  open();
  expectEverything();
  EXPECT_TRUE(absl::IsNotFound(store_->job("j-open").status()));
}

TEST_F(Maintenance, aBackupThatSharesNothing) {
  const absl::StatusOr<BackupReport> report = backup(data_, copy_ / "", {.copyBlobs = true});
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(report->linkedBlobs, 0);
  flip(blobOf(data_, digests_[0]), 0);
  EXPECT_EQ(readFile(blobOf(copy_, digests_[0])), "model");
}

TEST_F(Maintenance, aBackupNeedsANewNameAndADatabase) {
  EXPECT_TRUE(absl::IsAlreadyExists(backup(data_, scratch_.path()).status()));
  EXPECT_TRUE(absl::IsNotFound(backup(scratch_.path() / "none", copy_).status()));
  EXPECT_FALSE(fs::exists(copy_));
}

TEST_F(Maintenance, aBackupTellsWhatIsMissingAndLeavesItOut) {
  fs::remove(blobOf(data_, digests_[1]));
  const absl::StatusOr<BackupReport> report = backup(data_, copy_);
  ASSERT_EQ(report.status(), absl::OkStatus());
  ASSERT_EQ(report->findings.size(), 1U);
  EXPECT_TRUE(absl::StrContains(report->findings[0], digests_[1].sha256()));
  close();
  ASSERT_TRUE(restore(copy_, data_).ok());
  expectWhole();
  open();
  EXPECT_FALSE(store_->cached("key")->has_value()) << "a hit without its artifact";
}

TEST_F(Maintenance, restoreSetsAsideWhatWasThere) {
  ASSERT_TRUE(backup(data_, copy_).ok());
  begin();
  ASSERT_TRUE(store_->putJob(newJob("j-later", "ada"), 20).ok());
  commit();
  close();
  writeFile(data_ / "hone.db", "garbage");
  const absl::StatusOr<RestoreReport> report = restore(copy_, data_);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(readFile(report->setAside / "hone.db"), "garbage");
  EXPECT_TRUE(fs::exists(report->setAside / "blobs"));
  expectWhole();
  open();
  expectEverything();
  // Once more, beside the first.
  close();
  EXPECT_NE(restore(copy_, data_)->setAside, report->setAside);
}

TEST_F(Maintenance, aServerThatRunsKeepsRestoreAndFsckOut) {
  ASSERT_TRUE(backup(data_, copy_).ok());
  const absl::StatusOr<DataLock> lock = DataLock::take(data_);
  ASSERT_TRUE(lock.ok());
  for (const absl::Status &status :
       {restore(copy_, data_).status(), fsck(data_).status(), DataLock::take(data_).status()}) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("process ", getpid()))) << status;
  }
  expectEverything();
}

TEST_F(Maintenance, aNewDataFolderIsForItsOwnerAlone) {
  const std::filesystem::path fresh = data_.parent_path() / "fresh";
  ASSERT_TRUE(DataLock::take(fresh).ok());
  EXPECT_EQ(std::filesystem::status(fresh).permissions(), std::filesystem::perms::owner_all);
}

TEST_F(Maintenance, aLockEndsWithItsProcess) {
  close();
  Child child([&](const Child::Tell &tell) {
    absl::StatusOr<DataLock> lock = DataLock::take(data_);
    tell("taken");
    pause();
  });
  std::string line;
  ASSERT_TRUE(child.line(line));
  EXPECT_FALSE(DataLock::take(data_).ok());
  child.kill();
  EXPECT_TRUE(DataLock::take(data_).ok());
}

TEST_F(Maintenance, aDamagedBackupLosesOnlyWhatIsDamaged) {
  ASSERT_TRUE(backup(data_, copy_, {.copyBlobs = true}).ok());
  close();
  flip(blobOf(copy_, digests_[1]), 3);
  fs::remove(blobOf(copy_, digests_[2]));
  const absl::StatusOr<RestoreReport> report = restore(copy_, data_);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(report->findings.size(), 2U);
  EXPECT_EQ(report->blobs, 2);
  expectWhole();
  // A damaged database in the backup leaves the folder as it is.
  writeFile(copy_ / "hone.db", "garbage");
  EXPECT_TRUE(absl::IsDataLoss(restore(copy_, data_).status()));
  EXPECT_TRUE(absl::IsNotFound(restore(scratch_.path() / "none", data_).status()));
  expectWhole();
}

TEST_F(Maintenance, aSingleDatabaseIsRestoredBesideTheBlobs) {
  ASSERT_TRUE(backup(data_, copy_).ok());
  close();
  writeFile(data_ / "hone.db", "garbage");
  ASSERT_EQ(restore(copy_ / "hone.db", data_).status(), absl::OkStatus());
  expectWhole();
  open();
  expectEverything();
}

TEST_F(Maintenance, anInterruptedRestoreIsDoneAgain) {
  ASSERT_TRUE(backup(data_, copy_).ok());
  close();
  for (const int microseconds : {0, 300, 1000, 3000, 6000, 10000, 20000, 40000}) {
    {
      Child child([&](const Child::Tell &tell) { restore(copy_, data_).IgnoreError(); });
      usleep(static_cast<useconds_t>(microseconds));
    }
    // Either nothing has begun, or no server opens it, or it is done: never an empty database.
    absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = data_}, none_);
    if (store.ok()) {
      EXPECT_TRUE((*store)->job("j-done").ok()) << microseconds;
    } else {
      EXPECT_TRUE(absl::StrContains(store.status().message(), "hone-server restore --data")) << store.status();
    }
  }
  ASSERT_EQ(restore(copy_, data_).status(), absl::OkStatus());
  expectWhole();
  open();
  expectEverything();
}

// --------------------------------------------------------------------------------------------------------------- fsck

TEST_F(Maintenance, fsckFindsNothingInASoundFolder) {
  close();
  const absl::StatusOr<FsckReport> report = fsck(data_);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_TRUE(report->isWhole());
  EXPECT_TRUE(report->findings.empty());
  EXPECT_EQ(report->jobs, 3);
  EXPECT_EQ(report->tasks, 3);
  EXPECT_EQ(report->blobs, 4);
  EXPECT_EQ(report->blobBytes, 24);
  EXPECT_EQ(report->cacheEntries, 1);
  EXPECT_TRUE(absl::IsNotFound(fsck(scratch_.path() / "none").status()));
}

TEST_F(Maintenance, fsckFindsDamagedBlobsAndMendsWhatNamesThem) {
  close();
  flip(blobOf(data_, digests_[1]), 2);           // the cache's artifact
  writeFile(blobOf(data_, digests_[2]), "oth");  // truncated
  fs::remove(blobOf(data_, digests_[3]));
  const fs::path orphan = data_ / "blobs" / "sha256" / "00" / (std::string(62, '0') + "ff");
  fs::create_directories(orphan.parent_path());
  writeFile(orphan, "orphan");
  for (const bool repair : {false, true}) {
    const absl::StatusOr<FsckReport> report = fsck(data_, {.repair = repair});
    ASSERT_EQ(report.status(), absl::OkStatus());
    EXPECT_FALSE(report->isWhole());
    EXPECT_EQ(report->damagedBlobs, 2);
    EXPECT_EQ(report->missingBlobs, 1);
    EXPECT_EQ(report->brokenCacheEntries, 1);
    EXPECT_EQ(report->orphanFiles, 1);
    EXPECT_EQ(report->contradictions, 0);
    EXPECT_EQ(report->findings.size(), 5U);
    EXPECT_EQ(report->repairs.empty(), !repair);
  }
  expectWhole();
  EXPECT_TRUE(fs::exists(data_ / "quarantine" / digests_[1].sha256()));
  EXPECT_FALSE(fs::exists(orphan));
  open();
  EXPECT_FALSE(store_->cached("key")->has_value());
  EXPECT_FALSE(store_->blob(digests_[1])->has_value());
  EXPECT_EQ(store_->usage("ada")->blobBytes, 5);
  EXPECT_TRUE(blobs_->has(digests_[0]));
}

TEST_F(Maintenance, fsckFindsEveryContradiction) {
  close();
  const std::string whole = readFile(data_ / "hone.db");
  const std::vector<std::string> faults = {
      "DELETE FROM request WHERE job = 1",
      "DELETE FROM task WHERE job = 3",
      "UPDATE task SET state = 'pending' WHERE id = 1",
      "UPDATE task SET state = 'leased' WHERE id = 3",
      "UPDATE task SET epoch = 9 WHERE id = 2",
      "UPDATE job SET attempts = 5 WHERE number = 1",
      "INSERT INTO attempt(task, epoch, worker, granted) VALUES(3, 1, 'w', 1)",
      "DELETE FROM event WHERE job = 1 AND sequence = 2",
      "UPDATE event SET to_state = 'failed' WHERE job = 1 AND sequence = 3",
      "UPDATE event SET from_state = 'running' WHERE job = 1 AND sequence = 2",
      "UPDATE job SET last_sequence = 4 WHERE number = 1",
      "UPDATE counter SET value = 0",
      "UPDATE account SET pending = 7",
      "UPDATE account SET blob_bytes = blob_bytes + 1",
      "DELETE FROM account",
  };
  for (const std::string &fault : faults) {
    writeFile(data_ / "hone.db", whole);
    execute(fault);
    const absl::StatusOr<FsckReport> report = fsck(data_);
    ASSERT_EQ(report.status(), absl::OkStatus()) << fault;
    EXPECT_GT(report->contradictions, 0) << fault;
    EXPECT_EQ(report->databaseErrors, 0) << fault;
  }
}

TEST_F(Maintenance, fsckCountsAccountsAnew) {
  close();
  execute("UPDATE account SET pending = 7, blob_bytes = 1; UPDATE counter SET value = 0");
  EXPECT_EQ(fsck(data_, {.repair = true})->contradictions, 2);
  expectWhole();
  open();
  EXPECT_EQ(store_->usage("ada")->queuedJobs, 1);
  EXPECT_EQ(store_->usage("ada")->blobBytes, 24);
}

TEST_F(Maintenance, fsckTellsOfADamagedDatabase) {
  close();
  execute("PRAGMA foreign_keys=OFF; UPDATE task SET job = 99 WHERE id = 3");
  EXPECT_GT(fsck(data_)->databaseErrors, 0);
  const std::string whole = readFile(data_ / "hone.db");
  for (const std::string &bytes : {std::string("garbage"), whole.substr(0, whole.size() / 2), std::string()}) {
    writeFile(data_ / "hone.db", bytes);
    for (const bool repair : {false, true}) {
      const absl::StatusOr<FsckReport> report = fsck(data_, {.repair = repair});
      ASSERT_EQ(report.status(), absl::OkStatus()) << bytes.size();
      EXPECT_EQ(report->databaseErrors, 1);
      ASSERT_EQ(report->findings.size(), 1U);
      EXPECT_TRUE(absl::StrContains(report->findings[0], "hone-server restore --data")) << report->findings[0];
      EXPECT_EQ(readFile(data_ / "hone.db"), bytes);
    }
  }
}

}  // namespace
}  // namespace hone::server::testing
