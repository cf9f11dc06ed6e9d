// A fleet that does everything wrong, from a seed: workers that crash, come back with or without their leases, send
// results late, twice, or for others; users that cancel; coordinators that are killed between any two steps; commits
// that fail. What the store says at the end is checked against rules that name no part of the engine.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/server/all_attempts.h"
#include "tests/server/engine/bench.h"
#include "tests/server/engine/failing_store.h"
#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::server::testing {
namespace {

constexpr int kMaxAttempts = 3;

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 6; ++i) {
      auto worker = std::make_unique<Actor>(bench_, absl::StrCat("w", i));
      if (i % 2 == 1) worker->player.hello = TestWorker::device(absl::StrCat("w", i), i % 4 == 1 ? "a" : "b");
      if (i == 4) worker->player.hello.set_builder_slots(3);
      worker->hello = worker->player.hello;
      workers_.push_back(std::move(worker));
      attach(*workers_.back());
    }
    bench_.settle();
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      act();
      if (step % 8 == 0) checkLeases();
    }
    finish();
    checkEnds();
  }

 private:
  struct Actor {
    Actor(Bench &bench, const std::string &name) : player(bench, name) {}
    TestWorker player;
    v1::Hello hello;
    bool isAttached = false;
    std::vector<v1::Lease> held;
    std::vector<v1::LeaseResult> said;  // may be said again
  };

  void attach(Actor &worker) {
    worker.player.hello = worker.hello;
    for (const v1::Lease &lease : worker.held) {
      if (random_.chance(85)) worker.player.hold(lease);
    }
    worker.player.attach();
    worker.isAttached = true;
  }

  void collect(Actor &worker) {
    if (!worker.isAttached) return;
    for (v1::Lease &lease : worker.player.leases()) worker.held.push_back(std::move(lease));
    worker.player.heard();
    worker.isAttached = !worker.player.isClosed();
  }

  void act() {
    const int64_t what = random_.between(0, 99);
    Actor &worker = *workers_[random_.between(0, static_cast<int64_t>(workers_.size()) - 1)];
    if (what < 30) {
      submit();
    } else if (what < 36) {
      cancel();
    } else if (what < 70) {
      collect(worker);
      answer(worker);
    } else if (what < 76 && worker.isAttached) {
      collect(worker);
      worker.player.heartbeat(worker.held);
    } else if (what < 80) {
      if (worker.isAttached) worker.player.detach();
      worker.isAttached = false;
      if (random_.chance(50)) worker.held.clear();  // killed; else cut off
    } else if (what < 88) {
      collect(worker);
      attach(worker);
    } else if (what < 93) {
      bench_.advance(absl::Seconds(random_.between(1, 12)));
    } else if (what < 95) {
      restart();
    } else if (what < 97) {
      faults_.commitsUntilFailure = static_cast<int>(random_.between(0, 2));
    } else if (what < 98) {
      faults_.changesUntilFailure = static_cast<int>(random_.between(0, 4));
    } else if (!worker.said.empty() && worker.isAttached) {
      worker.player.send(worker.said[random_.between(0, static_cast<int64_t>(worker.said.size()) - 1)]);
    }
  }

  void submit() {
    static const std::vector<std::string> users{"ada", "bob", "cyd"};
    const std::string &user = users[random_.between(0, 2)];
    v1::JobSpec spec;
    if (random_.chance(60)) {
      *spec.mutable_compile()->mutable_model() = blob(absl::StrCat("model ", random_.between(0, 30)));
      spec.mutable_compile()->mutable_options()->mutable_target_description()->set_cpu("generic");
      spec.mutable_compile()->set_skip_cache(random_.chance(20));
    } else {
      *spec.mutable_run()->mutable_artifact() = blob("artifact");
      spec.mutable_run()->set_key(random_.chance(50) ? "a" : "b");
    }
    v1::SubmitRequest request = bench_.request(spec);
    request.set_priority(static_cast<int32_t>(random_.between(-1, 1)));
    if (random_.chance(10)) request.set_deadline_seconds(static_cast<uint32_t>(random_.between(1, 60)));
    const auto job = bench_.trySubmit(request, user);
    if (job.ok()) {
      acknowledged_.insert(job->id());
    } else {
      EXPECT_TRUE(absl::IsResourceExhausted(job.status())) << job.status();
    }
  }

  /// An upload that goes through in the end, whatever commits fail.
  v1::Digest blob(const std::string &bytes) {
    faults_.commitsUntilFailure = -1;
    faults_.changesUntilFailure = -1;
    return bench_.blob(bytes);
  }

  void cancel() {
    if (acknowledged_.empty()) return;
    auto job = acknowledged_.begin();
    std::advance(job, random_.between(0, static_cast<int64_t>(acknowledged_.size()) - 1));
    bench_.cancel(*job).IgnoreError();
  }

  void answer(Actor &worker) {
    if (worker.held.empty() || !worker.isAttached) return;
    const auto at = random_.between(0, static_cast<int64_t>(worker.held.size()) - 1);
    const v1::Lease lease = worker.held[at];
    worker.held.erase(worker.held.begin() + at);
    v1::LeaseResult result = resultOf(lease);
    const int64_t how = random_.between(0, 9);
    if (how == 0) {
      result.set_is_workers_fault(true);
    } else if (how == 1) {
      result.mutable_result()->set_outcome(v1::Result::INPUT_REFUSED);
    } else if (how > 2 && lease.spec().has_compile()) {  // 2: without its artifact
      *result.mutable_artifact() = blob(absl::StrCat("of ", lease.spec().compile().model().sha256()));
    }
    worker.said.push_back(result);
    Actor &sender = random_.chance(5) ? *workers_[0] : worker;  // sometimes a liar
    if (sender.isAttached) sender.player.send(result);
    if (&sender != &worker && worker.isAttached) worker.player.send(result);
  }

  void restart() {
    bench_.settle();
    bench_.restart();
    for (const auto &worker : workers_) {
      worker->isAttached = false;
      if (random_.chance(70)) attach(*worker);
    }
  }

  void checkLeases() {
    const auto unfinished = bench_.store().unfinished();
    ASSERT_TRUE(unfinished.ok());
    std::map<std::string, int> byWorker;
    for (const Task &task : unfinished->tasks) {
      EXPECT_LE(task.attempts, kMaxAttempts) << task.job;
      if (task.isLeased) ++byWorker[task.worker];
    }
  }

  /// Everybody behaves until nothing is left to do.
  void finish() {
    faults_.commitsUntilFailure = -1;
    faults_.changesUntilFailure = -1;
    for (int round = 0; round < 500; ++round) {
      if (bench_.store().unfinished()->tasks.empty()) return;
      for (const auto &worker : workers_) {
        collect(*worker);
        if (!worker->isAttached) {
          worker->held.clear();
          attach(*worker);
          collect(*worker);
        }
        if (bench_.worker(worker->hello.name()).state() == v1::WORKER_QUARANTINED) {
          EXPECT_TRUE(bench_.drainWorker(worker->hello.name(), true).ok());
        }
        for (const v1::Lease &lease : std::exchange(worker->held, {})) {
          v1::LeaseResult result = resultOf(lease);
          if (lease.spec().has_compile()) {
            *result.mutable_artifact() = blob(absl::StrCat("of ", lease.spec().compile().model().sha256()));
          }
          worker->player.send(result);
        }
      }
      bench_.advance(absl::Seconds(2));
    }
    ADD_FAILURE() << bench_.store().unfinished()->tasks.size() << " tasks never end";
  }

  void checkEnds() {
    std::map<v1::JobState, int> states;
    for (const std::string &id : acknowledged_) {
      const v1::Job job = bench_.job(id);
      ++states[job.state()];
      const std::vector<std::string> story = bench_.story(id);  // checks that there are no gaps
      int finals = 0, grants = 0;
      v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
      const auto events = bench_.store().events(id, 0);
      for (const v1::JobEvent &event : *events) {
        EXPECT_EQ(event.from(), state) << id;
        state = event.to();
        finals += state >= v1::JOB_SUCCEEDED ? 1 : 0;
        grants += state == v1::JOB_RUNNING ? 1 : 0;
      }
      EXPECT_EQ(finals, 1) << id << " ends once";
      EXPECT_EQ(state, job.state()) << id;
      EXPECT_LE(grants, kMaxAttempts) << id;
      const auto attempts = allAttempts(bench_.store(), id);
      EXPECT_EQ(attempts->size(), static_cast<size_t>(grants)) << id;
      int64_t epoch = 0, ended = 0;
      int done = 0;
      for (const v1::Attempt &attempt : *attempts) {
        EXPECT_GT(attempt.epoch(), epoch) << id;
        EXPECT_GE(attempt.granted_micros(), ended) << id << ": two live leases";
        EXPECT_GT(attempt.ended_micros(), 0) << id;
        epoch = attempt.epoch();
        ended = attempt.ended_micros();
        done += attempt.end() == "done" ? 1 : 0;
      }
      if (job.state() == v1::JOB_SUCCEEDED) {
        EXPECT_EQ(done, job.result().from_cache() ? 0 : 1) << id;
        if (job.spec().has_compile()) {
          // The artifact of its own model, whoever compiled it.
          EXPECT_EQ(job.result().artifact().sha256(),
                    Bench::digestOf(absl::StrCat("of ", job.spec().compile().model().sha256())).sha256());
        }
      } else {
        EXPECT_EQ(done, 0) << id;
        EXPECT_FALSE(job.result().result().sentence().empty() &&
                     job.result().result().outcome() != v1::Result::INPUT_REFUSED)
            << id << " says why";
      }
    }
    std::cout << acknowledged_.size() << " jobs: " << states[v1::JOB_SUCCEEDED] << " succeeded, "
              << states[v1::JOB_FAILED] << " failed, " << states[v1::JOB_CANCELLED] << " cancelled; "
              << faults_.failures << " failed commits, " << bench_.observer.stales << " stale results, "
              << bench_.observer.expirations << " expired leases, " << bench_.observer.hits << " cache hits\n";
  }

  FailingStore::Faults faults_;
  Bench bench_{Policy{.maxAttempts = kMaxAttempts},
               [this](Store *store) { return std::make_unique<FailingStore>(store, faults_); }};
  hone::testing::Random random_;
  std::vector<std::unique_ptr<Actor>> workers_;
  std::set<std::string> acknowledged_;
};

TEST(Simulation, everyAcknowledgedJobEndsOnceAndIsExplained) {
  const uint64_t seed = hone::testing::testSeed();
  const int64_t runs = hone::testing::effort(3, 15);
  for (int64_t i = 0; i < runs; ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", seed, " run ", i));
    Simulation(seed + static_cast<uint64_t>(i)).run(400);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace hone::server::testing
