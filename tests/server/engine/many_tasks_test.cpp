// Jobs of many tasks: a driver that fans out, folds, and fans out again by the fold, on workers that come, go, give
// back and are late, and a coordinator that is restarted.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/server/engine/bench.h"
#include "tests/server/engine/failing_store.h"
#include "tests/server/probe/probe.h"
#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::server::testing {
namespace {

using Texts = std::vector<std::string>;

v1::JobSpec probeSpec(int32_t tasks, int32_t rounds, int32_t items = 0, uint64_t seed = 1) {
  v1::JobSpec spec;
  spec.mutable_probe()->set_tasks(tasks);
  spec.mutable_probe()->set_rounds(rounds);
  spec.mutable_probe()->set_items(items);
  spec.mutable_probe()->set_seed(seed);
  return spec;
}

/// A builder that does probe tasks.
class Prober {
 public:
  Prober(Bench &bench, const std::string &name, int slots = 1) : bench_(bench), worker(bench, name) {
    worker.hello.set_builder_slots(slots);
    worker.hello.set_api_version(2);
    v1::KindVersion &kind = *worker.hello.add_kinds();
    kind.set_kind("probe");
    kind.set_version(1);
  }

  static v1::ItemResult item(const v1::Lease &lease, int32_t number) {
    v1::ItemResult item;
    item.set_item(number);
    item.set_probe_number(probeNumber(lease.spec().probe().seed(), number));
    return item;
  }
  void sendItems(const v1::Lease &lease, const std::vector<int32_t> &numbers) {
    v1::WorkerMessage message;
    message.mutable_items()->set_task(lease.task());
    message.mutable_items()->set_epoch(lease.epoch());
    for (const int32_t number : numbers) *message.mutable_items()->add_items() = item(lease, number);
    bench_.engine().receive(worker.session(), message);
  }
  void finish(const v1::Lease &lease) {
    v1::LeaseResult result = resultOf(lease);
    if (lease.spec().probe().items() == 0) result.set_probe_number(probeNumber(lease.spec().probe().seed(), 0));
    worker.send(result);
  }
  /// The items that have no result yet, then the result.
  void succeed(const v1::Lease &lease) {
    std::set<int32_t> left;
    for (int32_t number = 0; number < lease.spec().probe().items(); ++number) left.insert(number);
    for (const int32_t number : lease.ended_items()) left.erase(number);
    if (!left.empty()) sendItems(lease, {left.begin(), left.end()});
    finish(lease);
  }
  /// Until nothing more comes.
  void work() {
    for (std::vector<v1::Lease> leases = worker.leases(); !leases.empty(); leases = worker.leases()) {
      for (const v1::Lease &lease : leases) succeed(lease);
    }
  }

 private:
  Bench &bench_;

 public:
  TestWorker worker;
};

struct Probing : ::testing::Test {
  Bench bench{{}, nullptr, nullptr, kindsWithProbe()};

  void expectSum(const std::string &id, const v1::JobSpec &spec) {
    const v1::Job job = bench.job(id);
    EXPECT_EQ(job.state(), v1::JOB_SUCCEEDED) << job.result().result().sentence();
    EXPECT_EQ(job.result().probe_sum(), probeSum(spec.probe()));
    EXPECT_EQ(job.tasks(), spec.probe().tasks() * spec.probe().rounds());
    EXPECT_EQ(job.ended_tasks(), job.tasks());
    EXPECT_TRUE(bench.store().unfinished()->tasks.empty());
  }
};

TEST_F(Probing, fansOutFoldsAndFansOutAgain) {
  Prober prober(bench, "w", 16);
  prober.worker.attach();
  const v1::JobSpec spec = probeSpec(200, 3);
  const std::string id = bench.submit(spec).id();
  EXPECT_EQ(bench.job(id).tasks(), 200);
  prober.work();
  expectSum(id, spec);
  EXPECT_EQ(bench.observer.ends, 1) << "one job";
  const auto events = bench.store().events(id, 0);
  EXPECT_EQ(events->front().detail(), "submitted");
  EXPECT_EQ(events->back().to(), v1::JOB_SUCCEEDED);
  std::map<int, int> whats;
  for (const v1::JobEvent &event : *events) ++whats[event.task().what()];
  EXPECT_EQ(whats[v1::TaskEvent::LEASED], 600);
  EXPECT_EQ(whats[v1::TaskEvent::DONE], 600);
  EXPECT_EQ(whats[v1::TaskEvent::UNSPECIFIED], 2) << "of the job as a whole";
}

/// What is told of progress, "PHASE DONE/TOTAL"; read when the engine has settled.
class ItemWatcher : public JobWatcher {
 public:
  void changed() override { ++changes; }
  void progress(const v1::Progress &now) override {
    told.push_back(absl::StrCat(now.phase(), " ", now.done(), "/", now.total()));
  }
  int changes = 0;
  Texts told;
};

TEST_F(Probing, whoWatchesHearsHowFarTheItemsAre) {
  Prober prober(bench, "w");
  prober.worker.attach();
  const std::string id = bench.submit(probeSpec(1, 1, 8)).id();
  const v1::Lease lease = prober.worker.lease();
  auto watcher = std::make_shared<ItemWatcher>();
  bench.engine().watch(id, watcher);
  bench.settle();
  watcher->changes = 0;
  prober.sendItems(lease, {3});
  bench.settle();
  EXPECT_EQ(watcher->changes, 0) << "less than a quarter makes no event";
  prober.sendItems(lease, {0, 7});
  prober.sendItems(lease, {0});  // again
  bench.settle();
  EXPECT_EQ(watcher->changes, 1);
  const std::string phase = absl::StrCat("task ", lease.task(), ", item ");
  EXPECT_EQ(watcher->told, (Texts{phase + "1/8", phase + "3/8", phase + "3/8"}));
  const v1::JobEvent event = bench.store().events(id, 0)->back();
  EXPECT_EQ(event.task().what(), v1::TaskEvent::ITEMS);
  EXPECT_EQ(event.task().ended_items(), 3);
  EXPECT_EQ(event.detail(), "3 of 8 items have results");
  prober.succeed(lease);
  bench.settle();
  EXPECT_EQ(bench.job(id).state(), v1::JOB_SUCCEEDED);
}

TEST_F(Probing, itemsAreDurableOneByOne) {
  Prober first(bench, "first"), second(bench, "second");
  first.worker.attach();
  const v1::JobSpec spec = probeSpec(1, 1, 5);
  const std::string id = bench.submit(spec).id();
  v1::Lease lease = first.worker.lease();
  EXPECT_EQ(lease.ended_items_size(), 0);
  first.sendItems(lease, {3, 0});
  first.sendItems(lease, {0, 77});  // again, and one that the task does not have
  bench.restart();
  bench.advance(absl::Seconds(21));
  second.worker.attach();
  lease = second.worker.lease();
  EXPECT_EQ(std::vector<int32_t>(lease.ended_items().begin(), lease.ended_items().end()), (std::vector<int32_t>{0, 3}));
  second.finish(lease);
  bench.settle();
  EXPECT_EQ(bench.ends(id), (Texts{"first expired", "second returned"})) << "three items have no result";
  bench.advance(absl::Seconds(5));
  lease = second.worker.lease();
  second.succeed(lease);
  bench.settle();
  expectSum(id, spec);
}

TEST_F(Probing, itemsOfAStaleLeaseAreNotTaken) {
  Prober late(bench, "late"), other(bench, "other");
  late.worker.attach();
  const v1::JobSpec spec = probeSpec(1, 1, 4);
  const std::string id = bench.submit(spec).id();
  const v1::Lease stale = late.worker.lease();
  bench.advance(absl::Seconds(14));
  late.worker.heartbeat({});
  other.worker.attach();
  bench.advance(absl::Seconds(7));
  const v1::Lease lease = other.worker.lease();
  late.worker.heard();
  late.sendItems(stale, {0, 1});
  EXPECT_EQ(late.worker.heard(), Texts{"ack " + nameOf(stale) + " no"});
  other.succeed(lease);
  bench.settle();
  expectSum(id, spec);
}

TEST_F(Probing, aTaskThatFailsIsTheDriversToJudge) {
  Prober prober(bench, "w", 4);
  prober.worker.attach();
  const std::string id = bench.submit(probeSpec(10, 2)).id();
  const std::vector<v1::Lease> leases = prober.worker.leases();
  ASSERT_EQ(leases.size(), 4U);
  prober.succeed(leases[0]);
  prober.worker.fail(leases[1], v1::Result::WORK_FAILED, "it was too warm");
  bench.settle();
  const v1::Job job = bench.job(id);
  EXPECT_EQ(job.state(), v1::JOB_FAILED);
  EXPECT_EQ(job.result().result().sentence(), "it was too warm");
  EXPECT_TRUE(bench.store().unfinished()->tasks.empty());
  std::set<std::string> heard;
  for (const std::string &word : prober.worker.heard()) heard.insert(word);
  EXPECT_TRUE(heard.contains("revoke " + nameOf(leases[2])));
  EXPECT_TRUE(heard.contains("revoke " + nameOf(leases[3])));
}

TEST_F(Probing, cancelAndDeadlineEndEveryTask) {
  Prober prober(bench, "w", 3);
  prober.worker.attach();
  const std::string cancelled = bench.submit(probeSpec(6, 2)).id();
  const std::vector<v1::Lease> leases = prober.worker.leases();
  ASSERT_EQ(leases.size(), 3U);
  prober.succeed(leases[0]);
  EXPECT_EQ(bench.cancel(cancelled)->state(), v1::JOB_CANCELLED);
  prober.succeed(leases[1]);
  bench.settle();
  EXPECT_EQ(bench.engine().state().pending + bench.engine().state().leased, 0);
  EXPECT_EQ(bench.ends(cancelled).front(), "w done");

  v1::SubmitRequest request = bench.request(probeSpec(6, 2));
  request.set_deadline_seconds(5);
  const std::string late = bench.trySubmit(request)->id();
  prober.worker.leases();
  bench.advance(absl::Seconds(6));
  EXPECT_EQ(bench.job(late).state(), v1::JOB_FAILED);
  EXPECT_TRUE(bench.store().unfinished()->tasks.empty());
}

TEST_F(Probing, aJobCountsOnceInTheQuota) {
  Bench small({.maxQueuedJobs = 2, .maxRunningJobs = 1}, nullptr, nullptr, kindsWithProbe());
  Prober prober(small, "w", 8);
  const std::string first = small.submit(probeSpec(6, 1)).id();
  small.submit(probeSpec(6, 1));
  EXPECT_FALSE(small.trySubmit(small.request(probeSpec(1, 1))).ok());
  prober.worker.attach();
  const std::vector<v1::Lease> leases = prober.worker.leases();
  EXPECT_EQ(leases.size(), 6U) << "all of the first job's, none of the second's: one may run";
  for (const v1::Lease &lease : leases) EXPECT_EQ(lease.job(), first);
  EXPECT_TRUE(small.trySubmit(small.request(probeSpec(1, 1))).ok()) << "one waits now";
}

TEST_F(Probing, aJobHasNoMoreTasksAtOnceThanItMay) {
  EXPECT_TRUE(bench.trySubmit(bench.request(probeSpec(4096, 1))).ok());
  const absl::Status status = bench.trySubmit(bench.request(probeSpec(4097, 1))).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(status.message(), "the job begins with 4097 tasks, and may have 4096 at once; ask for less");
}

TEST_F(Probing, aKindThatNobodyThereKnowsIsAnError) {
  EXPECT_TRUE(bench.trySubmit(bench.request(probeSpec(1, 1))).ok()) << "nobody is there: somebody may come";
  TestWorker old(bench, "old");
  old.attach();
  EXPECT_TRUE(old.leases().empty()) << "an old worker is offered what it knows";
  const absl::Status status = bench.trySubmit(bench.request(probeSpec(1, 1))).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(), "no attached builder knows work of the kind 'probe'; update hone on the workers");
  bench.submit(bench.compileSpec());
  EXPECT_EQ(old.leases().size(), 1U) << "passed over what it cannot do";
}

TEST_F(Probing, oneTaskBegunTooOftenEndsTheLeasesOfItsJob) {
  Bench strict({.maxAttempts = 1}, nullptr, nullptr, kindsWithProbe());
  Prober prober(strict, "w", 3);
  prober.worker.attach();
  const std::string id = strict.submit(probeSpec(6, 1)).id();
  EXPECT_EQ(prober.worker.leases().size(), 3U);
  prober.worker.attach();  // without any of them
  strict.settle();
  EXPECT_EQ(strict.job(id).state(), v1::JOB_FAILED);
  EXPECT_EQ(strict.engine().state().leased, 0);
}

TEST_F(Probing, anOldJobGoesBeforeAYoungerOneOfItsUser) {
  Prober prober(bench, "w");
  prober.worker.attach();
  const std::string older = bench.submit(probeSpec(1, 3)).id();
  bench.submit(probeSpec(1, 3));
  Texts jobs;
  for (int i = 0; i < 3; ++i) {
    const v1::Lease lease = prober.worker.lease();
    jobs.push_back(lease.job());
    prober.succeed(lease);
  }
  EXPECT_EQ(jobs, (Texts{older, older, older}));
}

/// A kind of job whose driver is wrong: it goes on with as many tasks as its job says.
Step wrongAdvance(const v1::JobSpec &spec, const std::string &, const EndedTask &ended) {
  Step step;
  step.tasks.resize(static_cast<size_t>(spec.probe().items()), ended.spec);
  return step;
}

TEST(Drivers, thatLeaveAJobWithoutWorkOrWithTooMuchFailIt) {
  const JobKind *probe = kindsWithProbe().findJob("probe");
  JobKind wrong = *probe;
  wrong.begin = [](const v1::JobSpec &) {
    Step step;
    step.tasks.emplace_back().mutable_probe();
    return step;
  };
  wrong.advance = wrongAdvance;
  const JobKind *const jobs[] = {&wrong};
  const TaskKind *const tasks[] = {kindsWithProbe().findTask("probe")};
  const Kinds kinds(jobs, tasks);
  Bench bench({}, nullptr, nullptr, kinds);
  Prober prober(bench, "w");
  prober.worker.attach();
  for (const auto &[wanted, sentence] :
       {std::pair(0, "left the job without work"), std::pair(4097, "wants 4097 tasks")}) {
    const std::string id = bench.submit(probeSpec(1, 1, wanted)).id();
    prober.succeed(prober.worker.lease());
    bench.settle();
    const v1::Job job = bench.job(id);
    EXPECT_EQ(job.state(), v1::JOB_FAILED);
    EXPECT_NE(job.result().result().sentence().find(sentence), std::string::npos) << job.result().result().sentence();
    EXPECT_TRUE(bench.store().unfinished()->tasks.empty());
  }
}

/// Workers that do everything wrong that a worker may, a store that fails now and then, restarts: the sums are the
/// same.
TEST(ManyTasks, endTheSameWhateverHappens) {
  const int64_t steps = hone::testing::effort(400, 4000);
  hone::testing::Random random(hone::testing::testSeed());
  FailingStore::Faults faults;
  Bench bench(
      {.maxAttempts = 1000, .strikesToQuarantine = 1'000'000},
      [&](Store *store) { return std::make_unique<FailingStore>(store, faults); }, nullptr, kindsWithProbe());
  std::vector<std::unique_ptr<Prober>> probers;
  std::map<std::string, std::vector<v1::Lease>> held;
  for (int i = 0; i < 4; ++i) probers.push_back(std::make_unique<Prober>(bench, absl::StrCat("w", i), 3));
  const auto attach = [&](Prober &prober) {
    for (const v1::Lease &lease : held[prober.worker.hello.name()]) prober.worker.hold(lease);
    prober.worker.attach();
  };
  for (auto &prober : probers) attach(*prober);
  std::map<std::string, v1::JobSpec> jobs;
  for (int i = 0; i < 6; ++i) {
    const v1::JobSpec spec =
        probeSpec(static_cast<int32_t>(random.between(1, 30)), static_cast<int32_t>(random.between(1, 4)),
                  static_cast<int32_t>(random.between(0, 4)), static_cast<uint64_t>(i));
    jobs[bench.submit(spec, i % 2 == 0 ? "ada" : "bob").id()] = spec;
  }
  for (int64_t step = 0; step < steps; ++step) {
    Prober &prober = *probers[static_cast<size_t>(random.between(0, 3))];
    std::vector<v1::Lease> &mine = held[prober.worker.hello.name()];
    for (v1::Lease &lease : prober.worker.leases()) mine.push_back(std::move(lease));
    const auto choice = random.between(0, 19);
    if (choice == 0) {
      bench.restart();
      for (auto &each : probers) attach(*each);
    } else if (choice == 1) {
      prober.worker.detach();
      if (random.chance(50)) mine.clear();  // the process was killed
      attach(prober);
    } else if (choice == 2) {
      bench.advance(absl::Seconds(random.between(1, 9)));
    } else if (choice == 3) {
      faults.commitsUntilFailure = static_cast<int>(random.between(0, 3));
      faults.changesUntilFailure = static_cast<int>(random.between(0, 9));
    } else if (!mine.empty()) {
      const auto at = static_cast<size_t>(random.between(0, static_cast<int64_t>(mine.size()) - 1));
      const v1::Lease lease = mine[at];
      if (choice == 4) {
        prober.worker.giveUp(lease);
      } else if (choice < 8 && lease.spec().probe().items() > 0) {
        prober.sendItems(lease, {static_cast<int32_t>(random.between(0, lease.spec().probe().items() - 1))});
        continue;
      } else {
        prober.succeed(lease);
      }
      if (random.chance(10)) continue;  // and says it again later
      mine.erase(mine.begin() + static_cast<int64_t>(at));
    }
  }
  faults.commitsUntilFailure = faults.changesUntilFailure = -1;
  const auto isOver = [&] { return bench.store().unfinished()->tasks.empty(); };
  held.clear();
  for (auto &prober : probers) attach(*prober);
  for (int round = 0; round < 400 && !isOver(); ++round) {
    for (auto &prober : probers) {
      prober->work();
      prober->worker.heartbeat({});
    }
    bench.advance(absl::Seconds(2));
  }
  for (const auto &[id, spec] : jobs) {
    const v1::Job job = bench.job(id);
    EXPECT_EQ(job.state(), v1::JOB_SUCCEEDED) << job.result().result().sentence();
    EXPECT_EQ(job.result().probe_sum(), probeSum(spec.probe()));
  }
}

}  // namespace
}  // namespace hone::server::testing
