// Leases: who gets them, how long they stand, and how they end.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/server/all_attempts.h"
#include "tests/server/engine/bench.h"

namespace hone::server::testing {
namespace {

using Texts = std::vector<std::string>;

TEST(Lease, isAnsweredByAResultThatIsDurable) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const v1::JobSpec spec = bench.compileSpec();
  const std::string id = bench.submit(spec).id();
  const v1::Lease lease = worker.lease();
  EXPECT_EQ(lease.job(), id);
  EXPECT_EQ(lease.spec().SerializeAsString(), spec.SerializeAsString());
  EXPECT_EQ(lease.duration_seconds(), 20);
  EXPECT_EQ(lease.deadline_seconds(), 3600);
  EXPECT_EQ(bench.job(id).state(), v1::JOB_RUNNING);
  worker.succeed(lease);
  EXPECT_EQ(worker.heard(), (Texts{"welcome", "ack " + nameOf(lease) + " yes"}));
  const v1::Job job = bench.job(id);
  EXPECT_EQ(job.state(), v1::JOB_SUCCEEDED);
  EXPECT_EQ(job.result().artifact().sha256(), bench.blob("artifact").sha256());
  EXPECT_FALSE(job.result().from_cache());
  worker.succeed(lease);
  EXPECT_EQ(worker.heard(), Texts{"ack " + nameOf(lease) + " no"}) << "a repeated result";
  EXPECT_EQ(bench.story(id), (Texts{"JOB_STATE_UNSPECIFIED>JOB_PENDING user:ada", "JOB_PENDING>JOB_RUNNING worker:w",
                                    "JOB_RUNNING>JOB_SUCCEEDED worker:w"}));
}

TEST(Lease, isNobodyElses) {
  Bench bench;
  TestWorker worker(bench, "w"), liar(bench, "liar");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  liar.attach();
  liar.heard();
  liar.succeed(lease, "another artifact");
  EXPECT_EQ(liar.heard(), Texts{"ack " + nameOf(lease) + " no"});
  EXPECT_EQ(bench.job(id).state(), v1::JOB_RUNNING);
  bench.advance(absl::Seconds(14));
  liar.heartbeat({lease});
  EXPECT_EQ(liar.heard(), Texts{"heartbeat without " + nameOf(lease)});
  worker.heartbeat({});
  bench.advance(absl::Seconds(7));
  EXPECT_EQ(bench.ends(id), (Texts{"w expired", "liar "})) << "the liar's heartbeat renewed nothing";
}

TEST(Lease, standsWhileHeartbeatsNameIt) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  for (int i = 0; i < 10; ++i) {
    bench.advance(absl::Seconds(10));
    worker.heartbeat({lease});
  }
  EXPECT_EQ(bench.ends(id), Texts{"w "});
}

TEST(Lease, expiresInSilenceAndIsDroppedByItsEpoch) {
  Bench bench;
  TestWorker stopped(bench, "stopped"), other(bench, "other");
  stopped.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease late = stopped.lease();
  stopped.heard();
  bench.advance(absl::Seconds(15));
  EXPECT_TRUE(stopped.isClosed()) << "nothing was heard";
  EXPECT_EQ(bench.ends(id), Texts{"stopped "}) << "the lease outlives the connection";
  bench.advance(absl::Seconds(5));
  EXPECT_EQ(bench.ends(id), Texts{"stopped expired"});
  EXPECT_EQ(bench.job(id).state(), v1::JOB_PENDING);
  EXPECT_EQ(bench.observer.expirations, 1);

  other.attach();
  const v1::Lease second = other.lease();
  EXPECT_EQ(second.task(), late.task());
  EXPECT_GT(second.epoch(), late.epoch());
  stopped.hold(late);
  stopped.attach();
  EXPECT_EQ(stopped.heard().back(), "welcome without " + nameOf(late));
  stopped.succeed(late, "late");
  EXPECT_EQ(stopped.heard(), Texts{"ack " + nameOf(late) + " no"});
  other.succeed(second, "in time");
  bench.settle();
  EXPECT_EQ(bench.job(id).result().artifact().sha256(), bench.blob("in time").sha256());
  EXPECT_EQ(bench.observer.stales, 1);
}

TEST(Lease, endsWhenTheWorkIsLongerThanAllowed) {
  Bench bench({.maxWork = absl::Minutes(1)});
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  EXPECT_EQ(lease.deadline_seconds(), 60);
  for (int i = 0; i < 7; ++i) {
    bench.advance(absl::Seconds(10));
    worker.heartbeat({lease});
  }
  EXPECT_EQ(bench.ends(id), Texts{"w "}) << "the worker's own clock is first";
  bench.advance(absl::Seconds(10));
  EXPECT_EQ(bench.ends(id).front(), "w expired");
  const Texts heard = worker.heard();
  EXPECT_NE(std::find(heard.begin(), heard.end(), "revoke " + nameOf(lease)), heard.end());
}

TEST(Lease, doesNotCountTheTimeInWhichItsWorkStoodStill) {
  Bench bench({.maxWork = absl::Minutes(1)});
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  // 30 s of standing still move the end from 80 s to 110 s, however often they are told.
  for (int i = 0; i < 10; ++i) {
    bench.advance(absl::Seconds(10));
    worker.heartbeat({lease}, std::min(10. * i, 30.));
  }
  EXPECT_EQ(bench.ends(id), Texts{"w "});
  // Nobody stands still for longer than the lease has lasted.
  worker.heartbeat({lease}, 1e9);
  bench.settle();
  for (int i = 0; i < 7; ++i) {
    bench.advance(absl::Seconds(10));
    worker.heartbeat({lease}, 0);
  }
  EXPECT_EQ(bench.ends(id), Texts{"w "}) << "170 s, of which 100 s do not count";
  bench.advance(absl::Seconds(10));
  EXPECT_EQ(bench.ends(id).front(), "w expired");
}

TEST(Lease, isBegunSoOftenAndNoMore) {
  Bench bench({.maxAttempts = 2, .strikesToQuarantine = 100});
  TestWorker first(bench, "first");
  first.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  first.giveUp(first.lease());
  bench.settle();
  EXPECT_EQ(bench.ends(id).front(), "first returned");
  EXPECT_EQ(bench.job(id).attempts(), 1);
  bench.advance(absl::Seconds(1));
  EXPECT_EQ(bench.job(id).attempts(), 2) << "nobody else is there";
  first.giveUp(first.lease());
  bench.settle();
  const v1::Job job = bench.job(id);
  EXPECT_EQ(job.state(), v1::JOB_FAILED);
  EXPECT_TRUE(absl::StartsWith(job.result().result().sentence(),
                               "the work was begun 2 times, the most there may be, and came back each time: first "
                               "(returned), first (returned); "))
      << job.result().result().sentence();
  EXPECT_TRUE(first.leases().empty());
  EXPECT_EQ(bench.story(id).size(), 6U);
}

TEST(Lease, isFinalWhenTheWorkFailed) {
  for (const v1::Result::Outcome outcome :
       {v1::Result::DEFECT, v1::Result::INPUT_REFUSED, v1::Result::WORK_FAILED, static_cast<v1::Result::Outcome>(77)}) {
    Bench bench;
    TestWorker worker(bench, "w");
    worker.attach();
    const std::string id = bench.submit(bench.compileSpec()).id();
    worker.fail(worker.lease(), outcome, "the child was killed by signal 11");
    bench.settle();
    EXPECT_EQ(bench.job(id).state(), v1::JOB_FAILED);
    EXPECT_EQ(bench.job(id).result().result().sentence(), "the child was killed by signal 11");
    EXPECT_EQ(bench.ends(id), Texts{"w failed"}) << "no second worker is taken down";
    EXPECT_EQ(bench.worker("w").failures(), 0);
  }
}

TEST(Lease, isNotEndedByAResultWithoutItsBlobs) {
  Bench bench;
  TestWorker liar(bench, "liar");
  liar.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  v1::Lease lease = liar.lease();
  liar.heard();
  liar.send(resultOf(lease));
  EXPECT_EQ(liar.heard(), Texts{"ack " + nameOf(lease) + " no"}) << "no artifact";
  bench.advance(absl::Seconds(1));
  lease = liar.lease();
  v1::LeaseResult result = resultOf(lease);
  result.mutable_artifact()->set_sha256(std::string(64, 'f'));
  liar.send(result);
  EXPECT_EQ(liar.heard(), Texts{"ack " + nameOf(lease) + " no"}) << "never uploaded";
  bench.advance(absl::Seconds(5));
  result = resultOf(liar.lease());
  result.mutable_artifact()->set_sha256("../../etc/passwd");
  liar.send(result);
  bench.settle();
  bench.advance(absl::Seconds(10));
  liar.heartbeat({});
  bench.advance(absl::Seconds(10));
  EXPECT_EQ(bench.ends(id), (Texts{"liar returned", "liar returned", "liar returned", "liar "}));
  EXPECT_EQ(bench.worker("liar").failures(), 3);
}

TEST(Lease, logsAreCutToTheirEnd) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  v1::LeaseResult result = resultOf(worker.lease(), v1::Result::DEFECT);
  result.set_log(std::string(100'000, 'x') + "the end");
  worker.send(result);
  bench.settle();
  const std::string log = allAttempts(bench.store(), id)->at(0).log();
  EXPECT_EQ(log.size(), size_t{64} << 10);
  EXPECT_TRUE(absl::EndsWith(log, "the end"));
}

// ------------------------------------------------------------------------------------------------ connections come, go

TEST(Reattach, goesOnWithWhatIsHeld) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  worker.detach();
  bench.advance(absl::Seconds(10));
  worker.hold(lease);
  worker.attach();
  EXPECT_EQ(worker.heard().back(), "welcome");
  EXPECT_TRUE(worker.leases().empty());
  bench.submit(bench.compileSpec("second"));
  EXPECT_TRUE(worker.leases().empty()) << "its slot is taken";
  bench.advance(absl::Seconds(12));
  EXPECT_EQ(bench.ends(id), Texts{"w "}) << "the hello renewed it";
  worker.succeed(lease);
  EXPECT_EQ(worker.leases().size(), 1U);
  EXPECT_EQ(bench.ends(id), Texts{"w done"});
}

TEST(Reattach, givesBackWhatIsNotHeldAnyMore) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  v1::Lease other = lease;
  other.set_epoch(lease.epoch() + 1);
  worker.hold(other);
  worker.attach();
  const v1::Lease second = worker.lease();
  EXPECT_EQ(second.task(), lease.task()) << "at once, not when the lease expires";
  EXPECT_EQ(worker.heard().back(), "welcome without " + nameOf(other));
  EXPECT_EQ(bench.ends(id), (Texts{"w returned", "w "}));
}

TEST(Reattach, isNobodysFaultAfterARestart) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  worker.lease();
  bench.restart();
  worker.attach();
  EXPECT_EQ(worker.leases().size(), 1U);
  EXPECT_EQ(bench.ends(id), (Texts{"w lost", "w "})) << "the lease may never have been sent";
}

TEST(Restart, givesALeaseOneFreshDuration) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  bench.clock.advance(absl::Seconds(19));
  bench.restart();
  bench.advance(absl::Seconds(19));
  EXPECT_EQ(bench.ends(id), Texts{"w "});
  bench.advance(absl::Seconds(1));
  EXPECT_EQ(bench.ends(id), Texts{"w expired"});
  worker.hold(lease);
  worker.attach();
  EXPECT_EQ(worker.heard().back(), "welcome without " + nameOf(lease));
}

TEST(Attach, replacesTheOlderConnectionOfTheSameName) {
  Bench bench;
  TestWorker older(bench, "w"), newer(bench, "w");
  older.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = older.lease();
  older.heard();
  newer.hold(lease);
  newer.attach();
  EXPECT_EQ(newer.heard(), Texts{"welcome"});
  EXPECT_TRUE(older.isClosed());
  EXPECT_TRUE(absl::StartsWith(older.heard().back(), "farewell: another connection has the same worker's name"));
  older.succeed(lease);  // over the connection that is closed
  older.detach();
  bench.settle();
  EXPECT_EQ(bench.job(id).state(), v1::JOB_RUNNING);
  EXPECT_EQ(bench.engine().state().sessions, 1);
  newer.succeed(lease);
  bench.settle();
  EXPECT_EQ(bench.job(id).state(), v1::JOB_SUCCEEDED);
}

TEST(Attach, refusesWhoCannotWork) {
  Bench bench;
  const auto refused = [&](const std::function<void(v1::Hello &)> &spoil, absl::string_view sentence) {
    TestWorker worker(bench, "w");
    worker.hello.add_roles(v1::ROLE_DEVICE);
    worker.hello.set_key("board");
    worker.hello.set_abi_version(1);
    spoil(worker.hello);
    worker.attach();
    const Texts heard = worker.heard();
    ASSERT_EQ(heard.size(), 1U) << sentence;
    EXPECT_TRUE(absl::StrContains(heard[0], sentence)) << heard[0];
    EXPECT_FALSE(absl::StrContains(heard[0], "come back"));
    EXPECT_TRUE(worker.isClosed());
  };
  refused([](auto &hello) { hello.set_api_version(3); }, "speaks versions 3 to 3 of the interface");
  refused([](auto &hello) { hello.set_api_version(0); }, "speaks versions 0 to 0 of the interface");
  refused([](auto &hello) { hello.clear_name(); }, "a worker's name has 1 to 256 bytes, not 0");
  refused([](auto &hello) { hello.clear_roles(); }, "has no role");
  refused([](auto &hello) { hello.clear_key(); }, "is a device without a key");
  refused([](auto &hello) { hello.clear_abi_version(); }, "is a device without a runtime");
  refused([](auto &hello) { hello.clear_build_id(); }, "is a builder without a compiler");
  EXPECT_EQ(bench.engine().state().sessions, 0);
}

// ------------------------------------------------------------------------------------------------------ who gets work

TEST(Grant, goesOnlyToWhoCanDoIt) {
  Bench bench;
  TestWorker builder(bench, "builder"), device(bench, ""), other(bench, ""), both(bench, "both");
  device.hello = TestWorker::device("device", "rpi4");
  other.hello = TestWorker::device("other", "rpi5");
  other.attach();
  device.attach();
  bench.submit(bench.compileSpec());
  EXPECT_TRUE(other.leases().empty());
  EXPECT_TRUE(device.leases().empty());
  const std::string run = bench.submit(bench.runSpec("rpi4")).id();
  EXPECT_EQ(device.lease().job(), run);
  builder.attach();
  EXPECT_TRUE(builder.lease().spec().has_compile());
  EXPECT_TRUE(other.leases().empty());

  both.hello.add_roles(v1::ROLE_DEVICE);
  both.hello.set_key("rpi4");
  both.hello.set_abi_version(1);
  both.hello.set_builder_slots(2);
  both.attach();
  for (int i = 0; i < 4; ++i) bench.submit(bench.compileSpec(absl::StrCat("model ", i)));
  for (int i = 0; i < 2; ++i) bench.submit(bench.runSpec("rpi4"));
  const std::vector<v1::Lease> leases = both.leases();
  EXPECT_EQ(leases.size(), 3U) << "two builds and a run overlap";
  EXPECT_EQ(std::count_if(leases.begin(), leases.end(), [](const v1::Lease &l) { return l.spec().has_run(); }), 1)
      << "one measurement at a time";
}

TEST(Grant, waitsForNobodyWhoSaysGoodbye) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  worker.goodbye();
  EXPECT_EQ(worker.heard().back(), "heartbeat draining") << "it waits to know that no lease is on its way";
  bench.submit(bench.compileSpec("2"));
  worker.succeed(lease);
  EXPECT_TRUE(worker.leases().empty());
  EXPECT_EQ(bench.job(id).state(), v1::JOB_SUCCEEDED);
  EXPECT_EQ(bench.worker("w").state(), v1::WORKER_DRAINING);
}

TEST(Drain, ofOneWorkerIsDurableAndCanBeUndone) {
  Bench bench;
  EXPECT_TRUE(absl::IsNotFound(bench.drainWorker("w").status()));
  TestWorker worker(bench, "w");
  worker.attach();
  bench.settle();
  EXPECT_EQ(bench.drainWorker("w")->state(), v1::WORKER_DRAINING);
  bench.submit(bench.compileSpec());
  EXPECT_TRUE(worker.leases().empty());
  worker.heartbeat({});
  EXPECT_EQ(worker.heard().back(), "heartbeat draining");
  bench.restart();
  worker.attach();
  EXPECT_TRUE(worker.leases().empty());
  EXPECT_EQ(bench.worker("w").reason(), "a test");
  EXPECT_EQ(bench.drainWorker("w", true)->state(), v1::WORKER_READY);
  EXPECT_EQ(worker.leases().size(), 1U);
}

TEST(Drain, ofEverythingIsIdleOnceNoLeaseIsHeld) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  bench.submit(bench.compileSpec());
  const v1::Lease lease = worker.lease();
  std::atomic<int> idle{0};
  bench.engine().drain([&] { ++idle; });
  bench.settle();
  EXPECT_EQ(idle, 0);
  EXPECT_TRUE(bench.engine().state().isDraining);
  bench.submit(bench.compileSpec("2"));
  worker.succeed(lease);
  EXPECT_TRUE(worker.leases().empty());
  EXPECT_TRUE(eventually([&] { return idle == 1; }));
  EXPECT_EQ(bench.engine().state().pending, 1);
}

TEST(Quarantine, keepsWhoFailsAtWhatOthersDo) {
  Bench bench({.strikesToQuarantine = 2});
  TestWorker flaky(bench, "flaky"), good(bench, "good");
  const auto round = [&](int number) {
    const std::string id = bench.submit(bench.compileSpec(absl::StrCat("model ", number))).id();
    flaky.attach();
    const std::vector<v1::Lease> leases = flaky.leases();
    ASSERT_EQ(leases.size(), 1U);
    flaky.goodbye();
    flaky.giveUp(leases[0]);
    bench.settle();
    bench.advance(absl::Seconds(1));
    good.attach();
    good.succeed(good.lease(), absl::StrCat("artifact ", number));
    bench.settle();
    EXPECT_EQ(bench.job(id).state(), v1::JOB_SUCCEEDED);
    good.detach();
  };
  round(1);
  EXPECT_EQ(bench.worker("flaky").state(), v1::WORKER_DRAINING);
  bench.restart();
  round(2);
  const v1::Worker row = bench.worker("flaky");
  EXPECT_EQ(row.state(), v1::WORKER_QUARANTINED);
  EXPECT_EQ(row.reason(), "failed 2 times at work that other workers then completed");
  EXPECT_EQ(bench.worker("good").state(), v1::WORKER_GONE);

  flaky.attach();
  bench.submit(bench.compileSpec("3"));
  EXPECT_TRUE(flaky.leases().empty());
  EXPECT_EQ(bench.drainWorker("flaky", true)->state(), v1::WORKER_READY);
  EXPECT_EQ(flaky.leases().size(), 1U);
}

TEST(Quarantine, doesNotTakeWhoFailsAtWhatNobodyDoes) {
  Bench bench({.strikesToQuarantine = 1});
  TestWorker first(bench, "first"), second(bench, "second");
  first.attach();
  bench.submit(bench.compileSpec());
  const v1::Lease lease = first.lease();
  first.goodbye();
  first.giveUp(lease);
  bench.settle();
  bench.advance(absl::Seconds(1));
  second.attach();
  second.fail(second.lease(), v1::Result::INPUT_REFUSED, "unsupported operator");
  bench.settle();
  EXPECT_NE(bench.worker("first").state(), v1::WORKER_QUARANTINED);
}

TEST(Quarantine, forgivesAStrikeForASuccess) {
  Bench bench({.strikesToQuarantine = 2});
  TestWorker flaky(bench, "flaky"), good(bench, "good");
  for (int i = 0; i < 3; ++i) {
    bench.submit(bench.compileSpec(absl::StrCat("bad ", i)));
    flaky.attach();
    const v1::Lease lease = flaky.lease();
    flaky.goodbye();
    flaky.giveUp(lease);
    bench.settle();
    bench.advance(absl::Seconds(1));
    good.attach();
    good.succeed(good.lease(), absl::StrCat("bad ", i));
    good.detach();
    flaky.attach();
    bench.submit(bench.compileSpec(absl::StrCat("good ", i)));
    flaky.succeed(flaky.lease(), absl::StrCat("good ", i));
    bench.settle();
    EXPECT_EQ(bench.worker("flaky").state(), v1::WORKER_READY);
    flaky.detach();
  }
}

TEST(List, pagesAndFilters) {
  Bench bench;
  std::vector<std::unique_ptr<TestWorker>> workers;
  for (int i = 0; i < 5; ++i) {
    workers.push_back(std::make_unique<TestWorker>(bench, ""));
    workers.back()->hello = TestWorker::device(absl::StrCat("w", i), i % 2 == 0 ? "even" : "odd");
    workers.back()->attach();
  }
  bench.submit(bench.runSpec("odd"), "bob");
  bench.settle();
  v1::ListWorkersRequest request;
  request.set_page_size(2);
  Texts names;
  do {
    const v1::ListWorkersResponse page = bench.list(request);
    EXPECT_LE(page.workers_size(), 2);
    for (const v1::Worker &worker : page.workers()) names.push_back(worker.name());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names, (Texts{"w0", "w1", "w2", "w3", "w4"}));
  request.set_key("odd");
  const v1::ListWorkersResponse odd = bench.list(request);
  EXPECT_EQ(odd.workers_size(), 2);
  ASSERT_EQ(odd.queues_size(), 1);
  EXPECT_EQ(odd.queues(0).total(), 2);
  EXPECT_EQ(odd.queues(0).free(), 1);
  EXPECT_EQ(odd.workers(0).holdings_size() + odd.workers(1).holdings_size(), 1);
  request.set_page_token("forged");
  std::promise<absl::Status> promise;
  bench.engine().listWorkers(request, [&](auto listed) { promise.set_value(listed.status()); });
  EXPECT_TRUE(absl::IsInvalidArgument(promise.get_future().get()));
}

}  // namespace
}  // namespace hone::server::testing
