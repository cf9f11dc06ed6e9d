// How many items a second the engine and its store do, and in how much memory. Prints; judges only the memory.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <mutex>

#include "tests/server/engine/bench.h"
#include "tests/support/effort.h"

namespace hone::server::testing {
namespace {

double processorSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Answers each lease at once, on the engine's own thread: work of no length.
class InstantLink : public WorkerLink {
 public:
  explicit InstantLink(std::atomic<int64_t> &done) : done_(done) {}
  void send(v1::CoordinatorMessage message) override {
    if (message.has_ack()) ++done_;
    if (!message.has_lease()) return;
    v1::WorkerMessage answer;
    v1::LeaseResult &result = *answer.mutable_result();
    result.set_task(message.lease().task());
    result.set_epoch(message.lease().epoch());
    engine->receive(session, std::move(answer));
  }
  void close() override {}

  Engine *engine = nullptr;
  std::atomic<SessionId> session{0};

 private:
  std::atomic<int64_t> &done_;
};

struct Waits : CountingObserver {
  std::mutex mutex;
  std::vector<double> seconds;
  std::atomic<int64_t> commits{0};
  void leased(absl::Duration wait) override {
    const std::lock_guard lock(mutex);
    seconds.push_back(absl::ToDoubleSeconds(wait));
  }
  void committed(absl::Duration, int64_t) override { ++commits; }
};

struct Site {
  explicit Site(const Policy &policy) {
    blobs = *BlobFolder::open({.root = scratch.path(), .reserveBytes = 0}, failpoints);
    store = *openSqliteStore({.folder = scratch.path()}, failpoints);
    engine = *Engine::start({store.get(), blobs.get(), &serviceKinds(), &clock, &failpoints, &waits, 1}, policy);
    artifact.set_sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    auto writer = blobs->write(artifact, "empty", 0);
    EXPECT_TRUE(writer.ok()) << writer.status();
    EXPECT_EQ((*writer)->finish(), absl::OkStatus());
  }

  /// Submits \p count jobs; returns when all have been answered.
  void submit(int64_t count, const std::function<v1::JobSpec(int64_t)> &spec) {
    std::atomic<int64_t> answered{0};
    for (int64_t i = 0; i < count; ++i) {
      v1::SubmitRequest request;
      request.set_request_id(absl::StrCat("r", i));
      *request.mutable_spec() = spec(i);
      EXPECT_TRUE(eventually([&] { return i - answered < 5000; }));
      engine->submit(absl::StrCat("user", i % 7), request, [&](const absl::StatusOr<v1::Job> &job) {
        if (!job.ok()) ADD_FAILURE() << job.status();
        ++answered;
      });
    }
    EXPECT_TRUE(eventually([&] { return answered == count; }));
  }

  std::shared_ptr<InstantLink> attach(int number) {
    auto link = std::make_shared<InstantLink>(done);
    link->engine = engine.get();
    link->session = engine->attach(TestWorker::device(absl::StrCat("w", number), "k"), "test", link);
    return link;
  }

  Scratch scratch;
  SystemClock clock;
  Failpoints failpoints;
  Waits waits;
  std::unique_ptr<BlobFolder> blobs;
  std::unique_ptr<Store> store;
  std::unique_ptr<Engine> engine;
  v1::Digest artifact;
  std::atomic<int64_t> done{0};
};

TEST(Throughput, ofItemsOfNoLength) {
  Site site({.maxQueuedJobs = 1'000'000, .maxRunningJobs = 1'000'000});
  const int64_t items = hone::testing::effort(3000, 50'000);
  const auto first = site.attach(0);  // the key is known from then on
  std::promise<void> drained;
  site.engine->drainWorker(
      [] {
        v1::DrainRequest r;
        r.set_name("w0");
        return r;
      }(),
      [&](const auto &) { drained.set_value(); });
  drained.get_future().wait();
  const absl::Duration begin = site.clock.monotonic();
  site.submit(items, [&](int64_t) {
    v1::JobSpec spec;
    *spec.mutable_run()->mutable_artifact() = site.artifact;
    spec.mutable_run()->set_key("k");
    return spec;
  });
  const absl::Duration submitted = site.clock.monotonic();
  const double processorBefore = processorSeconds();
  const int64_t commitsBefore = site.waits.commits;
  std::vector<std::shared_ptr<InstantLink>> links;
  for (int i = 1; i <= 200; ++i) links.push_back(site.attach(i));
  EXPECT_TRUE(eventually([&] { return site.done == items; })) << site.done;
  const absl::Duration end = site.clock.monotonic();
  std::sort(site.waits.seconds.begin(), site.waits.seconds.end());
  const double seconds = absl::ToDoubleSeconds(end - submitted);
  std::printf(
      "submitted %.0f jobs/s; done %.0f items/s with 200 workers, %.0f us of processor and %.1f items a commit; "
      "free worker to lease p50 %.1f ms, p99 %.1f ms\n",
      static_cast<double>(items) / absl::ToDoubleSeconds(submitted - begin), static_cast<double>(items) / seconds,
      (processorSeconds() - processorBefore) * 1e6 / static_cast<double>(items),
      static_cast<double>(items) / static_cast<double>(site.waits.commits - commitsBefore),
      site.waits.seconds[site.waits.seconds.size() / 2] * 1e3,
      site.waits.seconds[site.waits.seconds.size() * 99 / 100] * 1e3);
  site.engine.reset();
}

TEST(Memory, ofPendingTasks) {
#ifdef HONE_SANITIZED
  GTEST_SKIP() << "a sanitizer's memory says nothing";
#endif
  const int64_t items = hone::testing::effort(30'000, 100'000);
  constexpr int64_t kSqliteCache = int64_t{64} << 20;
  Site site({.maxQueuedJobs = items});
  const auto used = [] {  // resident bytes, whichever thread asked for them
    malloc_trim(0);
    int64_t size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return resident * sysconf(_SC_PAGESIZE);
  };
  const int64_t before = used();
  site.submit(items, [&](int64_t item) {
    v1::JobSpec spec;  // each with a cache's key of its own, which is the most that a task holds
    *spec.mutable_compile()->mutable_model() = site.artifact;
    spec.mutable_compile()->mutable_options()->mutable_target_description();
    spec.mutable_compile()->mutable_options()->set_module_name(absl::StrCat(item));
    return spec;
  });
  const int64_t bytes = used() - before;
  std::printf("%.1f MB for %lld pending tasks, with SQLite's cache\n", static_cast<double>(bytes) * 1e-6,
              static_cast<long long>(items));
  EXPECT_LT(bytes, items * 1000 + kSqliteCache) << "100,000 are to fit into 100 MB";
  EXPECT_EQ(site.engine->state().pending, items);
}

}  // namespace
}  // namespace hone::server::testing
