// The power fails: what was promised is there afterwards, and what is there is whole. Killing a process does not show
// this, since the kernel keeps what it was given; here what was not synced is lost, in part or as a whole.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/sha256.h"
#include "server/base/failpoint.h"
#include "server/store/blob_folder.h"
#include "server/store/database_file.h"
#include "server/store/file_io.h"
#include "server/store/maintenance.h"
#include "server/store/schema.h"
#include "server/store/sqlite_store.h"
#include "tests/server/disk/recorded_disk.h"
#include "tests/server/scratch.h"
#include "tests/server/store/files.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

namespace fs = std::filesystem;
using Cut = RecordedDisk::Cut;

unsigned seedOfDay() {
  const char *text = getenv("HONE_TEST_SEED");
  const unsigned seed = text != nullptr ? static_cast<unsigned>(atoi(text)) : std::random_device{}();
  printf("seed %u\n", seed);
  return seed;
}

void expectWhole(const RecordedDisk &disk, const std::function<std::string(const Cut &)> &look) {
  const std::vector<std::string> complaints = disk.replay(seedOfDay(), look);
  printf("%lld states\n", static_cast<long long>(disk.states()));
  EXPECT_GT(disk.states(), 10);
  EXPECT_TRUE(complaints.empty()) << absl::StrJoin(complaints, "\n");
}

v1::Digest digestOfBytes(const std::string &bytes) {
  v1::Digest digest;
  digest.set_sha256(sha256Hex(bytes));
  digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
  return digest;
}

// ----------------------------------------------------------------------------------------------------------- blobs

/// Every file that has a blob's name has its bytes.
std::string damagedBlob(const fs::path &data) {
  std::error_code error;
  for (const auto &entry : fs::recursive_directory_iterator(data / "blobs", error)) {
    if (!entry.is_regular_file()) continue;
    const std::string bytes = readFile(entry.path());
    if (sha256Hex(bytes) != entry.path().filename()) {
      return absl::StrCat("the blob ", entry.path().filename().string(), " has ", bytes.size(), " other bytes");
    }
  }
  return "";
}

/// \p cut as a blob folder: it opens, what is in it is whole, and what was promised is in it.
std::string lookAtBlobs(const Cut &cut) {
  if (std::string damaged = damagedBlob(cut.folder); !damaged.empty()) return damaged;
  Failpoints none;
  auto blobs = BlobFolder::open({cut.folder, 0}, none);
  if (!blobs.ok()) return std::string(blobs.status().message());
  for (const std::string &content : cut.promises) {
    const v1::Digest digest = digestOfBytes(content);
    if (const absl::Status status = (*blobs)->verify(digest); !status.ok()) {
      return absl::StrCat("the blob of '", content.substr(0, 20), "' was promised: ", std::string(status.message()));
    }
  }
  return "";
}

/// A text whose digest begins as that of \p content: their blobs lie in one folder.
std::string besides(const std::string &content) {
  for (int number = 0;; ++number) {
    std::string other = absl::StrCat("number ", number);
    if (sha256Hex(other).substr(0, 2) == sha256Hex(content).substr(0, 2)) return other;
  }
}

TEST(PowerCut, leavesBlobsWholeAndWhatWasPromised) {
  const Scratch scratch = Scratch::inMemory();
  Failpoints none;
  const fs::path incoming = scratch.path() / "incoming";
  writeFile(incoming, "imported");
  RecordedDisk disk(scratch.path());
  {
    // A process that was killed when it had made a blob's folder, and had not synced what holds that.
    auto blobs = *BlobFolder::open({scratch.path(), 0}, none);
    fs::create_directory(scratch.path() / "blobs" / "sha256" / sha256Hex("first of its folder").substr(0, 2));
  }
  {
    auto blobs = *BlobFolder::open({scratch.path(), 0}, none);
    const auto upload = [&](const std::string &content, const std::string &id) {
      auto writer = *blobs->write(digestOfBytes(content), id, 0);
      const size_t half = content.size() / 2;
      ASSERT_EQ(writer->append(std::string_view(content).substr(0, half)), absl::OkStatus());
      ASSERT_EQ(writer->append(std::string_view(content).substr(half)), absl::OkStatus());
      ASSERT_EQ(writer->finish(), absl::OkStatus());
      disk.promise(content);
    };
    upload("first of its folder", "a");
    upload(besides("first of its folder"), "a2");
    upload("second", "b");
    ASSERT_TRUE(blobs->import(incoming).ok());
    disk.promise("imported");
    const fs::path staged = blobs->stagingFolder() / "staged";
    {
      const absl::StatusOr<Descriptor> file = Descriptor::open(staged, O_WRONLY | O_CREAT);
      ASSERT_EQ(writeAll(*file, "staged", staged), absl::OkStatus());
    }
    ASSERT_TRUE(blobs->import(staged).ok());
    disk.promise("staged");
    ASSERT_EQ(blobs->remove(digestOfBytes("second")), absl::OkStatus());
  }
  {
    // After a restart, an upload that was broken off goes on.
    const std::string content = "in two lives";
    auto blobs = *BlobFolder::open({scratch.path(), 0}, none);
    ASSERT_EQ((*blobs->write(digestOfBytes(content), "c", 0))->append("in two "), absl::OkStatus());
    blobs = *BlobFolder::open({scratch.path(), 0}, none);
    auto writer = *blobs->write(digestOfBytes(content), "c", 7);
    ASSERT_EQ(writer->append("lives"), absl::OkStatus());
    ASSERT_EQ(writer->finish(), absl::OkStatus());
    disk.promise(content);
  }
  disk.stop();
  expectWhole(disk, [](Cut cut) {
    // It was removed in the end: whether it is there, nobody promised.
    std::erase(cut.promises, "second");
    return lookAtBlobs(cut);
  });
}

// -------------------------------------------------------------------------------------------------------- database

/// \p cut as a data folder: the store opens, fsck finds nothing, and the promised jobs are there: "ID STATE".
std::string lookAtStore(const Cut &cut) {
  Failpoints none;
  {
    auto store = openSqliteStore({.folder = cut.folder}, none);
    if (!store.ok()) return std::string(store.status().message());
    for (const std::string &promise : cut.promises) {
      const size_t space = promise.find(' ');
      const auto job = (*store)->job(promise.substr(0, space));
      if (!job.ok()) return absl::StrCat("'", promise, "' was promised: ", std::string(job.status().message()));
      if (std::to_string(job->state()) < promise.substr(space + 1)) {
        return absl::StrCat("'", promise, "' was promised, and its state is ", job->state());
      }
    }
  }
  const auto report = fsck(cut.folder);
  if (!report.ok()) return std::string(report.status().message());
  return report->isWhole() ? "" : absl::StrJoin(report->findings, "; ");
}

/// Jobs that come, are granted and end, each step a commit.
void workOn(Store &store, RecordedDisk &disk, const std::string &prefix, int jobs) {
  for (int i = 0; i < jobs; ++i) {
    NewJob job = newJob(absl::StrCat(prefix, i), "ada");
    job.request.mutable_spec()->mutable_compile()->mutable_options()->set_schedules(std::string(6000, 's'));
    ASSERT_EQ(store.begin(), absl::OkStatus());
    const int64_t task = store.putJob(job, 10)->tasks.at(0).id;
    ASSERT_EQ(store.commit(), absl::OkStatus());
    disk.promise(absl::StrCat(job.id, " ", v1::JOB_PENDING));
    ASSERT_EQ(store.begin(), absl::OkStatus());
    const int64_t epoch = store.claim(task, "w", 11)->epoch;
    ASSERT_TRUE(*complete(store, task, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "log", "", 12));
    ASSERT_EQ(store.commit(), absl::OkStatus());
    disk.promise(absl::StrCat(job.id, " ", v1::JOB_SUCCEEDED));
  }
}

TEST(PowerCut, leavesEveryCommit) {
  const Scratch scratch = Scratch::inMemory();
  Failpoints none;
  RecordedDisk disk(scratch.path());
  // Twice: closing copies the log into the database, and the next one begins with what is there.
  for (const char *prefix : {"j-a", "j-b"}) {
    const std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
    workOn(*store, disk, prefix, 2);
  }
  disk.stop();
  expectWhole(disk, lookAtStore);
}

TEST(PowerCut, leavesADatabaseBeforeOrAfterItsMigration) {
  static constexpr const char *kNext = "CREATE TABLE added(value INTEGER) STRICT; INSERT INTO added VALUES(42);";
  const Scratch scratch = Scratch::inMemory();
  Failpoints none;
  const sqlite::Steps first = sqlite::schemaSteps();
  std::vector<const char *> both(first.begin(), first.end());
  both.push_back(kNext);
  {
    const std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
  }
  RecordedDisk disk(scratch.path());
  ASSERT_TRUE(sqlite::openDatabase({.folder = scratch.path()}, both).ok());
  disk.promise("migrated");
  disk.stop();
  const std::string copy = absl::StrCat("hone.db.version-", first.size());
  expectWhole(disk, [&](const Cut &cut) -> std::string {
    auto database =
        sqlite::Connection::open(cut.folder / "hone.db", sqlite::Connection::Mode::ReadWrite, absl::Seconds(5));
    if (!database.ok()) return std::string(database.status().message());
    if (const absl::Status status = sqlite::checkDatabase(*database, both); !status.ok()) {
      return std::string(status.message());
    }
    const int64_t version = *database->integer("PRAGMA user_version");
    if (version == static_cast<int64_t>(first.size())) return cut.promises.empty() ? "" : "it is not migrated";
    if (database->integer("SELECT value FROM added").value_or(0) != 42) return "the step was done in part";
    auto before = sqlite::Connection::open(cut.folder / copy, sqlite::Connection::Mode::ReadWrite, absl::Seconds(5));
    if (!before.ok()) return "no copy from before: " + std::string(before.status().message());
    return std::string(sqlite::checkDatabase(*before, first).message());
  });
}

// ------------------------------------------------------------------------------------------------ backup and restore

class PowerCutOfAnOperator : public ::testing::Test {
 protected:
  /// A data folder with a blob that a finished job's result names.
  void makeData(const std::string &artifact, const std::string &job) {
    fs::create_directories(data_);
    const auto blobs = *BlobFolder::open({data_, 0}, none_);
    writeFile(blobs->stagingFolder() / "it", artifact);
    const v1::Digest digest = *blobs->import(blobs->stagingFolder() / "it");
    const std::unique_ptr<Store> store = *openSqliteStore({.folder = data_}, none_);
    ASSERT_EQ(store->begin(), absl::OkStatus());
    ASSERT_EQ(store->putBlob({digest, "ada", 1, 1}), absl::OkStatus());
    const int64_t task = store->putJob(newJob(job, "ada"), 10)->tasks.at(0).id;
    v1::JobResult result = resultOf(v1::Result::DONE, "");
    *result.mutable_artifact() = digest;
    ASSERT_TRUE(
        *complete(*store, task, store->claim(task, "w", 11)->epoch, AttemptEnd::Done, result, "log", "key", 12));
    ASSERT_EQ(store->commit(), absl::OkStatus());
  }
  /// The data folder or backup \p data is whole and has \p job.
  std::string lookAt(const fs::path &data, const std::vector<std::string> &jobs) {
    const auto report = fsck(data);
    if (!report.ok()) return std::string(report.status().message());
    if (!report->isWhole()) return absl::StrJoin(report->findings, "; ");
    if (report->blobs != 1) return absl::StrCat("there are ", report->blobs, " blobs");
    if (std::string damaged = damagedBlob(data); !damaged.empty()) return damaged;
    const auto store = openSqliteStore({.folder = data}, none_);
    if (!store.ok()) return std::string(store.status().message());
    for (const std::string &job : jobs) {
      if ((*store)->job(job).ok()) return "";
    }
    return "the job is not there";
  }

  const Scratch scratch_ = Scratch::inMemory();
  const fs::path data_ = scratch_.path() / "data", backup_ = scratch_.path() / "backup";
  Failpoints none_;
};

TEST_F(PowerCutOfAnOperator, leavesAWholeBackupOrNone) {
  makeData("artifact", "j-a");
  for (const bool copy : {false, true}) {
    fs::remove_all(backup_);
    RecordedDisk disk(scratch_.path());
    ASSERT_TRUE(backup(data_, backup_, {.copyBlobs = copy}).ok());
    disk.promise("backup");
    disk.stop();
    expectWhole(disk, [&](const Cut &cut) -> std::string {
      if (std::string wrong = lookAt(cut.folder / "data", {"j-a"}); !wrong.empty()) return "the data folder: " + wrong;
      if (!fs::exists(cut.folder / "backup")) return cut.promises.empty() ? "" : "there is no backup";
      return lookAt(cut.folder / "backup", {"j-a"});
    });
  }
}

TEST_F(PowerCutOfAnOperator, leavesADataFolderOfBeforeOrAfterARestore) {
  makeData("artifact", "j-a");
  ASSERT_TRUE(backup(data_, backup_).ok());
  fs::remove_all(data_);
  makeData("another artifact", "j-b");
  RecordedDisk disk(scratch_.path());
  ASSERT_TRUE(restore(backup_, data_).ok());
  disk.promise("restored");
  disk.stop();
  int interrupted = 0;
  expectWhole(disk, [&](const Cut &cut) -> std::string {
    const auto opened = openSqliteStore({.folder = cut.folder / "data"}, none_).status();
    if (absl::StrContains(opened.message(), "was interrupted")) {
      ++interrupted;
      if (!cut.promises.empty()) return std::string(opened.message());
      // The same command goes on.
      const auto again = restore(cut.folder / "backup", cut.folder / "data");
      if (!again.ok()) return std::string(again.status().message());
      return lookAt(cut.folder / "data", {"j-a"});
    }
    if (!opened.ok()) return std::string(opened.message());
    if (cut.promises.empty()) return lookAt(cut.folder / "data", {"j-a", "j-b"});
    if (std::string wrong = lookAt(cut.folder / "data", {"j-a"}); !wrong.empty()) return wrong;
    const std::string wrong = lookAt(cut.folder / "data" / "set-aside-1", {"j-b"});
    return wrong.empty() ? "" : "what was set aside: " + wrong;
  });
  EXPECT_GT(interrupted, 0);
}

}  // namespace
}  // namespace hone::server::testing
