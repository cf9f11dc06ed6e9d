// A coordinator's engine on a real store in a folder of the test's own, with a clock that the test turns and workers
// that it plays. Not thread-safe: for one test's thread; the links collect what the engine's thread sends.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/engine/engine.h"
#include "server/store/sqlite_store.h"
#include "tests/server/scratch.h"

namespace hone::server::testing {

/// Stands still until it is turned.
class TestClock : public Clock {
 public:
  absl::Duration monotonic() const override { return absl::Microseconds(monotonic_.load()); }
  int64_t wallMicros() const override { return wall_.load(); }
  void advance(absl::Duration by) {
    monotonic_ += absl::ToInt64Microseconds(by);
    wall_ += absl::ToInt64Microseconds(by);
  }
  void jumpWall(absl::Duration by) { wall_ += absl::ToInt64Microseconds(by); }

 private:
  std::atomic<int64_t> monotonic_{absl::ToInt64Microseconds(absl::Hours(5))};
  std::atomic<int64_t> wall_{1'700'000'000'000'000};
};

struct CountingObserver : EngineObserver {
  std::atomic<int> submissions{0}, ends{0}, leases{0}, expirations{0}, stales{0}, hits{0}, misses{0}, failures{0},
      takenNames{0};
  std::function<void()> onSubmitted = nullptr;  ///< on the engine's thread
  void submitted(const std::string &) override {
    ++submissions;
    if (onSubmitted) onSubmitted();
  }
  void ended(const std::string &, const v1::Job &) override { ++ends; }
  void leased(absl::Duration) override { ++leases; }
  void nameTaken(const std::string &, const std::string &) override { ++takenNames; }
  void expired() override { ++expirations; }
  void stale() override { ++stales; }
  void cacheHit() override { ++hits; }
  void cacheMiss() override { ++misses; }
  void commitFailed() override { ++failures; }
};

/// What the engine has sent over one connection.
class TestLink : public WorkerLink {
 public:
  void send(v1::CoordinatorMessage message) override;
  void close() override;
  std::vector<v1::CoordinatorMessage> take();
  bool isClosed() const;

 private:
  mutable std::mutex mutex_;
  std::vector<v1::CoordinatorMessage> sent_;
  bool isClosed_ = false;
};

/// True as soon as \p condition is; false if it is not within a minute.
bool eventually(const std::function<bool()> &condition);

class Bench {
 public:
  /// \p wrap and \p wrapBlobs may put something between the engine and the store or the blobs.
  explicit Bench(Policy policy = {}, std::function<std::unique_ptr<Store>(Store *)> wrap = nullptr,
                 std::function<std::unique_ptr<BlobFolder>(BlobFolder *)> wrapBlobs = nullptr,
                 const Kinds &kinds = serviceKinds());
  ~Bench() { engine_.reset(); }

  Engine &engine() { return *engine_; }
  Store &store() { return *store_; }
  BlobFolder &blobs() { return *blobs_; }
  const std::filesystem::path &folder() const { return scratch_.path(); }
  /// Ends the engine and starts another on the same folder.
  void restart();
  /// Everything said to the engine before has been decided, committed and answered.
  void settle();
  void advance(absl::Duration by);  ///< and lets the engine see it

  /// A durable blob with these bytes.
  v1::Digest blob(const std::string &bytes, const std::string &user = "ada");
  static v1::Digest digestOf(const std::string &bytes);
  v1::JobSpec compileSpec(const std::string &model = "model");
  v1::JobSpec runSpec(const std::string &key = "board");
  v1::SubmitRequest request(v1::JobSpec spec);  ///< with a request id of its own
  absl::StatusOr<v1::Job> trySubmit(const v1::SubmitRequest &request, const std::string &user = "ada");
  v1::Job submit(v1::JobSpec spec, const std::string &user = "ada", int32_t priority = 0);
  absl::StatusOr<v1::Job> cancel(const std::string &job, const std::string &user = "ada");
  int64_t queuePosition(const std::string &job);
  v1::Job job(const std::string &id);
  std::vector<std::string> story(const std::string &job);  ///< "FROM>TO actor" of each event
  std::vector<std::string> ends(const std::string &job);   ///< "worker end" of each attempt
  absl::StatusOr<v1::Worker> drainWorker(const std::string &name, bool undo = false);
  v1::Worker worker(const std::string &name);  ///< as listed
  v1::ListWorkersResponse list(const v1::ListWorkersRequest &request = {});

  TestClock clock;
  CountingObserver observer;
  Failpoints failpoints;

 private:
  void open();
  absl::StatusOr<v1::Digest> upload(const std::string &bytes, const v1::Digest &digest, const std::string &user);

  Scratch scratch_ = Scratch::inMemory();
  Policy policy_;
  const Kinds *kinds_;
  std::function<std::unique_ptr<Store>(Store *)> wrap_;
  std::function<std::unique_ptr<BlobFolder>(BlobFolder *)> wrapBlobs_;
  std::unique_ptr<BlobFolder> blobs_, wrappedBlobs_;
  std::unique_ptr<Store> store_, wrapped_;
  std::unique_ptr<Engine> engine_;
  int requests_ = 0;
};

/// A worker whose every word the test chooses.
class TestWorker {
 public:
  TestWorker(Bench &bench, const std::string &name) : bench_(bench) { hello = builder(name); }
  static v1::Hello builder(const std::string &name, const std::string &build = "build-1");
  static v1::Hello device(const std::string &name, const std::string &key = "board");

  void attach();  ///< a new connection; leases() are forgotten, hello.held is as the test set it
  void detach();
  /// New leases since the last call, after everything was decided.
  std::vector<v1::Lease> leases();
  v1::Lease lease();  ///< exactly one new one
  void heartbeat(const std::vector<v1::Lease> &held, double stoodStillSeconds = 0);
  void goodbye();
  void progress(const v1::Lease &lease, const std::string &phase);
  void send(const v1::LeaseResult &result);
  void succeed(const v1::Lease &lease, const std::string &artifact = "artifact");
  void fail(const v1::Lease &lease, v1::Result::Outcome outcome, const std::string &sentence);
  void giveUp(const v1::Lease &lease);
  void hold(const v1::Lease &lease);  ///< in the next hello

  /// As leases() and heard(), of what has come by now: for who has settled the bench.
  std::pair<std::vector<v1::Lease>, std::vector<std::string>> take();
  /// Everything that has come, but for leases, in order and as short texts: "welcome", "ack 1.2 yes", "revoke 1.2"…
  std::vector<std::string> heard();
  bool isClosed() const { return link_->isClosed(); }
  SessionId session() const { return session_; }

  v1::Hello hello;

 private:
  void listen();  ///< to what has come

  Bench &bench_;
  std::shared_ptr<TestLink> link_;
  SessionId session_ = 0;
  std::vector<v1::Lease> leases_;
  std::vector<std::string> heard_;
};

/// "task.epoch".
inline std::string nameOf(const v1::Lease &lease) { return absl::StrCat(lease.task(), ".", lease.epoch()); }

v1::LeaseResult resultOf(const v1::Lease &lease, v1::Result::Outcome outcome = v1::Result::DONE);

}  // namespace hone::server::testing
