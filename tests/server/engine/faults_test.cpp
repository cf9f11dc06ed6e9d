// What a failed commit and a restart leave behind: nothing that was not promised, everything that was.
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/match.h"
#include "server/base/error_detail.h"
#include "tests/server/engine/bench.h"
#include "tests/server/engine/failing_store.h"

namespace hone::server::testing {
namespace {

using Texts = std::vector<std::string>;

struct Commits : ::testing::Test {
  FailingStore::Faults faults;
  Bench bench{Policy(), [this](Store *store) { return std::make_unique<FailingStore>(store, faults); }};
  TestWorker worker{bench, "w"};
};

TEST_F(Commits, thatFailAnswerNobodyOk) {
  const v1::SubmitRequest request = bench.request(bench.compileSpec());
  faults.commitsUntilFailure = 0;
  const absl::Status status = bench.trySubmit(request).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "could not be made durable: the disk of this test is full"));
  EXPECT_EQ(detailOf(status).reason(), "DISK_FULL");
  EXPECT_FALSE(detailOf(status).remedy().empty());
  EXPECT_TRUE(bench.store().unfinished()->tasks.empty());
  EXPECT_EQ(bench.engine().state().pending, 0);
  EXPECT_EQ(bench.observer.failures, 1);
  EXPECT_FALSE(bench.engine().state().lastCommit.ok());
  const auto again = bench.trySubmit(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(bench.job(again->id()).state(), v1::JOB_PENDING);
  EXPECT_TRUE(bench.engine().state().lastCommit.ok());
}

TEST_F(Commits, thatFailSendNoLease) {
  worker.attach();
  EXPECT_EQ(worker.heard(), Texts{"welcome"});
  faults.commitsUntilFailure = 1;  // that of the blob succeeds
  const v1::JobSpec spec = bench.compileSpec();
  EXPECT_FALSE(bench.trySubmit(bench.request(spec)).ok());
  EXPECT_TRUE(worker.leases().empty());
  const std::string id = bench.submit(spec).id();
  bench.advance(absl::Seconds(1));
  EXPECT_EQ(worker.leases().size(), 1U) << "the session has stayed, its slot is free";
  EXPECT_EQ(bench.ends(id), Texts{"w "});
}

TEST_F(Commits, thatFailLoseNoResult) {
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  bench.blob("artifact", "");
  v1::LeaseResult result = resultOf(lease);
  *result.mutable_artifact() = bench.blob("artifact", "");
  worker.heard();
  faults.isFull = true;
  worker.send(result);
  bench.settle();
  EXPECT_EQ(bench.job(id).state(), v1::JOB_RUNNING);
  EXPECT_TRUE(worker.heard().empty()) << "no ack of what is not durable";
  EXPECT_EQ(bench.engine().state().leased, 1);
  faults.isFull = false;
  bench.advance(absl::Seconds(1));
  EXPECT_TRUE(eventually([&] { return bench.job(id).state() == v1::JOB_SUCCEEDED; }));
  EXPECT_EQ(worker.heard(), Texts{"ack " + nameOf(lease) + " yes"}) << "the worker does not send it twice";
}

TEST_F(Commits, thatFailLoseNoWelcome) {
  faults.isFull = true;
  worker.attach();
  EXPECT_TRUE(worker.heard().empty());
  faults.isFull = false;
  bench.advance(absl::Seconds(1));
  bench.advance(absl::Seconds(1));
  EXPECT_EQ(worker.heard(), Texts{"welcome"});
  bench.submit(bench.compileSpec());
  EXPECT_EQ(worker.leases().size(), 1U);
}

TEST_F(Commits, thatFailInTheMiddleUndoTheWholeGroup) {
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  faults.changesUntilFailure = 0;
  EXPECT_FALSE(bench.cancel(id).ok());
  EXPECT_EQ(bench.job(id).state(), v1::JOB_RUNNING);
  worker.succeed(lease);
  EXPECT_TRUE(eventually([&] {
    bench.advance(absl::Seconds(1));
    return bench.job(id).state() == v1::JOB_SUCCEEDED;
  })) << "the lease still stands";
}

TEST_F(Commits, areTriedAgainWhenEvenReadingFailed) {
  worker.attach();
  const v1::JobSpec spec = bench.compileSpec();
  faults.isUnreadable = true;
  faults.commitsUntilFailure = 0;
  EXPECT_FALSE(bench.trySubmit(bench.request(spec)).ok());
  EXPECT_FALSE(bench.trySubmit(bench.request(spec)).ok()) << "nothing is decided on what was undone";
  faults.isUnreadable = false;
  EXPECT_TRUE(bench.trySubmit(bench.request(spec)).ok());
}

TEST_F(Commits, thatFailBlameNoWorkerTwice) {
  worker.attach();
  bench.submit(bench.compileSpec());
  const v1::Lease lease = worker.lease();
  faults.commitsUntilFailure = 0;
  worker.giveUp(lease);
  bench.settle();
  bench.advance(absl::Seconds(1));
  const v1::Worker listed = bench.worker("w");
  EXPECT_EQ(listed.state(), v1::WORKER_READY) << listed.reason();
}

TEST_F(Commits, thatFailMakeNoLeaseOfAnEarlierCoordinatorOurs) {
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  worker.lease();
  bench.restart();
  faults.commitsUntilFailure = 0;
  worker.attach();
  bench.settle();
  bench.advance(absl::Seconds(1));
  EXPECT_EQ(bench.ends(id), (Texts{"w lost", "w "})) << "it may still never have been sent";
}

TEST_F(Commits, thatFailHoldUpNoResultUntilItsLeaseIsOver) {
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  v1::LeaseResult result = resultOf(lease);
  *result.mutable_artifact() = bench.blob("artifact", "");
  bench.advance(absl::Seconds(14));
  worker.heartbeat({});
  bench.advance(absl::Seconds(5));
  faults.commitsUntilFailure = 0;
  worker.send(result);
  bench.settle();
  bench.advance(absl::Seconds(1));
  EXPECT_EQ(bench.ends(id), Texts{"w done"}) << "it came in time";
}

TEST_F(Commits, thatFailWithAnExpiryLeaveTheLeaseThatTheStoreHas) {
  TestWorker other(bench, "other");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  v1::LeaseResult result = resultOf(lease);
  *result.mutable_artifact() = bench.blob("artifact", "");
  bench.advance(absl::Seconds(14));
  worker.heartbeat({});
  other.attach();
  bench.settle();
  faults.commitsUntilFailure = 0;
  bench.advance(absl::Seconds(6));  // the other one is granted it, with another epoch, and that is undone
  EXPECT_TRUE(other.leases().empty());
  worker.send(result);
  bench.settle();
  EXPECT_EQ(bench.ends(id), Texts{"w done"});
}

// --------------------------------------------------------------------------------------------- restarts at every step

/// A small job's life, with a restart of the coordinator before each step whose number is in \p restarts.
struct Life {
  Texts story, ends;
  std::string result;
  bool operator==(const Life &) const = default;
};

Life live(const std::function<bool(int)> &restartsBefore) {
  Bench bench;
  TestWorker builder(bench, "builder"), second(bench, "second");
  std::vector<v1::Lease> held;
  int number = 0;
  std::vector<TestWorker *> attached;
  const auto step = [&] {
    if (!restartsBefore(number++)) return;
    bench.settle();
    bench.restart();
    for (TestWorker *worker : attached) {
      for (const v1::Lease &lease : held) worker->hold(lease);
      worker->attach();
    }
    bench.settle();
  };
  v1::JobSpec spec = bench.compileSpec();
  const v1::SubmitRequest request = bench.request(spec);
  step();
  const std::string id = bench.trySubmit(request)->id();
  step();
  EXPECT_EQ(bench.trySubmit(request)->id(), id);
  step();
  builder.attach();
  attached = {&builder};
  held = {builder.lease()};
  step();
  builder.progress(held[0], "parse");
  builder.heartbeat(held);
  step();
  builder.goodbye();
  builder.giveUp(held[0]);  // leased -> pending
  held.clear();
  attached.clear();
  bench.settle();
  step();
  bench.advance(absl::Seconds(1));
  second.attach();
  attached = {&second};
  held = {second.lease()};  // pending -> leased
  step();
  bench.advance(absl::Seconds(1));
  second.heartbeat(held);
  step();
  second.succeed(held[0]);  // leased -> ended
  held.clear();
  bench.settle();
  step();
  const v1::Job job = bench.job(id);
  EXPECT_EQ(bench.trySubmit(request)->id(), id);
  EXPECT_EQ(bench.store().unfinished()->tasks.size(), 0U);
  return {bench.story(id), bench.ends(id),
          absl::StrCat(v1::JobState_Name(job.state()), " ", job.result().artifact().sha256(), " ", job.attempts())};
}

TEST(Restart, afterEveryTransitionEndsTheSame) {
  const Life undisturbed = live([](int) { return false; });
  EXPECT_EQ(undisturbed.story.size(), 5U);
  EXPECT_EQ(undisturbed.ends, (Texts{"builder returned", "second done"}));
  for (int step = 0; step < 9; ++step) {
    const Life disturbed = live([&](int number) { return number == step; });
    EXPECT_TRUE(disturbed == undisturbed) << "a restart before step " << step;
    EXPECT_EQ(disturbed.story, undisturbed.story) << "a restart before step " << step;
    EXPECT_EQ(disturbed.ends, undisturbed.ends) << "a restart before step " << step;
  }
  EXPECT_TRUE(live([](int) { return true; }) == undisturbed) << "a restart before every step";
}

}  // namespace
}  // namespace hone::server::testing
