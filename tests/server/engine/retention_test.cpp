// What goes with time, and what must not.
#include <gtest/gtest.h>

#include "server/base/error_detail.h"
#include "tests/server/engine/bench.h"
#include "tests/server/engine/failing_store.h"
#include "tests/server/passing_blobs.h"

namespace hone::server::testing {
namespace {

/// As FindMissing does.
void see(Bench &bench, const v1::Digest &digest) {
  bench.engine().blobsSeen({**bench.store().blob(digest)}, [](const auto &) {});
}

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
  see(bench, seen);
  bench.settle();
  const v1::Digest older = bench.blob("older");
  bench.clock.advance(absl::Minutes(5));
  see(bench, seen);
  bench.settle();
  bench.clock.advance(absl::Minutes(56));
  EXPECT_TRUE(eventually([&] {
    bench.advance(absl::ZeroDuration());
    return !bench.blobs().has(older);
  }));
  EXPECT_TRUE(isThere(seen));
}

TEST_F(Retention, writesAUseDownOnceInAWhile) {
  const v1::Digest digest = bench.blob("seen");
  const auto used = [&] { return (*bench.store().blob(digest))->usedMicros; };
  const int64_t stored = used();
  bench.clock.advance(absl::Seconds(50));
  see(bench, digest);
  bench.settle();
  EXPECT_EQ(used(), stored) << "who asks again at once waits for no commit";
  bench.clock.advance(absl::Seconds(10));
  see(bench, digest);
  bench.settle();
  EXPECT_GT(used(), stored);
}

TEST_F(Retention, leavesWhatALiveJobOrAResultNeeds) {
  worker.attach();
  const std::string done = bench.submit(bench.compileSpec("model")).id();
  worker.succeed(worker.lease(), "result");
  bench.settle();
  worker.detach();
  v1::JobSpec waits = bench.compileSpec("waits");
  *waits.mutable_compile()->add_data_files()->mutable_digest() = bench.blob("its data");
  bench.submit(waits);
  collect(absl::Hours(20));
  EXPECT_TRUE(isThere(bench.digestOf("waits")));
  EXPECT_TRUE(isThere(bench.digestOf("its data")));
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

/// Turns the engine's housekeeping until \p event.
void waitFor(Bench &bench, const std::future<void> &event) {
  ASSERT_TRUE(eventually([&] {
    bench.engine().tick();
    return event.wait_for(std::chrono::milliseconds(5)) == std::future_status::ready;
  }));
}

TEST(Garbage, isSparedWhenSomebodyNamesItDuringTheScan) {
  FailingStore::Faults faults;
  std::promise<void> scanned, named;
  std::future<void> mayReturn = named.get_future();
  std::atomic<bool> isArmed{false};
  faults.afterScan = [&] {
    if (!isArmed.exchange(false)) return;
    scanned.set_value();
    mayReturn.wait();
  };
  Bench bench(Policy{.blobGrace = absl::Hours(1)},
              [&](Store *store) { return std::make_unique<FailingStore>(store, faults); });
  const v1::Digest seen = bench.blob("seen"), submitted = bench.blob("submitted"), garbage = bench.blob("garbage");
  v1::JobSpec spec = bench.compileSpec("submitted");
  isArmed = true;
  bench.clock.advance(absl::Hours(2));
  waitFor(bench, scanned.get_future());
  see(bench, seen);
  bench.submit(spec);
  named.set_value();
  EXPECT_TRUE(eventually([&] { return !bench.blobs().has(garbage); }));
  bench.settle();
  EXPECT_TRUE(bench.blobs().has(seen));
  EXPECT_TRUE(bench.blobs().has(submitted));
}

/// A folder whose files go only when they are let go.
class SlowBlobs : public PassingBlobs {
 public:
  SlowBlobs(BlobFolder *blobs, std::function<void()> beforeRemoval)
      : PassingBlobs(blobs), beforeRemoval_(std::move(beforeRemoval)) {}
  absl::Status remove(const v1::Digest &digest) override {
    beforeRemoval_();
    return PassingBlobs::remove(digest);
  }

 private:
  std::function<void()> beforeRemoval_;
};

TEST(Garbage, isNotGivenOutWhileItsFileGoes) {
  std::promise<void> removing, go;
  std::shared_future<void> mayGo = go.get_future().share();
  std::atomic<int> removals{0};
  Bench bench(Policy{.blobGrace = absl::Hours(1)}, nullptr, [&](BlobFolder *blobs) {
    return std::make_unique<SlowBlobs>(blobs, [&] {
      if (++removals == 1) removing.set_value();
      mayGo.wait();
    });
  });
  const v1::JobSpec spec = bench.compileSpec("model");
  bench.clock.advance(absl::Hours(2));
  waitFor(bench, removing.get_future());
  ASSERT_TRUE(bench.blobs().has(spec.compile().model())) << "not gone yet";
  const absl::Status status = bench.trySubmit(bench.request(spec)).status();
  EXPECT_EQ(detailOf(status).reason(), "BLOB_BEING_REMOVED") << status;
  EXPECT_GT(detailOf(status).retry_seconds(), 0);
  go.set_value();
  EXPECT_TRUE(
      eventually([&] { return detailOf(bench.trySubmit(bench.request(spec)).status()).reason() == "MISSING_BLOB"; }));
  EXPECT_TRUE(bench.trySubmit(bench.request(bench.compileSpec("model"))).ok()) << "uploaded again";
}

TEST_F(Retention, forgetsOldJobsInSteps) {
  const v1::JobSpec spec = bench.compileSpec("model");
  for (int i = 0; i < 450; ++i) {
    bench.engine().submit("ada", bench.request(spec), [&](const absl::StatusOr<v1::Job> &job) {
      bench.engine().cancel("ada", job->id(), [](const auto &) {});
    });
  }
  EXPECT_TRUE(eventually([&] { return bench.observer.ends == 450; }));
  bench.settle();
  const std::string last = bench.store().jobs({})->jobs(0).id();
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
