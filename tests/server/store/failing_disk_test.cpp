// A disk that fails, which is not a disk that is full: what the kernel says decides what people are told.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "server/base/failpoint.h"
#include "server/store/blob_folder.h"
#include "server/store/maintenance.h"
#include "server/store/sqlite_store.h"
#include "tests/server/disk/file_calls.h"
#include "tests/server/scratch.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

using Kind = FileCall::Kind;

absl::Status submit(Store &store, const std::string &id) {
  absl::Status status = store.begin();
  if (status.ok()) status = store.putJob(newJob(id, "ada"), 1).status();
  const absl::Status committed = store.commit();
  EXPECT_TRUE(status.ok() || !committed.ok());
  return status.ok() ? committed : status;
}

struct Case {
  Kind kind;
  int error;
};

TEST(FailingDisk, isNoFullOneToTheDatabase) {
  for (const auto &[kind, error] : std::vector<Case>{{Kind::Write, EIO},
                                                     {Kind::Write, ENOSPC},
                                                     {Kind::Write, EDQUOT},
                                                     {Kind::Write, EFBIG},
                                                     {Kind::Sync, EIO},
                                                     {Kind::Sync, ENOSPC},
                                                     {Kind::Sync, EDQUOT}}) {
    const std::string what = absl::StrCat(kind == Kind::Write ? "write: " : "sync: ", strerror(error));
    const Scratch scratch;
    Failpoints none;
    std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
    ASSERT_EQ(submit(*store, "j-before"), absl::OkStatus());
    {
      const FailCalls failing([kind = kind, error = error](const FileCall &call) {
        return call.kind == kind && absl::StrContains(call.path, "hone.db-wal") ? error : 0;
      });
      const absl::Status status = submit(*store, "j-failed");
      const bool isFull = error != EIO;
      EXPECT_EQ(status.code(), isFull ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable)
          << what << ": " << status;
      EXPECT_EQ(absl::StrContains(status.message(), "free space"), isFull) << what << ": " << status;
      EXPECT_TRUE(error == ENOSPC || absl::StrContains(status.message(), strerror(error))) << what << ": " << status;
    }
    EXPECT_TRUE(absl::IsNotFound(store->job("j-failed").status())) << what;
    EXPECT_EQ(submit(*store, "j-after"), absl::OkStatus()) << what << ": it works again";
    store.reset();
    EXPECT_TRUE(fsck(scratch.path())->isWhole()) << what;
  }
}

TEST(FailingDisk, isNoFullOneToARead) {
  const Scratch scratch;
  Failpoints none;
  {
    const std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
    ASSERT_EQ(submit(*store, "j-a"), absl::OkStatus());
  }
  const std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, none);
  const FailCalls failing([](const FileCall &call) {
    return call.kind == Kind::Read && absl::StrContains(call.path, "hone.db") ? EIO : 0;
  });
  EXPECT_TRUE(absl::IsUnavailable(store->job("j-a").status())) << store->job("j-a").status();
}

/// Each call on the way of a blob fails once: the upload says so, nothing is there under its name that is not whole,
/// and the same upload goes on.
TEST(FailingDisk, failsAnUploadThatThenGoesOn) {
  const std::string bytes(1000, 'x');
  v1::Digest digest;
  digest.set_sha256(sha256Hex(bytes));
  digest.set_size_bytes(1000);
  for (const int error : {EIO, ENOSPC}) {
    for (const Kind kind : {Kind::Write, Kind::Sync, Kind::Rename, Kind::MakeFolder, Kind::Open}) {
      for (int number = 1;; ++number) {
        const Scratch scratch = Scratch::inMemory();
        Failpoints none;
        const std::unique_ptr<BlobFolder> blobs = *BlobFolder::open({scratch.path(), 0}, none);
        int seen = 0;
        absl::Status status;
        {
          const FailCalls failing([&](const FileCall &call) {
            if (call.kind != kind || !absl::StartsWith(call.path, scratch.path().string())) return 0;
            return ++seen == number ? error : 0;
          });
          auto writer = blobs->write(digest, "u", 0);
          status = writer.status();
          if (status.ok()) status = (*writer)->append(bytes);
          if (status.ok()) status = (*writer)->finish();
        }
        if (seen < number) break;
        const std::string what =
            absl::StrCat(strerror(error), " at call ", number, " of kind ", static_cast<int>(kind));
        EXPECT_EQ(status.code(), error == EIO ? absl::StatusCode::kUnavailable : absl::StatusCode::kResourceExhausted)
            << what << ": " << status;
        if (blobs->has(digest)) {
          EXPECT_EQ(blobs->verify(digest), absl::OkStatus()) << what;
        }
        const int64_t at = blobs->resumable(digest, "u");
        auto writer = blobs->write(digest, "u", at);
        if (absl::IsAlreadyExists(writer.status())) continue;
        ASSERT_EQ(writer.status(), absl::OkStatus()) << what;
        EXPECT_EQ((*writer)->append(std::string_view(bytes).substr(static_cast<size_t>(at))), absl::OkStatus()) << what;
        EXPECT_EQ((*writer)->finish(), absl::OkStatus()) << what;
        EXPECT_EQ(blobs->verify(digest), absl::OkStatus()) << what;
      }
    }
  }
}

}  // namespace
}  // namespace hone::server::testing
