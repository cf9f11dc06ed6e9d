// What goes with time, and what must not.
#include <gtest/gtest.h>

#include "tests/server/engine/bench.h"

namespace hone::server::testing {
namespace {

struct Retention : ::testing::Test {
  Policy policy{.keepJobs = absl::Hours(48), .blobGrace = absl::Hours(1), .keepCache = absl::Hours(24)};
  Bench bench{policy};
  TestWorker worker{bench, "w"};

  bool isThere(const v1::Digest &digest) {
    const auto row = bench.store().blob(digest);
    return row.ok() && row->has_value() && bench.blobs().has(digest);
  }
  /// Lets time pass, collects, and waits until what must go is gone: \p witness, garbage of its own.
  void collect(absl::Duration after) {
    const v1::Digest witness = bench.blob(absl::StrCat("witness ", ++witnesses));
    bench.advance(after);
    EXPECT_TRUE(eventually([&] {
      bench.advance(absl::ZeroDuration());
      return !bench.blobs().has(witness) && !bench.store().blob(witness)->has_value();
    })) << "nothing is collected";
  }
  int witnesses = 0;
};

TEST_F(Retention, takesBlobsThatNobodyUses) {
  const v1::Digest garbage = bench.blob("garbage");
  bench.advance(absl::Minutes(59));
  bench.settle();
  EXPECT_TRUE(isThere(garbage)) << "the grace is not over";
  collect(absl::Minutes(61));
  EXPECT_FALSE(isThere(garbage));
}

TEST_F(Retention, leavesWhatWasSeen) {
  const v1::Digest seen = bench.blob("seen");
  bench.clock.advance(absl::Minutes(50));
  bench.engine().blobsSeen({seen});
  bench.settle();
  const v1::Digest older = bench.blob("older");
  bench.clock.advance(absl::Minutes(5));
  bench.engine().blobsSeen({seen});
  bench.settle();
  bench.clock.advance(absl::Minutes(56));
  EXPECT_TRUE(eventually([&] {
    bench.advance(absl::ZeroDuration());
    return !bench.blobs().has(older);
  }));
  EXPECT_TRUE(isThere(seen));
}

TEST_F(Retention, leavesWhatALiveJobOrAResultNeeds) {
  worker.attach();
  const std::string done = bench.submit(bench.compileSpec("model")).id();
  worker.succeed(worker.lease(), "result");
  bench.settle();
  worker.detach();
  bench.submit(bench.compileSpec("waits"));
  collect(absl::Hours(20));
  EXPECT_TRUE(isThere(bench.digestOf("waits")));
  EXPECT_FALSE(isThere(bench.digestOf("model"))) << "its job has ended";
  EXPECT_TRUE(isThere(bench.digestOf("result")));
  collect(absl::Hours(30));
  EXPECT_FALSE(bench.store().job(done).ok()) << "ended more than two days ago";
  collect(absl::Hours(2));
  EXPECT_FALSE(isThere(bench.digestOf("result"))) << "with the job and the cache's entry";
}

TEST_F(Retention, aCacheHitRenewsTheResult) {
  worker.attach();
  bench.submit(bench.compileSpec("model"));
  worker.succeed(worker.lease(), "result");
  for (int i = 0; i < 4; ++i) {
    for (int hour = 0; hour < 20; ++hour) {
      bench.advance(absl::Hours(1));
      worker.attach();
      bench.settle();
    }
    EXPECT_EQ(bench.submit(bench.compileSpec("model")).state(), v1::JOB_SUCCEEDED) << "hit " << i;
  }
}

TEST_F(Retention, tellsWhoComesBetweenFileAndRowToUploadAgain) {
  // A row without a file is what a crash between the two steps leaves.
  const v1::Digest half = bench.blob("half");
  ASSERT_EQ(bench.blobs().remove(half), absl::OkStatus());
  v1::JobSpec spec = bench.compileSpec("another");
  *spec.mutable_compile()->mutable_model() = half;
  EXPECT_TRUE(absl::IsFailedPrecondition(bench.trySubmit(bench.request(spec)).status()));
  bench.blob("half");
  EXPECT_TRUE(bench.trySubmit(bench.request(spec)).ok());
}

TEST_F(Retention, forgetsOldJobsInSteps) {
  std::string last;
  for (int i = 0; i < 450; ++i) {
    last = bench.submit(bench.compileSpec("model")).id();
    bench.cancel(last).IgnoreError();
  }
  bench.advance(absl::Hours(47));
  EXPECT_TRUE(bench.store().job(last).ok());
  bench.advance(absl::Hours(2));
  EXPECT_TRUE(eventually([&] {
    bench.settle();
    return bench.store().jobs({})->jobs_size() == 0;
  }));
}

}  // namespace
}  // namespace hone::server::testing
