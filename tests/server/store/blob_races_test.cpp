// What happens to a blob's file between two looks of one call: it is replaced, it goes, it changes.
#include <gtest/gtest.h>
#include <time.h>

#include <filesystem>
#include <functional>
#include <string>

#include "common/sha256.h"
#include "server/base/failpoint.h"
#include "server/store/blob_folder.h"
#include "tests/server/disk/file_calls.h"
#include "tests/server/scratch.h"
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

/// Does something once, when somebody has read a file to its end.
class AtTheEnd : public FileWatcher {
 public:
  AtTheEnd(fs::path file, std::function<void()> act, int times = 1)
      : file_(std::move(file)), act_(std::move(act)), left_(times), watch_(*this) {}

  int64_t around(const FileCall &call, const std::function<int64_t()> &make) override {
    const int64_t result = make();
    if (call.kind != FileCall::Kind::Read || result != 0 || isActing_ || left_ == 0) return result;
    // A file that was renamed meanwhile is still the one that is read.
    if (fs::path(call.path).filename().string().substr(0, 64) != file_.filename()) return result;
    --left_;
    isActing_ = true;
    act_();
    isActing_ = false;
    return result;
  }
  int left() const { return left_; }

 private:
  const fs::path file_;
  const std::function<void()> act_;
  int left_;
  bool isActing_ = false;
  WatchFiles watch_;  // last: it shows calls to what is above
};

class BlobRaces : public ::testing::Test {
 protected:
  BlobRaces() : blobs_(*BlobFolder::open({scratch_.path(), 0}, none_)) {}

  v1::Digest upload(const std::string &bytes, const std::string &id) {
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
  int64_t quarantined() const {
    return std::distance(fs::directory_iterator(scratch_.path() / "quarantine"), fs::directory_iterator());
  }

  Scratch scratch_;
  Failpoints none_;
  const std::unique_ptr<BlobFolder> blobs_;
  const std::string bytes_ = std::string(1000, 'x');
};

TEST_F(BlobRaces, aBlobThatReplacesTheDamagedOneStays) {
  const v1::Digest digest = upload(bytes_, "first");
  // The upload that will replace it has begun before, and does not look at what is there.
  const std::unique_ptr<BlobFolder::Writer> second = [&] {
    fs::rename(pathOf(digest), scratch_.path() / "aside");
    auto writer = *blobs_->write(digest, "second", 0);
    fs::rename(scratch_.path() / "aside", pathOf(digest));
    return writer;
  }();
  ASSERT_EQ(second->append(bytes_), absl::OkStatus());
  flip(pathOf(digest), 5);
  {
    const AtTheEnd replace(pathOf(digest), [&] { EXPECT_EQ(second->finish(), absl::OkStatus()); });
    EXPECT_EQ(blobs_->verify(digest), absl::OkStatus()) << "what is there now is whole";
    EXPECT_EQ(replace.left(), 0);
  }
  EXPECT_TRUE(blobs_->has(digest));
  EXPECT_EQ(readFile(*blobs_->locate(digest)), bytes_);
  EXPECT_EQ(quarantined(), 0);
}

TEST_F(BlobRaces, aDamagedBlobThatReplacesADamagedOneIsSetAside) {
  const v1::Digest digest = upload(bytes_, "first");
  flip(pathOf(digest), 5);
  const AtTheEnd replace(pathOf(digest), [&] {
    writeFile(scratch_.path() / "other", std::string(1000, 'y'));
    fs::rename(scratch_.path() / "other", pathOf(digest));
  });
  EXPECT_TRUE(absl::IsDataLoss(blobs_->verify(digest)));
  EXPECT_EQ(replace.left(), 0);
  EXPECT_FALSE(blobs_->has(digest));
  EXPECT_EQ(quarantined(), 1);
}

TEST_F(BlobRaces, ofTwoThatFindTheDamageOneSetsItAside) {
  const v1::Digest digest = upload(bytes_, "first");
  flip(pathOf(digest), 5);
  const AtTheEnd other(pathOf(digest), [&] { EXPECT_TRUE(absl::IsDataLoss(blobs_->verify(digest))); });
  EXPECT_TRUE(absl::IsNotFound(blobs_->verify(digest)));
  EXPECT_EQ(quarantined(), 1);
}

TEST_F(BlobRaces, aBlobThatIsRemovedWhileItIsReadIsNotThere) {
  const v1::Digest digest = upload(bytes_, "first");
  flip(pathOf(digest), 5);
  const AtTheEnd removal(pathOf(digest), [&] { EXPECT_EQ(blobs_->remove(digest), absl::OkStatus()); });
  EXPECT_TRUE(absl::IsNotFound(blobs_->verify(digest)));
  EXPECT_EQ(quarantined(), 0);
}

/// Waits until the clock with which the kernel stamps files has just made a step.
void awaitTick() {
  timespec before{}, now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &before);
  do clock_gettime(CLOCK_REALTIME_COARSE, &now);
  while (now.tv_nsec == before.tv_nsec);
}

TEST_F(BlobRaces, aChangeBehindTheReadersBackIsNoticed) {
  for (int i = 0; i < 20; ++i) {
    const std::string bytes(static_cast<size_t>(1000 + i), 'x');
    const v1::Digest digest = upload(bytes, "first");
    // Every second time all of it within one tick: written, read, changed.
    if (i % 2 == 0) awaitTick();
    writeFile(pathOf(digest), bytes);
    const AtTheEnd change(pathOf(digest), [&] { flip(pathOf(digest), 5); });
    EXPECT_TRUE(absl::IsDataLoss(blobs_->verify(digest))) << i << ": the first byte had been read, but is another now";
    EXPECT_EQ(change.left(), 0) << i;
    EXPECT_FALSE(blobs_->has(digest));
  }
}

TEST_F(BlobRaces, aChangeThatIsUndoneLeavesTheBlobWhole) {
  const v1::Digest digest = upload(bytes_, "first");
  awaitTick();
  writeFile(pathOf(digest), bytes_);
  const AtTheEnd change(pathOf(digest), [&] { writeFile(pathOf(digest), bytes_); });
  EXPECT_EQ(blobs_->verify(digest), absl::OkStatus());
  EXPECT_EQ(change.left(), 0);
  flip(pathOf(digest), 5);
  EXPECT_TRUE(absl::IsDataLoss(blobs_->verify(digest))) << "it was not remembered as it was before the change";
}

TEST_F(BlobRaces, aBackupThatLinksABlobDoesNotDisturb) {
  const v1::Digest digest = upload(bytes_, "first");
  writeFile(pathOf(digest), bytes_);
  int links = 0;
  const AtTheEnd link(
      pathOf(digest), [&] { fs::create_hard_link(pathOf(digest), scratch_.path() / std::to_string(++links)); }, 1000);
  EXPECT_EQ(blobs_->verify(digest), absl::OkStatus());
  EXPECT_EQ(links, 1) << "it is hashed once";
}

TEST_F(BlobRaces, aBlobThatNeverHoldsStillIsSetAside) {
  const v1::Digest digest = upload(bytes_, "first");
  writeFile(pathOf(digest), bytes_);
  const AtTheEnd change(pathOf(digest), [&] { writeFile(pathOf(digest), bytes_); }, 1000);
  EXPECT_TRUE(absl::IsDataLoss(blobs_->verify(digest)));
  EXPECT_GT(change.left(), 900) << "it is not looked at for ever";
  EXPECT_FALSE(blobs_->has(digest));
}

}  // namespace
}  // namespace hone::server::testing
