// What clients ask for, and what they are told when it cannot be.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "server/base/error_detail.h"
#include "tests/server/engine/bench.h"

namespace hone::server::testing {
namespace {

bool says(const absl::Status &status, absl::string_view text) { return absl::StrContains(status.message(), text); }

TEST(Submit, oneRequestIsOneJobOfOneUser) {
  Bench bench;
  const v1::SubmitRequest request = bench.request(bench.compileSpec());
  const auto first = bench.trySubmit(request, "ada");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(bench.job(first->id()).state(), v1::JOB_PENDING) << "durable when answered";
  EXPECT_EQ(bench.trySubmit(request, "ada")->id(), first->id());
  EXPECT_NE(bench.trySubmit(request, "bob")->id(), first->id());
  bench.restart();
  EXPECT_EQ(bench.trySubmit(request, "ada")->id(), first->id());
  EXPECT_EQ(bench.store().unfinished()->tasks.size(), 2U);
}

TEST(Submit, idsLookAsPromisedAndDifferOverRestarts) {
  Bench bench;
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    if (i == 10) bench.restart();
    const std::string id = bench.submit(bench.compileSpec(absl::StrCat("model ", i))).id();
    EXPECT_EQ(id.size(), 14U);
    EXPECT_EQ(id.substr(0, 2), "j-");
    EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 2), std::string::npos) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 20U) << "the clock stood still, the seed was the same";
}

TEST(Submit, refusesWorkThatItDoesNotKnow) {
  Bench bench;
  v1::SubmitRequest request = bench.request(bench.compileSpec());
  request.mutable_spec()->mutable_probe();
  const absl::Status status = bench.trySubmit(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(says(status, "no work that this coordinator knows")) << status;
  EXPECT_TRUE(bench.store().unfinished()->tasks.empty());
}

TEST(Submit, wantsItsBlobsFirst) {
  Bench bench;
  v1::JobSpec spec = bench.compileSpec();
  spec.mutable_compile()->mutable_model()->set_sha256(std::string(64, 'a'));
  const absl::Status status = bench.trySubmit(bench.request(spec)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(detailOf(status).reason(), "MISSING_BLOB");
  EXPECT_TRUE(says(status, std::string(64, 'a'))) << status;

  v1::JobSpec withData = bench.compileSpec();
  withData.mutable_compile()->add_data_files()->mutable_digest()->set_sha256(std::string(64, 'b'));
  const absl::Status data = bench.trySubmit(bench.request(withData)).status();
  EXPECT_EQ(detailOf(data).reason(), "MISSING_BLOB");
  EXPECT_TRUE(says(data, std::string(64, 'b'))) << data;
}

TEST(Submit, namesTheKnownKeysForAnUnknownOne) {
  Bench bench;
  absl::Status status = bench.trySubmit(bench.request(bench.runSpec("rpi5"))).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_TRUE(says(status, "no device has been attached yet")) << status;

  TestWorker board(bench, "");
  board.hello = TestWorker::device("board-1", "rpi4");
  board.attach();
  TestWorker builder(bench, "builder");
  builder.hello.set_key("no-device");
  builder.attach();
  status = bench.trySubmit(bench.request(bench.runSpec("rpi5"))).status();
  EXPECT_EQ(detailOf(status).reason(), "UNKNOWN_KEY");
  EXPECT_TRUE(says(status, "no device has the key 'rpi5'; the known keys are 'rpi4'")) << status;
  EXPECT_FALSE(says(status, "no-device")) << "a builder's key is no device's";

  board.detach();
  bench.restart();
  EXPECT_TRUE(bench.trySubmit(bench.request(bench.runSpec("rpi4"))).ok()) << "boards reboot";
  bench.advance(absl::Hours(24 * 7) + absl::Seconds(1));
  EXPECT_TRUE(absl::IsNotFound(bench.trySubmit(bench.request(bench.runSpec("rpi4"))).status())) << "gone for a week";
}

TEST(Submit, keepsToTheLengthOfTheQueue) {
  Bench bench({.maxQueuedJobs = 2});
  const v1::SubmitRequest first = bench.request(bench.compileSpec("1"));
  const std::string id = bench.trySubmit(first)->id();
  bench.submit(bench.compileSpec("2"));
  const absl::Status status = bench.trySubmit(bench.request(bench.compileSpec("3"))).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(detailOf(status).reason(), "QUOTA");
  EXPECT_TRUE(says(status, "user 'ada' has 2 jobs waiting, and may have 2")) << status;
  EXPECT_EQ(bench.trySubmit(first)->id(), id) << "a repeated call is not a new job";
  EXPECT_TRUE(bench.trySubmit(bench.request(bench.compileSpec("3")), "bob").ok()) << "per user";
  bench.restart();
  EXPECT_FALSE(bench.trySubmit(bench.request(bench.compileSpec("3"))).ok());
  ASSERT_TRUE(bench.cancel(id).ok());
  EXPECT_TRUE(bench.trySubmit(bench.request(bench.compileSpec("3"))).ok());
}

TEST(Submit, saysHowManyAreBefore) {
  Bench bench;
  EXPECT_EQ(bench.submit(bench.compileSpec("1")).queue_position(), 0);
  EXPECT_EQ(bench.submit(bench.compileSpec("2")).queue_position(), 1);
}

TEST(Cancel, endsWhatWaits) {
  Bench bench;
  const std::string id = bench.submit(bench.compileSpec()).id();
  const auto cancelled = bench.cancel(id, "bob");
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::JOB_CANCELLED);
  EXPECT_EQ(cancelled->result().result().sentence(), "cancelled by bob");
  EXPECT_EQ(bench.story(id).back(), "JOB_PENDING>JOB_CANCELLED user:bob");
  EXPECT_EQ(bench.cancel(id)->state(), v1::JOB_CANCELLED) << "again is no error";
  TestWorker worker(bench, "w");
  worker.attach();
  EXPECT_TRUE(worker.leases().empty());
  EXPECT_TRUE(absl::IsNotFound(bench.cancel("j-nothing").status()));
}

TEST(Cancel, takesALeaseBack) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  EXPECT_EQ(bench.cancel(id)->state(), v1::JOB_CANCELLED);
  worker.succeed(lease);
  const std::vector<std::string> expected{"welcome", "revoke " + nameOf(lease), "ack " + nameOf(lease) + " no"};
  EXPECT_EQ(worker.heard(), expected);
  EXPECT_EQ(bench.observer.stales, 1);
  EXPECT_EQ(bench.job(id).state(), v1::JOB_CANCELLED);
  EXPECT_EQ(bench.ends(id), std::vector<std::string>{"w cancelled"});
  bench.submit(bench.compileSpec("another"));
  EXPECT_EQ(worker.leases().size(), 1U) << "its slot is free";
}

TEST(Cancel, comesTooLateForWhatHasEnded) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  worker.succeed(worker.lease());
  EXPECT_EQ(bench.cancel(id)->state(), v1::JOB_SUCCEEDED);
}

TEST(Deadline, endsAJobThatWaits) {
  Bench bench({.maxJob = absl::Hours(2)});
  v1::SubmitRequest request = bench.request(bench.compileSpec());
  request.set_deadline_seconds(60);
  const std::string asked = bench.trySubmit(request)->id();
  request = bench.request(bench.compileSpec("2"));
  request.set_deadline_seconds(1'000'000);
  const std::string tooLong = bench.trySubmit(request)->id();
  bench.advance(absl::Seconds(59));
  EXPECT_EQ(bench.job(asked).state(), v1::JOB_PENDING);
  bench.advance(absl::Seconds(1));
  EXPECT_EQ(bench.job(asked).state(), v1::JOB_FAILED);
  EXPECT_EQ(bench.job(asked).result().result().sentence(),
            "the job did not end within its 1m: it was waiting for a builder; give it a longer deadline, or see 'hone "
            "devices list' for who is there");
  bench.advance(absl::Hours(2));
  EXPECT_EQ(bench.job(tooLong).state(), v1::JOB_FAILED) << "the server's longest";
}

TEST(Deadline, takesALeaseBackAndIsRememberedOverARestart) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  v1::SubmitRequest request = bench.request(bench.compileSpec());
  request.set_deadline_seconds(60);
  const std::string id = bench.trySubmit(request)->id();
  const v1::Lease lease = worker.lease();
  bench.advance(absl::Seconds(10));
  worker.hold(lease);
  bench.restart();
  worker.attach();
  for (int i = 0; i < 4; ++i) {
    bench.advance(absl::Seconds(10));
    worker.heartbeat({lease});
  }
  EXPECT_EQ(bench.job(id).state(), v1::JOB_RUNNING);
  bench.advance(absl::Seconds(10));
  EXPECT_EQ(bench.job(id).state(), v1::JOB_FAILED);
  EXPECT_EQ(worker.heard().back(), "revoke " + nameOf(lease));
}

TEST(Deadline, isNotMovedByTheWallClock) {
  Bench bench;
  v1::SubmitRequest request = bench.request(bench.compileSpec());
  request.set_deadline_seconds(60);
  const std::string id = bench.trySubmit(request)->id();
  bench.clock.jumpWall(absl::Hours(10));
  bench.advance(absl::Seconds(30));
  EXPECT_EQ(bench.job(id).state(), v1::JOB_PENDING);
}

class CountingWatcher : public JobWatcher {
 public:
  void changed() override { ++changes; }
  void progress(const v1::Progress &progress) override { ++phases; }
  std::atomic<int> changes{0}, phases{0};
};

TEST(Watch, tellsOfEachChangeAndOfProgress) {
  Bench bench;
  TestWorker worker(bench, "w");
  worker.attach();
  const std::string id = bench.submit(bench.compileSpec()).id();
  const v1::Lease lease = worker.lease();
  auto watcher = std::make_shared<CountingWatcher>();
  bench.engine().watch(id, watcher);
  bench.settle();
  EXPECT_EQ(watcher->changes, 1) << "at once: something may have happened since the caller looked";
  worker.progress(lease, "parse");
  v1::Lease stale = lease;
  stale.set_epoch(lease.epoch() + 1);
  worker.progress(stale, "parse");
  bench.settle();
  EXPECT_EQ(watcher->phases, 1) << "a stale epoch's progress is nobody's";
  worker.succeed(lease);
  bench.settle();
  EXPECT_EQ(watcher->changes, 2);
}

TEST(Watch, endsWithTheWatcherOrByHand) {
  Bench bench;
  const std::string id = bench.submit(bench.compileSpec()).id();
  auto gone = std::make_shared<CountingWatcher>();
  auto unwatched = std::make_shared<CountingWatcher>();
  bench.engine().watch(id, gone);
  bench.engine().watch(id, unwatched);
  bench.settle();
  const std::weak_ptr<CountingWatcher> weak = gone;
  gone.reset();
  EXPECT_TRUE(eventually([&] { return weak.expired(); })) << "the engine keeps nobody alive";
  bench.engine().unwatch(id, unwatched.get());
  ASSERT_TRUE(bench.cancel(id).ok());
  bench.settle();
  EXPECT_EQ(unwatched->changes, 1);
}

TEST(Records, areImportedOnceAndNotMoreThanAllowed) {
  Bench bench({.maxRecords = 2});
  v1::ImportRecordsRequest request;
  v1::Record &record = *request.add_records();
  record.set_task("task");
  record.set_schedule("schedule");
  record.add_sample_seconds(0.5);
  const auto import = [&] {
    std::promise<absl::StatusOr<v1::ImportRecordsResponse>> promise;
    bench.engine().importRecords(request, [&](auto response) { promise.set_value(std::move(response)); });
    return promise.get_future().get();
  };
  EXPECT_EQ(import()->added(), 1);
  EXPECT_EQ(import()->known(), 1);
  request.mutable_records(0)->set_schedule("another");
  EXPECT_EQ(import()->added(), 1);
  request.mutable_records(0)->set_schedule("a third");
  EXPECT_TRUE(absl::IsResourceExhausted(import().status()));
  for (int i = 0; i < 1000; ++i) request.add_records();
  EXPECT_TRUE(absl::IsInvalidArgument(import().status()));
}

}  // namespace
}  // namespace hone::server::testing
