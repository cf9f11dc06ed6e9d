// Blobs that were found damaged: what refers to the damaged file goes, what refers to a good one that took its place
// stays.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "tests/server/engine/bench.h"
#include "tests/server/passing_blobs.h"

namespace hone::server::testing {
namespace {

bool hasRow(Bench &bench, const v1::Digest &digest) { return bench.store().blob(digest)->has_value(); }

TEST(Damage, isForgottenWithItsFile) {
  Bench bench;
  const v1::Digest digest = bench.blob("model");
  std::filesystem::remove(*bench.blobs().locate(digest));
  bench.engine().blobDamaged(digest);
  bench.settle();
  EXPECT_FALSE(hasRow(bench, digest));
}

TEST(Damage, ofAnOlderFileLeavesTheNewerOne) {
  Bench bench;
  const v1::Digest digest = bench.blob("model");
  // Whoever found the damage tells of it when the blob has been uploaded again.
  bench.engine().blobDamaged(digest);
  bench.settle();
  EXPECT_TRUE(hasRow(bench, digest));
}

/// A folder that finds every blob damaged, though a whole one has taken its place when it says so.
class LateBlobs : public PassingBlobs {
 public:
  using PassingBlobs::PassingBlobs;
  absl::Status verify(const v1::Digest &) override { return absl::DataLossError("it was moved away"); }
};

TEST(Damage, ofAKeptResultLeavesTheNewerOne) {
  Bench bench({}, nullptr, [](BlobFolder *blobs) { return std::make_unique<LateBlobs>(blobs); });
  TestWorker worker(bench, "w");
  worker.attach();
  bench.submit(bench.compileSpec("model"));
  worker.succeed(worker.lease(), "result");
  bench.settle();
  const v1::Digest result = Bench::digestOf("result");
  ASSERT_TRUE(hasRow(bench, result));
  EXPECT_EQ(bench.submit(bench.compileSpec("model")).state(), v1::JOB_PENDING) << "the kept result is not to be had";
  bench.settle();
  EXPECT_TRUE(hasRow(bench, result));
}

}  // namespace
}  // namespace hone::server::testing
