// Blobs on disk: what is damaged is never given out, what was broken off goes on, what lies is thrown away.
#include "server/store/blob_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "server/base/failpoint.h"
#include "tests/server/scratch.h"
#include "tests/server/store/child.h"
#include "tests/server/store/files.h"

namespace hone::server::testing {
namespace {

namespace fs = std::filesystem;

v1::Digest digestOfBytes(const std::string &bytes) {
  v1::Digest digest;
  digest.set_sha256(sha256Hex(bytes));
  digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
  return digest;
}

class Blobs : public ::testing::Test {
 protected:
  Blobs() { reopen(); }

  void reopen() {
    blobs_.reset();
    absl::StatusOr<std::unique_ptr<BlobFolder>> opened = BlobFolder::open({scratch_.path(), 0}, none_);
    ASSERT_EQ(opened.status(), absl::OkStatus());
    blobs_ = *std::move(opened);
  }
  v1::Digest upload(const std::string &bytes, const std::string &id = "u") {
    v1::Digest digest = digestOfBytes(bytes);
    absl::StatusOr<std::unique_ptr<BlobFolder::Writer>> writer = blobs_->write(digest, id, 0);
    EXPECT_EQ(writer.status(), absl::OkStatus());
    if (writer.ok()) {
      EXPECT_EQ((*writer)->append(bytes), absl::OkStatus());
      EXPECT_EQ((*writer)->finish(), absl::OkStatus());
    }
    return digest;
  }
  fs::path pathOf(const v1::Digest &digest) const {
    return scratch_.path() / "blobs" / "sha256" / digest.sha256().substr(0, 2) / digest.sha256();
  }
  int64_t filesIn(const std::string &folder) const {
    return std::distance(fs::directory_iterator(scratch_.path() / folder), fs::directory_iterator());
  }

  Scratch scratch_;
  Failpoints none_;
  std::unique_ptr<BlobFolder> blobs_;
};

TEST(Digests, areChecked) {
  v1::Digest digest = digestOfBytes("abc");
  // FIPS 180-2's own example.
  EXPECT_EQ(digest.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(checkDigest(digest), absl::OkStatus());
  digest.set_size_bytes(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(checkDigest(digest)));
  digest.set_size_bytes(0);
  for (const std::string &wrong :
       std::vector<std::string>{"", std::string(64, 'g'), std::string(64, 'A'), std::string(63, 'a'),
                                std::string(65, 'a'), "../../" + std::string(58, 'a')}) {
    digest.set_sha256(wrong);
    EXPECT_TRUE(absl::IsInvalidArgument(checkDigest(digest))) << wrong;
  }
}

TEST_F(Blobs, namesThatAreNoDigestsLeadNowhere) {
  v1::Digest digest;
  digest.set_sha256("../../../../../../../../../../../../etc/passwd");
  EXPECT_FALSE(blobs_->has(digest));
  EXPECT_TRUE(absl::IsInvalidArgument(blobs_->verify(digest)));
  EXPECT_TRUE(absl::IsInvalidArgument(blobs_->locate(digest).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(blobs_->remove(digest)));
  EXPECT_TRUE(absl::IsInvalidArgument(blobs_->write(digest, "u", 0).status()));
  digest = digestOfBytes("abc");
  for (const std::string &id : std::vector<std::string>{"", "a/b", "..", std::string(65, 'a'), "a b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(blobs_->write(digest, id, 0).status())) << id;
    EXPECT_EQ(blobs_->resumable(digest, id), 0);
  }
}

TEST_F(Blobs, anUploadIsWholeOrNotThere) {
  const std::string bytes(100000, 'x');
  const v1::Digest digest = digestOfBytes(bytes);
  EXPECT_FALSE(blobs_->has(digest));
  EXPECT_TRUE(absl::IsNotFound(blobs_->verify(digest)));
  {
    std::unique_ptr<BlobFolder::Writer> writer = *blobs_->write(digest, "u", 0);
    ASSERT_EQ(writer->append({bytes.data(), 60000}), absl::OkStatus());
    EXPECT_EQ(writer->written(), 60000);
    EXPECT_FALSE(blobs_->has(digest));
    ASSERT_EQ(writer->append({bytes.data() + 60000, 40000}), absl::OkStatus());
    EXPECT_FALSE(blobs_->has(digest));
    ASSERT_EQ(writer->finish(), absl::OkStatus());
    EXPECT_TRUE(absl::IsFailedPrecondition(writer->finish()));
    EXPECT_TRUE(absl::IsFailedPrecondition(writer->append("x")));
  }
  EXPECT_TRUE(blobs_->has(digest));
  EXPECT_EQ(readFile(*blobs_->locate(digest)), bytes);
  EXPECT_EQ(filesIn("uploads"), 0);
  EXPECT_TRUE(absl::IsAlreadyExists(blobs_->write(digest, "other", 0).status()));
  v1::Digest lying = digest;
  lying.set_size_bytes(99999);
  EXPECT_FALSE(blobs_->has(lying));
  EXPECT_TRUE(absl::IsNotFound(blobs_->verify(lying)));
  EXPECT_TRUE(blobs_->has(digest)) << "a wrong question does not harm the blob";
  EXPECT_EQ(blobs_->remove(digest), absl::OkStatus());
  EXPECT_EQ(blobs_->remove(digest), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(blobs_->verify(digest)));
}

TEST_F(Blobs, theEmptyBlob) {
  const v1::Digest digest = upload("");
  EXPECT_EQ(digest.sha256(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(blobs_->verify(digest), absl::OkStatus());
}

TEST_F(Blobs, liesAreThrownAway) {
  const std::string bytes(1000, 'x');
  const v1::Digest digest = digestOfBytes(bytes);
  std::unique_ptr<BlobFolder::Writer> writer = *blobs_->write(digest, "long", 0);
  ASSERT_EQ(writer->append(bytes), absl::OkStatus());
  EXPECT_TRUE(absl::IsInvalidArgument(writer->append("y"))) << "one byte more than declared";
  EXPECT_EQ(blobs_->resumable(digest, "long"), 0);

  writer = *blobs_->write(digest, "short", 0);
  ASSERT_EQ(writer->append({bytes.data(), 999}), absl::OkStatus());
  EXPECT_TRUE(absl::IsInvalidArgument(writer->finish()));

  writer = *blobs_->write(digest, "other", 0);
  ASSERT_EQ(writer->append(std::string(1000, 'y')), absl::OkStatus());
  const absl::Status status = writer->finish();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_TRUE(absl::StrContains(status.message(), digestOfBytes(std::string(1000, 'y')).sha256())) << status;

  v1::Digest smaller = digest;  // the right bytes under a size that is too small
  smaller.set_size_bytes(10);
  writer = *blobs_->write(smaller, "u", 0);
  EXPECT_TRUE(absl::IsInvalidArgument(writer->append(bytes)));
  EXPECT_FALSE(blobs_->has(digest));
  EXPECT_EQ(filesIn("uploads"), 0);
}

TEST_F(Blobs, aBrokenUploadGoesOn) {
  std::string bytes;
  for (int i = 0; i < 300000; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 251));
  const v1::Digest digest = digestOfBytes(bytes);
  const std::vector<int64_t> breaks = {1, 65536, 65537, 200000, 300000};
  int64_t at = 0;
  for (size_t i = 0; i < breaks.size(); ++i) {
    EXPECT_EQ(blobs_->resumable(digest, "u"), at);
    std::unique_ptr<BlobFolder::Writer> writer = *blobs_->write(digest, "u", at);
    EXPECT_EQ(writer->written(), at);
    ASSERT_EQ(writer->append({bytes.data() + at, static_cast<size_t>(breaks[i] - at)}), absl::OkStatus());
    at = breaks[i];
    writer.reset();
    if (i % 2 == 1) reopen();  // as after a restart: the hash's state is gone
  }
  EXPECT_EQ(blobs_->resumable(digest, "other"), 0);
  for (const int64_t wrong : {int64_t{1}, at - 1, at + 1, int64_t{-1}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(blobs_->write(digest, "u", wrong).status())) << wrong;
  }
  EXPECT_EQ((*blobs_->write(digest, "u", at))->finish(), absl::OkStatus());
  EXPECT_EQ(readFile(*blobs_->locate(digest)), bytes);
}

TEST_F(Blobs, aDamagedPartIsFoundWhenTheUploadEnds) {
  const std::string bytes(10000, 'x');
  const v1::Digest digest = digestOfBytes(bytes);
  ASSERT_EQ((*blobs_->write(digest, "u", 0))->append({bytes.data(), 5000}), absl::OkStatus());
  reopen();
  for (const fs::directory_entry &entry : fs::directory_iterator(scratch_.path() / "uploads")) flip(entry.path(), 77);
  std::unique_ptr<BlobFolder::Writer> writer = *blobs_->write(digest, "u", 5000);
  ASSERT_EQ(writer->append({bytes.data(), 5000}), absl::OkStatus());
  EXPECT_TRUE(absl::IsInvalidArgument(writer->finish()));
  EXPECT_EQ(blobs_->resumable(digest, "u"), 0);
  EXPECT_EQ(upload(bytes).sha256(), digest.sha256());
}

TEST_F(Blobs, theSameUploadTwice) {
  const std::string bytes(1000, 'x');
  const v1::Digest digest = digestOfBytes(bytes);
  std::unique_ptr<BlobFolder::Writer> first = *blobs_->write(digest, "u", 0);
  ASSERT_EQ(first->append({bytes.data(), 500}), absl::OkStatus());
  EXPECT_TRUE(absl::IsAborted(blobs_->write(digest, "u", 0).status()));
  EXPECT_TRUE(absl::IsAborted(blobs_->write(digest, "u", 500).status()));
  // Under another id it is another upload; both may end.
  EXPECT_EQ(upload(bytes, "v").sha256(), digest.sha256());
  ASSERT_EQ(first->append({bytes.data() + 500, 500}), absl::OkStatus());
  EXPECT_EQ(first->finish(), absl::OkStatus());
  EXPECT_EQ(blobs_->verify(digest), absl::OkStatus());
  EXPECT_EQ(filesIn("uploads"), 0);
}

TEST_F(Blobs, damageIsFoundAndSetAside) {
  const std::string bytes(200000, 'x');
  using Damage = std::function<void(const fs::path &)>;
  const std::vector<Damage> damages = {
      [](const fs::path &file) { flip(file, 0); },
      [](const fs::path &file) { flip(file, 199999); },
      [](const fs::path &file) { writeFile(file, std::string(199999, 'x')); },
      [](const fs::path &file) { writeFile(file, std::string(200001, 'x')); },
      [](const fs::path &file) { writeFile(file, ""); },
      [](const fs::path &file) {  // the same bytes elsewhere, under a link: not ours
        fs::rename(file, file.string() + ".elsewhere");
        fs::create_symlink(file.string() + ".elsewhere", file);
      },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    const v1::Digest digest = upload(bytes);
    ASSERT_EQ(blobs_->verify(digest), absl::OkStatus());
    damages[i](pathOf(digest));
    if (i % 2 == 1) reopen();
    if (fs::is_symlink(pathOf(digest))) {
      EXPECT_FALSE(blobs_->has(digest));
      EXPECT_FALSE(blobs_->locate(digest).ok());
      continue;
    }
    const absl::Status status = blobs_->locate(digest).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << i << ": " << status;
    EXPECT_FALSE(blobs_->has(digest));
    EXPECT_EQ(filesIn("quarantine"), static_cast<int64_t>(i + 1));
    EXPECT_TRUE(absl::IsNotFound(blobs_->verify(digest)));
  }
}

TEST_F(Blobs, anUploadReplacesADamagedBlob) {
  const std::string bytes(1000, 'x');
  const v1::Digest digest = upload(bytes);
  flip(pathOf(digest), 5);
  EXPECT_EQ(upload(bytes).sha256(), digest.sha256());
  EXPECT_EQ(blobs_->verify(digest), absl::OkStatus());
}

TEST_F(Blobs, importCopiesAndLeavesTheFile) {
  const std::string bytes(3'000'001, 'm');
  const fs::path file = scratch_.path() / "model.onnx";
  writeFile(file, bytes);
  const v1::Digest digest = *blobs_->import(file);
  EXPECT_EQ(digest.sha256(), digestOfBytes(bytes).sha256());
  EXPECT_EQ(digest.size_bytes(), 3'000'001);
  flip(file, 0);
  reopen();
  EXPECT_EQ(blobs_->verify(digest), absl::OkStatus()) << "the blob is a copy";
  EXPECT_EQ(readFile(*blobs_->locate(digest)), bytes);
  writeFile(file, bytes);
  EXPECT_EQ(blobs_->import(file)->sha256(), digest.sha256());
  EXPECT_EQ(filesIn("uploads"), 0);
}

TEST_F(Blobs, importMovesWhatIsStaged) {
  const fs::path file = blobs_->stagingFolder() / "artifact.tar";
  writeFile(file, "artifact");
  struct stat before{};
  ASSERT_EQ(stat(file.c_str(), &before), 0);
  const v1::Digest digest = *blobs_->import(file);
  EXPECT_FALSE(fs::exists(file));
  struct stat after{};
  ASSERT_EQ(stat(pathOf(digest).c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  // Again: the blob stays, the staged file goes.
  writeFile(file, "artifact");
  EXPECT_EQ(blobs_->import(file)->sha256(), digest.sha256());
  EXPECT_FALSE(fs::exists(file));
  // One with a second name is copied: it could be written under that.
  writeFile(scratch_.path() / "mine", "mine");
  fs::create_hard_link(scratch_.path() / "mine", blobs_->stagingFolder() / "link");
  const v1::Digest mine = *blobs_->import(blobs_->stagingFolder() / "link");
  writeFile(scratch_.path() / "mine", "changed");
  EXPECT_EQ(blobs_->verify(mine), absl::OkStatus());
}

TEST_F(Blobs, importRefusesWhatIsNoFile) {
  EXPECT_TRUE(absl::IsInvalidArgument(blobs_->import("relative").status()));
  EXPECT_TRUE(absl::IsNotFound(blobs_->import(scratch_.path() / "none").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(blobs_->import(scratch_.path()).status()));
  const fs::path pipe = scratch_.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(blobs_->import(pipe).status())) << "and does not wait for a writer";
  writeFile(scratch_.path() / "secret", "secret");
  fs::create_symlink(scratch_.path() / "secret", blobs_->stagingFolder() / "link");
  EXPECT_FALSE(blobs_->import(blobs_->stagingFolder() / "link").ok()) << "a staged link is not followed";
}

TEST_F(Blobs, sweepingLeavesWhatIsNewOrGoingOn) {
  const v1::Digest digest = digestOfBytes("abc");
  const auto age = [&] {
    for (const fs::directory_entry &entry : fs::directory_iterator(scratch_.path() / "uploads")) {
      fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours(2));
    }
  };
  std::unique_ptr<BlobFolder::Writer> open = *blobs_->write(digest, "going", 0);
  ASSERT_EQ((*blobs_->write(digest, "old", 0))->append("a"), absl::OkStatus());
  age();
  ASSERT_EQ((*blobs_->write(digest, "new", 0))->append("a"), absl::OkStatus());
  EXPECT_EQ(blobs_->sweepUploads(3600), 1);
  EXPECT_EQ(blobs_->resumable(digest, "old"), 0);
  EXPECT_EQ(blobs_->resumable(digest, "new"), 1);
  ASSERT_EQ(open->append("abc"), absl::OkStatus());
  EXPECT_EQ(open->finish(), absl::OkStatus());
}

TEST_F(Blobs, aFolderThatCannotBeWritten) {
  writeFile(scratch_.path() / "file", "");
  const absl::Status status = BlobFolder::open({scratch_.path() / "file" / "below", 0}, none_).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

/// Killed anywhere, a blob under its name is whole, and the upload can be done again or go on.
TEST(BlobCrash, atEveryFailpoint) {
  const std::string bytes(100000, 'k');
  const v1::Digest digest = digestOfBytes(bytes);
  for (const std::string name :
       {"blob.write.before", "blob.rename.before", "blob.rename.after", "blob.folder.synced"}) {
    for (const bool isImport : {false, true}) {
      Scratch scratch;
      writeFile(scratch.path() / "file", bytes);
      Child child([&](const Child::Tell &tell) {
        Failpoints failpoints(isImport || name != "blob.write.before" ? name : name + ":2");
        std::unique_ptr<BlobFolder> blobs = *BlobFolder::open({scratch.path(), 0}, failpoints);
        if (isImport) {
          tell(std::string(blobs->import(scratch.path() / "file").status().message()));
        } else {
          std::unique_ptr<BlobFolder::Writer> writer = *blobs->write(digest, "u", 0);
          if (!writer->append({bytes.data(), 50000}).ok() || !writer->append({bytes.data() + 50000, 50000}).ok())
            return;
          tell(std::string(writer->finish().message()));
        }
      });
      ASSERT_TRUE(child.wasKilled()) << name;
      std::string line;
      EXPECT_FALSE(child.line(line)) << name << " acknowledged before it was durable";
      Failpoints none;
      std::unique_ptr<BlobFolder> blobs = *BlobFolder::open({scratch.path(), 0}, none);
      const bool isThere = name == "blob.rename.after" || name == "blob.folder.synced";
      EXPECT_EQ(blobs->has(digest), isThere) << name;
      if (isThere) {
        EXPECT_EQ(blobs->verify(digest), absl::OkStatus());
        continue;
      }
      const int64_t at = blobs->resumable(digest, "u");
      EXPECT_EQ(at, isImport ? 0 : name == "blob.write.before" ? 50000 : 100000);
      std::unique_ptr<BlobFolder::Writer> writer = *blobs->write(digest, "u", at);
      ASSERT_EQ(writer->append({bytes.data() + at, bytes.size() - static_cast<size_t>(at)}), absl::OkStatus());
      EXPECT_EQ(writer->finish(), absl::OkStatus());
      EXPECT_EQ(blobs->verify(digest), absl::OkStatus());
    }
  }
}

TEST_F(Blobs, manyThreadsStoreAndReadTheSame) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20; ++i) {
        const std::string bytes(static_cast<size_t>(1000 + i), 't');
        const v1::Digest digest = digestOfBytes(bytes);
        absl::StatusOr<std::unique_ptr<BlobFolder::Writer>> writer =
            blobs_->write(digest, absl::StrCat("thread-", thread), 0);
        if (writer.ok()) {
          EXPECT_EQ((*writer)->append(bytes), absl::OkStatus());
          EXPECT_EQ((*writer)->finish(), absl::OkStatus());
        } else {
          EXPECT_TRUE(absl::IsAlreadyExists(writer.status())) << writer.status();
        }
        EXPECT_EQ(blobs_->verify(digest), absl::OkStatus());
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(filesIn("uploads"), 0);
  EXPECT_EQ(filesIn("quarantine"), 0);
}

}  // namespace
}  // namespace hone::server::testing
