// What follows when work comes back: pauses, other workers, workers that are held back; names that are taken; a wall
// clock that jumps.
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "absl/strings/match.h"
#include "tests/server/engine/bench.h"

namespace hone::server::testing {
namespace {

using Texts = std::vector<std::string>;

TEST(ComingBack, pausesGrow) {
  Bench bench({.maxAttempts = 5});
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  for (const int seconds : {1, 5, 20}) {
    worker.giveUp(worker.lease());
    bench.settle();
    for (int second = 1; second < seconds; ++second) {
      bench.advance(absl::Seconds(1));
      worker.heartbeat({});
    }
    EXPECT_TRUE(worker.leases().empty()) << "after less than " << seconds << " s";
    bench.advance(absl::Seconds(1));
  }
  EXPECT_EQ(bench.job(id).attempts(), 4);
}

TEST(ComingBack, goesToAnotherWorkerThoughTheLastOneIsFreeForLonger) {
  Bench bench;
  TestWorker ill(bench, "ill"), well(bench, "well");
  ill.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  ill.giveUp(ill.lease());
  bench.settle();
  well.attach();
  bench.advance(absl::Seconds(1));
  EXPECT_TRUE(ill.leases().empty());
  well.succeed(well.lease());
  bench.settle();
  EXPECT_EQ(bench.ends(id), (Texts{"ill returned", "well done"}));
}

TEST(ComingBack, waitsForABusyOtherWorkerButNotForEver) {
  Bench bench;
  TestWorker ill(bench, "ill"), busy(bench, "busy");
  ill.attach();
  const std::string id = bench.submit(bench.compileSpec("1")).id();
  ill.giveUp(ill.lease());
  bench.settle();
  busy.attach();
  // The other one is at something else, and stays at it.
  ill.goodbye();
  bench.submit(bench.compileSpec("2"));
  const v1::Lease other = busy.lease();
  ill.attach();
  for (int second = 0; second < 10; ++second) {
    bench.advance(absl::Seconds(1));
    busy.heartbeat({other});
    ill.heartbeat({});
  }
  EXPECT_TRUE(ill.leases().empty());
  bench.advance(absl::Seconds(2));
  EXPECT_EQ(ill.lease().job(), id);
}

TEST(HeldBack, whoGivesBackInARowWhateverBecomesOfTheWork) {
  Bench bench({.maxAttempts = 100});
  TestWorker worker(bench, "w");
  worker.attach();
  for (int i = 0; i < 6; ++i) bench.submit(bench.compileSpec(absl::StrCat(i)));
  worker.giveUp(worker.lease());
  worker.giveUp(worker.lease());
  bench.settle();
  v1::Worker listed = bench.worker("w");
  EXPECT_EQ(listed.state(), v1::WORKER_HELD_BACK);
  EXPECT_EQ(listed.held_back_seconds(), 5);
  EXPECT_TRUE(absl::StartsWith(listed.reason(), "gave work back 2 times in a row")) << listed.reason();
  EXPECT_TRUE(absl::StrContains(listed.reason(), "the disk is full")) << listed.reason();
  EXPECT_TRUE(worker.leases().empty()) << "though four jobs wait";
  bench.advance(absl::Seconds(5));
  worker.giveUp(worker.lease());
  bench.settle();
  EXPECT_EQ(bench.worker("w").held_back_seconds(), 20) << "longer each time";
  bench.advance(absl::Seconds(10));
  worker.heartbeat({});
  bench.advance(absl::Seconds(10));
  worker.succeed(worker.lease());
  bench.settle();
  EXPECT_EQ(bench.worker("w").state(), v1::WORKER_READY) << "by itself";
  worker.giveUp(worker.lease());
  bench.settle();
  EXPECT_EQ(bench.worker("w").state(), v1::WORKER_READY) << "the count began anew";
}

TEST(HeldBack, endsWhenAPersonSaysSo) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  for (int i = 0; i < 3; ++i) bench.submit(bench.compileSpec(absl::StrCat(i)));
  worker.giveUp(worker.lease());
  worker.giveUp(worker.lease());
  bench.settle();
  EXPECT_EQ(bench.drainWorker("w", true)->state(), v1::WORKER_READY);
  EXPECT_EQ(worker.leases().size(), 1U);
}

TEST(Names, ofALivingWorkerAreNotGivenToAnother) {
  Bench bench;
  TestWorker first(bench, "w"), second(bench, "w");
  first.hello.set_instance("1");
  second.hello.set_instance("2");
  first.attach();
  bench.submit(bench.compileSpec());
  const v1::Lease lease = first.lease();
  second.attach();
  const Texts heard = second.heard();
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_TRUE(absl::StartsWith(heard[0],
                               "farewell: another worker with the name 'w' is attached, from 127.0.0.1:5; "
                               "give each worker a name of its own with --name (come back)"))
      << heard[0];
  EXPECT_TRUE(second.isClosed());
  EXPECT_FALSE(first.isClosed());
  EXPECT_EQ(bench.observer.takenNames, 1);
  // The same process over a new connection takes its own place.
  first.hold(lease);
  first.attach();
  EXPECT_EQ(first.heard().back(), "welcome");
  // And when the first is gone, the second may have the name.
  first.detach();
  second.attach();
  EXPECT_EQ(second.heard().front(), "welcome");
}

TEST(Position, isHowManyWaitBefore) {
  Bench bench;
  const std::string first = bench.submit(bench.compileSpec("1")).id();
  const v1::Job second = bench.submit(bench.compileSpec("2"));
  EXPECT_EQ(second.queue_position(), 1);
  EXPECT_EQ(bench.queuePosition(first), 0);
  EXPECT_EQ(bench.queuePosition(second.id()), 1);
  EXPECT_TRUE(bench.cancel(first).ok());
  EXPECT_EQ(bench.queuePosition(second.id()), 0);
  EXPECT_EQ(bench.queuePosition("j-none"), 0);
}

TEST(Workers, beyondTheMostAreToldSoAndTheKnownOnesComeBack) {
  Bench bench({.maxWorkers = 2});
  TestWorker first(bench, "1"), second(bench, "2"), third(bench, "3");
  first.attach();
  second.attach();
  second.detach();
  third.attach();
  ASSERT_FALSE(third.heard().empty());
  EXPECT_TRUE(third.isClosed());
  second.attach();
  EXPECT_EQ(second.heard().back(), "welcome");
}

TEST(Calls, thatTheEngineCannotKeepUpWithAreRefusedButNotWhatWorkersSay) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const v1::SubmitRequest request = bench.request(bench.compileSpec());
  bench.settle();
  std::promise<void> gate;
  std::atomic<bool> isBlocked = false;
  bench.observer.onSubmitted = [&, opens = gate.get_future().share()] {
    isBlocked = true;
    opens.wait();
  };
  bench.engine().submit("ada", request, [](const absl::StatusOr<v1::Job> &) {});
  ASSERT_TRUE(eventually([&] { return isBlocked.load(); }));
  std::atomic<int> refusals = 0, answers = 0;
  const auto done = [&](const absl::StatusOr<v1::ListWorkersResponse> &listed) {
    ++answers;
    if (absl::IsResourceExhausted(listed.status())) ++refusals;
  };
  for (int i = 0; i < 20'000; ++i) bench.engine().listWorkers({}, done);
  EXPECT_EQ(refusals, 0);
  bench.engine().listWorkers({}, done);
  EXPECT_EQ(refusals, 1) << "at once, though the engine stands";
  worker.heartbeat({});
  gate.set_value();
  EXPECT_TRUE(eventually([&] { return answers == 20'001; }));
  bench.settle();
  EXPECT_EQ(refusals, 1);
  EXPECT_EQ(worker.heard().back(), "heartbeat");
}

TEST(Workers, areForgottenWhenTheyHaveNotComeForAsLongAsJobsAreKept) {
  Bench bench;
  TestWorker gone(bench, "gone"), stays(bench, "stays"), drained(bench, "drained");
  for (TestWorker *worker : {&gone, &stays, &drained}) worker->attach();
  EXPECT_TRUE(bench.drainWorker("drained").ok());
  gone.detach();
  drained.detach();
  for (int day = 0; day < 31; ++day) {
    bench.advance(absl::Hours(24));
    stays.attach();
  }
  bench.advance(absl::Minutes(2));
  std::vector<std::string> names;
  const absl::StatusOr<std::vector<WorkerRow>> rows = bench.store().workers();
  ASSERT_TRUE(rows.ok());
  for (const WorkerRow &row : *rows) names.push_back(row.name);
  EXPECT_EQ(names, (Texts{"drained", "stays"})) << "what a person has decided stays";
}

TEST(WallClock, thatJumpsAMonthForwardDeletesNoHistory) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  worker.succeed(worker.lease());
  bench.settle();
  bench.engine().tick();
  bench.settle();
  bench.clock.jumpWall(absl::Hours(24 * 40));
  for (int hour = 0; hour < 20; ++hour) bench.advance(absl::Hours(1));
  EXPECT_TRUE(bench.store().job(id).ok()) << "a person has time to set the clock right";
  for (int hour = 0; hour < 10; ++hour) bench.advance(absl::Hours(1));
  EXPECT_FALSE(bench.store().job(id).ok()) << "it was no mistake";
}

}  // namespace
}  // namespace hone::server::testing
