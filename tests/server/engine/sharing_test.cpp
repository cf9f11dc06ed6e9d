// Turns among users, and work that is done once for all who want it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include "server/engine/task_queue.h"
#include "server/kinds/compile.h"
#include "tests/server/engine/bench.h"
#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::server::testing {
namespace {

using Texts = std::vector<std::string>;

// -------------------------------------------------------------------------------------------------------------- turns

/// The rule of the queue, said the slow way.
class SlowQueue {
 public:
  explicit SlowQueue(int64_t most) : most_(most) {}
  std::map<int64_t, TaskQueue::Entry> waiting;
  std::vector<TaskQueue::Entry> running;
  std::map<std::pair<std::string, std::string>, int64_t> lastGrant;

  std::optional<int64_t> next(const std::string &key, const std::set<std::string> &kinds) const {
    std::optional<int64_t> best;
    for (const auto &[task, entry] : waiting) {
      if (entry.key != key || !kinds.contains(entry.kind)) continue;
      const std::set<int64_t> jobs = runningJobs(entry.user);
      if (!jobs.contains(entry.job) && static_cast<int64_t>(jobs.size()) >= most_) continue;
      if (!best || rank(entry) < rank(waiting.at(*best))) best = task;
    }
    return best;
  }

 private:
  std::set<int64_t> runningJobs(const std::string &user) const {
    std::set<int64_t> jobs;
    for (const TaskQueue::Entry &entry : running) {
      if (entry.user == user) jobs.insert(entry.job);
    }
    return jobs;
  }
  std::tuple<int64_t, int64_t, std::string, int32_t, int64_t, int64_t> rank(const TaskQueue::Entry &entry) const {
    const int64_t tasks = std::ranges::count_if(
        running, [&](const TaskQueue::Entry &each) { return each.user == entry.user && each.key == entry.key; });
    const auto grant = lastGrant.find({entry.user, entry.key});
    return {tasks, grant == lastGrant.end() ? 0 : grant->second, entry.user, -entry.priority, entry.job, entry.task};
  }
  int64_t most_;
};

TEST(TaskQueue, decidesAsTheRuleSays) {
  hone::testing::Random random(hone::testing::testSeed());
  const int64_t steps = hone::testing::effort(3000, 100'000);
  const Texts users{"ada", "bob", "cyd", "dan"}, keys{"", "rpi4"}, kinds{"build", "compile", "propose"};
  TaskQueue queue(3);
  SlowQueue slow(3);
  int64_t tasks = 0, grants = 0;
  for (int64_t step = 0; step < steps; ++step) {
    const std::string &key = keys[random.between(0, 1)];
    std::set<std::string> able;
    for (const std::string &kind : kinds) {
      if (random.chance(70)) able.insert(kind);
    }
    const auto can = [&](const std::string &kind) { return able.contains(kind); };
    ASSERT_EQ(queue.next(key, can), slow.next(key, able)) << "step " << step;
    const auto choice = random.between(0, 9);
    if (choice < 4 && slow.waiting.size() < 60) {
      // A job is one user's, and has one priority.
      const int64_t job = random.between(1, 24);
      const TaskQueue::Entry entry{users[job % 4], key, kinds[random.between(0, 2)], static_cast<int32_t>(job % 3), job,
                                   ++tasks};
      queue.add(entry);
      slow.waiting[entry.task] = entry;
    } else if (choice == 4 && !slow.waiting.empty()) {
      const TaskQueue::Entry entry = slow.waiting.begin()->second;
      queue.remove(entry);
      slow.waiting.erase(entry.task);
    } else if (choice < 8) {
      if (const std::optional<int64_t> next = slow.next(key, able)) {
        const TaskQueue::Entry entry = slow.waiting.at(*next);
        queue.remove(entry);
        slow.waiting.erase(*next);
        queue.started(entry, ++grants);
        slow.lastGrant[{entry.user, entry.key}] = grants;
        slow.running.push_back(entry);
      }
    } else if (!slow.running.empty()) {
      const auto at = static_cast<size_t>(random.between(0, static_cast<int64_t>(slow.running.size()) - 1));
      queue.ended(slow.running[at]);
      slow.running.erase(slow.running.begin() + static_cast<int64_t>(at));
    }
    ASSERT_EQ(queue.waiting("") + queue.waiting("rpi4"), static_cast<int64_t>(slow.waiting.size()));
  }
  EXPECT_GT(grants, steps / 20);
}

TEST(TaskQueue, remembersNoMoreUsersThanItMust) {
  TaskQueue queue(64);
  const auto any = [](const std::string &) { return true; };
  for (int64_t user = 0; user < 3000; ++user) {
    const TaskQueue::Entry entry{absl::StrCat("user ", user), "", "compile", 0, user + 1, user + 1};
    queue.add(entry);
    ASSERT_EQ(queue.next("", any), entry.task);
    queue.remove(entry);
    queue.started(entry, user + 1);
    queue.ended(entry);
  }
  EXPECT_LE(queue.shares(""), 1001);
}

TEST(Turns, areKeptOverARestartEvenOfUsersWithNothingRunning) {
  Bench bench;
  TestWorker worker(bench, "w");
  for (int i = 0; i < 3; ++i) bench.submit(bench.compileSpec(absl::StrCat("ada ", i)), "ada");
  for (int i = 0; i < 3; ++i) bench.submit(bench.compileSpec(absl::StrCat("bob ", i)), "bob");
  Texts users;
  for (int i = 0; i < 6; ++i) {
    worker.attach();
    const v1::Lease lease = worker.lease();
    users.push_back(bench.job(lease.job()).user());
    worker.goodbye();
    worker.succeed(lease, absl::StrCat(i));
    bench.settle();
    bench.restart();
  }
  EXPECT_EQ(users, (Texts{"ada", "bob", "ada", "bob", "ada", "bob"}));
}

TEST(Turns, putPriorityBeforeAgeWithinAUserOnly) {
  Bench bench;
  TestWorker worker(bench, "w");
  bench.submit(bench.compileSpec("1"), "ada", 0);
  const std::string urgent = bench.submit(bench.compileSpec("2"), "ada", 5).id();
  const std::string others = bench.submit(bench.compileSpec("3"), "bob", -5).id();
  worker.attach();
  v1::Lease lease = worker.lease();
  EXPECT_EQ(lease.job(), urgent);
  worker.succeed(lease, "a");
  EXPECT_EQ(worker.lease().job(), others) << "bob's turn, whatever ada thinks is urgent";
}

TEST(Turns, stopAtTheMostThatAUserMayRun) {
  Bench bench({.maxRunningJobs = 2});
  TestWorker worker(bench, "w"), device(bench, "");
  worker.hello.set_builder_slots(8);
  device.hello = TestWorker::device("d");
  worker.attach();
  device.attach();
  for (int i = 0; i < 4; ++i) bench.submit(bench.compileSpec(absl::StrCat(i)), "ada");
  bench.submit(bench.runSpec(), "ada");
  bench.submit(bench.compileSpec("bob's"), "bob");
  const std::vector<v1::Lease> leases = worker.leases();
  EXPECT_EQ(leases.size(), 3U) << "two of ada's, one of bob's";
  EXPECT_TRUE(device.leases().empty()) << "over all keys";
  worker.succeed(leases[0], "a");
  worker.succeed(leases[1], "b");
  EXPECT_EQ(worker.leases().size() + device.leases().size(), 2U);
}

// ----------------------------------------------------------------------------------------------------------- the cache

TEST(CacheKey, differsWithEverythingThatChangesTheArtifact) {
  v1::CompileJob job;
  job.mutable_model()->set_sha256("m");
  for (const char *name : {"w", "x"}) {
    v1::DataBlob &file = *job.add_data_files();
    file.set_location(name);
    file.mutable_digest()->set_sha256(name);
  }
  v1::Compile &options = *job.mutable_options();
  v1::InputShape &shape = *options.add_input_shapes();
  shape.set_name("x");
  shape.add_dims(12);
  v1::BoundInput &bound = *options.add_bound_inputs();
  bound.set_name("k");
  bound.set_numbers("12");
  v1::BoundInput &tensor = *options.add_bound_inputs();
  tensor.set_name("t");
  tensor.mutable_tensor()->set_dtype("int8");
  tensor.mutable_tensor()->add_shape(2);
  tensor.mutable_tensor()->set_data("ab");
  options.mutable_target_description()->add_features("+a");
  const std::string before = canonicalText(job);
  const auto changes = [&](const std::function<void(v1::CompileJob &)> &change) {
    v1::CompileJob other = job;
    change(other);
    return canonicalText(other) != before;
  };
  const auto option = [&](const std::function<void(v1::Compile &)> &change) {
    return changes([&](v1::CompileJob &other) { change(*other.mutable_options()); });
  };
  const auto target = [&](const std::function<void(v1::TargetDescription &)> &change) {
    return option([&](v1::Compile &other) { change(*other.mutable_target_description()); });
  };
  EXPECT_TRUE(changes([](auto &o) { o.mutable_model()->set_sha256("n"); }));
  EXPECT_TRUE(changes([](auto &o) { o.mutable_model()->set_size_bytes(1); }));
  EXPECT_TRUE(changes([](auto &o) { o.mutable_data_files(0)->set_location("v"); }));
  EXPECT_TRUE(changes([](auto &o) { o.mutable_data_files(0)->mutable_digest()->set_sha256("n"); }));
  EXPECT_TRUE(changes([](auto &o) { o.mutable_data_files(0)->mutable_digest()->set_size_bytes(1); }));
  EXPECT_TRUE(changes([](auto &o) { o.mutable_data_files()->RemoveLast(); }));
  EXPECT_FALSE(changes([](auto &o) { o.mutable_data_files()->SwapElements(0, 1); })) << "the order says nothing";
  EXPECT_TRUE(option([](auto &o) { o.mutable_input_shapes(0)->set_name("y"); }));
  EXPECT_TRUE(
      option([](auto &o) { o.mutable_input_shapes(0)->set_dims(0, 1), o.mutable_input_shapes(0)->add_dims(2); }));
  EXPECT_TRUE(option([](auto &o) { o.add_input_shapes()->set_name("z"); }));
  EXPECT_TRUE(option([](auto &o) { o.mutable_bound_inputs(0)->set_name("l"); }));
  EXPECT_TRUE(option([](auto &o) { o.set_check_indices(true); }));
  EXPECT_TRUE(option([](auto &o) { o.mutable_bound_inputs(0)->set_numbers("1,2"); }));
  EXPECT_TRUE(option([](auto &o) { o.mutable_bound_inputs(1)->mutable_tensor()->set_dtype("uint8"); }));
  EXPECT_TRUE(option([](auto &o) { o.mutable_bound_inputs(1)->mutable_tensor()->add_shape(1); }));
  EXPECT_TRUE(option([](auto &o) { o.mutable_bound_inputs(1)->mutable_tensor()->set_data("ac"); }));
  EXPECT_TRUE(option([](auto &o) { o.mutable_bound_inputs()->RemoveLast(); }));
  EXPECT_FALSE(option([](auto &o) { o.mutable_bound_inputs()->SwapElements(0, 1); })) << "the order says nothing";
  EXPECT_TRUE(option([](auto &o) { o.set_schedules("s"); }));
  EXPECT_TRUE(option([](auto &o) { o.set_opt_level(1); }));
  EXPECT_TRUE(option([](auto &o) { o.add_disabled_passes("p"); }));
  EXPECT_TRUE(option([](auto &o) { o.add_disabled_algorithms("p"); }));
  EXPECT_TRUE(option([](auto &o) { o.set_module_name("n"); }));
  EXPECT_TRUE(target([](auto &t) { t.set_triple("t"); }));
  EXPECT_TRUE(target([](auto &t) { t.set_cpu("t"); }));
  EXPECT_TRUE(target([](auto &t) { t.add_features("+b"); }));
  EXPECT_TRUE(target([](auto &t) { t.set_vector_bytes(1); }));
  EXPECT_TRUE(target([](auto &t) { t.set_vector_registers(1); }));
  EXPECT_TRUE(target([](auto &t) { t.set_l1_bytes(1); }));
  EXPECT_TRUE(target([](auto &t) { t.set_l2_bytes(1); }));
  EXPECT_TRUE(target([](auto &t) { t.set_l3_bytes(1); }));
  EXPECT_TRUE(target([](auto &t) { t.set_cores(1); }));

  EXPECT_FALSE(option([](auto &o) { o.set_threads(3); }));
  EXPECT_FALSE(option([](auto &o) { o.set_model_descriptor(3); }));
  EXPECT_FALSE(option([](auto &o) { o.add_data_files()->set_location("w"); })) << "the worker's own";
  EXPECT_FALSE(option([](auto &o) { o.set_target("llvm"); })) << "it was resolved";
  EXPECT_FALSE(changes([](auto &o) { o.set_skip_cache(true); }));
}

// A new field of these messages is either in canonicalText() or named here as one that changes no artifact.
TEST(CacheKey, knowsEveryField) {
  EXPECT_EQ(v1::Compile::descriptor()->field_count(), 17);
  EXPECT_EQ(v1::CompileJob::descriptor()->field_count(), 4);
  EXPECT_EQ(v1::DataBlob::descriptor()->field_count(), 2);
  EXPECT_EQ(v1::TargetDescription::descriptor()->field_count(), 9);
  EXPECT_EQ(v1::InputShape::descriptor()->field_count(), 2);
  EXPECT_EQ(v1::BoundInput::descriptor()->field_count(), 3);
  EXPECT_EQ(v1::Tensor::descriptor()->field_count(), 3);
}

TEST(CacheKey, cannotBeConfusedByTextInsideOfAField) {
  v1::CompileJob a, b;
  a.mutable_options()->set_schedules("s\nopt_level 0\n");
  b.mutable_options()->set_schedules("s");
  EXPECT_NE(canonicalText(a), canonicalText(b));
  a.mutable_options()->set_schedules("");
  b.mutable_options()->set_schedules("");
  a.mutable_options()->add_disabled_passes("p");
  a.mutable_options()->add_disabled_passes("q");
  b.mutable_options()->add_disabled_passes("q");
  b.mutable_options()->add_disabled_passes("p");
  EXPECT_EQ(canonicalText(a), canonicalText(b)) << "a set has no order";
}

struct Cache : ::testing::Test {
  Bench bench;
  TestWorker worker{bench, "w"};

  std::string compile(const std::string &artifact = "artifact") {
    const std::string id = bench.submit(bench.compileSpec()).id();
    worker.succeed(worker.lease(), artifact);
    bench.settle();
    return id;
  }
  std::filesystem::path file(const std::string &bytes) {
    const auto path = bench.blobs().locate(bench.blob(bytes));
    EXPECT_TRUE(path.ok()) << path.status();
    return *path;
  }
};

TEST_F(Cache, answersAnEqualJobAtOnce) {
  worker.attach();
  const std::string first = compile();
  v1::JobSpec spec = bench.compileSpec();
  spec.mutable_compile()->mutable_options()->set_threads(7);
  const v1::Job second = bench.submit(spec, "bob");
  EXPECT_NE(second.id(), first);
  EXPECT_EQ(second.state(), v1::JOB_SUCCEEDED);
  EXPECT_TRUE(second.result().from_cache());
  EXPECT_EQ(second.result().artifact().sha256(), bench.blob("artifact").sha256());
  EXPECT_EQ(bench.story(second.id()).back(), "JOB_PENDING>JOB_SUCCEEDED server");
  EXPECT_TRUE(worker.leases().empty());
  EXPECT_EQ(bench.observer.hits, 1);
  EXPECT_EQ(bench.observer.misses, 1);
  bench.restart();
  worker.attach();
  bench.settle();
  EXPECT_EQ(bench.submit(spec, "cyd").state(), v1::JOB_SUCCEEDED);
}

TEST_F(Cache, isNotForRunsNorForLooksInside) {
  worker.hello.add_roles(v1::ROLE_DEVICE);
  worker.hello.set_key("board");
  worker.hello.set_abi_version(1);
  worker.attach();
  for (int i = 0; i < 2; ++i) {
    bench.submit(bench.runSpec());
    worker.succeed(worker.lease());
    v1::JobSpec spec = bench.compileSpec();
    spec.mutable_compile()->mutable_options()->add_dumps("ll");
    bench.submit(spec);
    worker.succeed(worker.lease());
  }
  EXPECT_EQ(bench.observer.hits, 0);
}

TEST_F(Cache, isPassedByAndReplacedOnDemand) {
  worker.attach();
  compile("old");
  v1::JobSpec spec = bench.compileSpec();
  spec.mutable_compile()->set_skip_cache(true);
  const std::string fresh = bench.submit(spec).id();
  EXPECT_EQ(bench.job(fresh).state(), v1::JOB_RUNNING);
  worker.succeed(worker.lease(), "new");
  bench.settle();
  EXPECT_EQ(bench.submit(bench.compileSpec()).result().artifact().sha256(), bench.blob("new").sha256());
}

TEST_F(Cache, forgetsWhatIsDamaged) {
  worker.attach();
  compile();
  const std::filesystem::path path = file("artifact");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::fstream(path, std::ios::in | std::ios::out) << "X";
  const std::string again = bench.submit(bench.compileSpec()).id();
  EXPECT_NE(bench.job(again).state(), v1::JOB_SUCCEEDED) << "a flipped byte is never served";
  worker.succeed(worker.lease(), "artifact");
  bench.settle();
  EXPECT_EQ(bench.job(again).state(), v1::JOB_SUCCEEDED);
  std::filesystem::remove(file("artifact"));
  EXPECT_NE(bench.submit(bench.compileSpec()).state(), v1::JOB_SUCCEEDED) << "nor a blob that is not there";
  EXPECT_EQ(worker.leases().size(), 1U);
}

TEST_F(Cache, knowsWhichCompilerDidTheWork) {
  worker.attach();
  compile("of build 1");
  worker.detach();
  TestWorker newer(bench, "");
  newer.hello = TestWorker::builder("newer", "build-2");
  newer.attach();
  bench.settle();
  const std::string id = bench.submit(bench.compileSpec()).id();
  EXPECT_EQ(bench.job(id).state(), v1::JOB_RUNNING) << "the other build's artifact is another";
  newer.succeed(newer.lease(), "of build 2");
  bench.settle();
  EXPECT_EQ(bench.submit(bench.compileSpec()).result().artifact().sha256(), bench.blob("of build 2").sha256());
}

TEST_F(Cache, isAskedAgainWhenABuilderComes) {
  worker.attach();
  compile();
  worker.detach();
  bench.restart();
  const std::string id = bench.submit(bench.compileSpec()).id();
  EXPECT_EQ(bench.job(id).state(), v1::JOB_PENDING) << "whose compiler would do it is not known";
  worker.attach();
  EXPECT_TRUE(eventually([&] { return bench.job(id).state() == v1::JOB_SUCCEEDED; }));
  EXPECT_TRUE(bench.job(id).result().from_cache());
  EXPECT_TRUE(worker.leases().empty());
}

// ------------------------------------------------------------------------------------------------------- single flight

TEST_F(Cache, equalWorkFliesOnce) {
  TestWorker idle(bench, "idle");
  worker.attach();
  const std::string first = bench.submit(bench.compileSpec(), "ada").id();
  const v1::Lease lease = worker.lease();
  idle.attach();
  const std::string second = bench.submit(bench.compileSpec(), "bob").id();
  const std::string third = bench.submit(bench.compileSpec(), "bob").id();
  EXPECT_TRUE(idle.leases().empty());
  EXPECT_EQ(bench.job(second).state(), v1::JOB_PENDING);
  EXPECT_EQ(bench.engine().state().pending, 2);
  bench.restart();
  worker.hold(lease);
  worker.attach();
  idle.attach();
  EXPECT_TRUE(idle.leases().empty()) << "also after a restart";
  EXPECT_EQ(bench.cancel(third)->state(), v1::JOB_CANCELLED);
  worker.succeed(lease);
  bench.settle();
  EXPECT_EQ(bench.job(first).result().from_cache(), false);
  EXPECT_EQ(bench.job(second).state(), v1::JOB_SUCCEEDED);
  EXPECT_TRUE(bench.job(second).result().from_cache());
  EXPECT_EQ(bench.job(third).state(), v1::JOB_CANCELLED);
  EXPECT_TRUE(idle.leases().empty());
}

TEST_F(Cache, aFlightThatFailsIsFollowedByTheNext) {
  TestWorker idle(bench, "idle");
  worker.attach();
  const std::string first = bench.submit(bench.compileSpec(), "ada").id();
  const std::string second = bench.submit(bench.compileSpec(), "bob").id();
  const std::string third = bench.submit(bench.compileSpec(), "cyd").id();
  const v1::Lease lease = worker.lease();
  idle.attach();
  worker.goodbye();
  worker.fail(lease, v1::Result::WORK_FAILED, "out of memory");
  const v1::Lease next = idle.lease();
  EXPECT_EQ(next.job(), second);
  EXPECT_EQ(bench.job(first).state(), v1::JOB_FAILED);
  ASSERT_TRUE(bench.cancel(second).ok());
  EXPECT_EQ(idle.lease().job(), third);
}

}  // namespace
}  // namespace hone::server::testing
