#include "tests/server/engine/bench.h"

#include <chrono>
#include <thread>
#include <utility>

#include "common/sha256.h"
#include "tests/server/all_attempts.h"

namespace hone::server::testing {
namespace {

constexpr auto kMost = std::chrono::seconds(10);

/// Calls \p ask with a callback and waits for what it is called with.
template <typename T>
absl::StatusOr<T> wait(const std::function<void(Callback<T>)> &ask) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<T>>>();
  std::future<absl::StatusOr<T>> answer = promise->get_future();
  ask([promise](absl::StatusOr<T> value) { promise->set_value(std::move(value)); });
  if (answer.wait_for(kMost) != std::future_status::ready) return absl::DeadlineExceededError("the engine is silent");
  return answer.get();
}

}  // namespace

bool eventually(const std::function<bool()> &condition) {
  const auto end = std::chrono::steady_clock::now() + kMost;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return condition();
}

// ---------------------------------------------------------------------------------------------------------------- link

void TestLink::send(v1::CoordinatorMessage message) {
  const std::lock_guard lock(mutex_);
  EXPECT_FALSE(isClosed_) << "sent after close: " << message.ShortDebugString();
  sent_.push_back(std::move(message));
}

void TestLink::close() {
  const std::lock_guard lock(mutex_);
  isClosed_ = true;
}

std::vector<v1::CoordinatorMessage> TestLink::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(sent_, {});
}

bool TestLink::isClosed() const {
  const std::lock_guard lock(mutex_);
  return isClosed_;
}

// --------------------------------------------------------------------------------------------------------------- bench

Bench::Bench(Policy policy, std::function<std::unique_ptr<Store>(Store *)> wrap,
             std::function<std::unique_ptr<BlobFolder>(BlobFolder *)> wrapBlobs, const Kinds &kinds)
    : policy_(policy), kinds_(&kinds), wrap_(std::move(wrap)), wrapBlobs_(std::move(wrapBlobs)) {
  open();
}

void Bench::open() {
  absl::StatusOr<std::unique_ptr<BlobFolder>> blobs =
      BlobFolder::open({.root = scratch_.path(), .reserveBytes = 0}, failpoints);
  absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = scratch_.path()}, failpoints);
  if (!blobs.ok() || !store.ok()) {
    ADD_FAILURE() << blobs.status() << store.status();
    abort();
  }
  blobs_ = *std::move(blobs);
  store_ = *std::move(store);
  if (wrap_) wrapped_ = wrap_(store_.get());
  if (wrapBlobs_) wrappedBlobs_ = wrapBlobs_(blobs_.get());
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::start({.store = wrapped_ ? wrapped_.get() : store_.get(),
                     .blobs = wrappedBlobs_ ? wrappedBlobs_.get() : blobs_.get(),
                     .kinds = kinds_,
                     .clock = &clock,
                     .failpoints = &failpoints,
                     .observer = &observer,
                     .seed = 7},
                    policy_);
  if (!engine.ok()) {
    ADD_FAILURE() << engine.status();
    abort();
  }
  engine_ = *std::move(engine);
}

void Bench::restart() {
  engine_.reset();
  wrapped_.reset();
  store_.reset();
  wrappedBlobs_.reset();
  blobs_.reset();
  open();
}

void Bench::settle() {
  // What a group says is said in order; the second round begins when the first group has said everything.
  list();
  list();
}

void Bench::advance(absl::Duration by) {
  clock.advance(by);
  engine().tick();
  settle();
}

v1::Digest Bench::digestOf(const std::string &bytes) {
  v1::Digest digest;
  digest.set_sha256(sha256Hex(bytes));
  digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
  return digest;
}

v1::Digest Bench::blob(const std::string &bytes, const std::string &user) {
  const v1::Digest digest = digestOf(bytes);
  absl::StatusOr<v1::Digest> stored = absl::UnavailableError("not yet");
  // As a client does: what is just being removed is uploaded again.
  for (int attempt = 0; attempt < 100 && absl::IsUnavailable(stored.status()); ++attempt) {
    stored = upload(bytes, digest, user);
    if (!stored.ok()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(stored.ok()) << stored.status();
  return digest;
}

absl::StatusOr<v1::Digest> Bench::upload(const std::string &bytes, const v1::Digest &digest, const std::string &user) {
  if (!blobs_->has(digest)) {
    auto writer = blobs_->write(digest, absl::StrCat("upload-", ++requests_), 0);
    EXPECT_TRUE(writer.ok()) << writer.status();
    EXPECT_EQ((*writer)->append(bytes), absl::OkStatus());
    EXPECT_EQ((*writer)->finish(), absl::OkStatus());
  }
  return wait<v1::Digest>([&](Callback<v1::Digest> done) { engine().blobStored(user, digest, std::move(done)); });
}

v1::JobSpec Bench::compileSpec(const std::string &model) {
  v1::JobSpec spec;
  *spec.mutable_compile()->mutable_model() = blob(model);
  spec.mutable_compile()->mutable_options()->mutable_target_description()->set_cpu("generic");
  return spec;
}

v1::JobSpec Bench::runSpec(const std::string &key) {
  v1::JobSpec spec;
  *spec.mutable_run()->mutable_artifact() = blob("artifact");
  spec.mutable_run()->set_key(key);
  return spec;
}

v1::SubmitRequest Bench::request(v1::JobSpec spec) {
  v1::SubmitRequest request;
  request.set_request_id(absl::StrCat("request-", ++requests_));
  *request.mutable_spec() = std::move(spec);
  return request;
}

absl::StatusOr<v1::Job> Bench::trySubmit(const v1::SubmitRequest &request, const std::string &user) {
  return wait<v1::Job>([&](Callback<v1::Job> done) { engine().submit(user, request, std::move(done)); });
}

v1::Job Bench::submit(v1::JobSpec spec, const std::string &user, int32_t priority) {
  v1::SubmitRequest submission = request(std::move(spec));
  submission.set_priority(priority);
  absl::StatusOr<v1::Job> job = trySubmit(submission, user);
  EXPECT_TRUE(job.ok()) << job.status();
  return job.ok() ? *job : v1::Job();
}

absl::StatusOr<v1::Job> Bench::cancel(const std::string &job, const std::string &user) {
  return wait<v1::Job>([&](Callback<v1::Job> done) { engine().cancel(user, job, std::move(done)); });
}

int64_t Bench::queuePosition(const std::string &job) {
  const auto position = wait<int64_t>([&](Callback<int64_t> done) { engine().queuePosition(job, std::move(done)); });
  EXPECT_TRUE(position.ok()) << position.status();
  return position.value_or(-1);
}

v1::Job Bench::job(const std::string &id) {
  absl::StatusOr<v1::Job> job = store().job(id);
  EXPECT_TRUE(job.ok()) << job.status();
  return job.ok() ? *job : v1::Job();
}

std::vector<std::string> Bench::story(const std::string &job) {
  const auto events = store().events(job, 0);
  EXPECT_TRUE(events.ok()) << events.status();
  std::vector<std::string> result;
  int64_t sequence = 0;
  for (const v1::JobEvent &event : *events) {
    EXPECT_EQ(event.sequence(), ++sequence) << "a gap in the events of " << job;
    result.push_back(
        absl::StrCat(v1::JobState_Name(event.from()), ">", v1::JobState_Name(event.to()), " ", event.actor()));
  }
  return result;
}

std::vector<std::string> Bench::ends(const std::string &job) {
  const auto attempts = allAttempts(store(), job);
  EXPECT_TRUE(attempts.ok()) << attempts.status();
  std::vector<std::string> result;
  for (const v1::Attempt &attempt : *attempts) result.push_back(absl::StrCat(attempt.worker(), " ", attempt.end()));
  return result;
}

absl::StatusOr<v1::Worker> Bench::drainWorker(const std::string &name, bool undo) {
  v1::DrainRequest request;
  request.set_name(name);
  request.set_undo(undo);
  request.set_reason("a test");
  return wait<v1::Worker>([&](Callback<v1::Worker> done) { engine().drainWorker(request, std::move(done)); });
}

v1::ListWorkersResponse Bench::list(const v1::ListWorkersRequest &request) {
  const auto listed = wait<v1::ListWorkersResponse>(
      [&](Callback<v1::ListWorkersResponse> done) { engine().listWorkers(request, std::move(done)); });
  EXPECT_TRUE(listed.ok()) << listed.status();
  return listed.ok() ? *listed : v1::ListWorkersResponse();
}

v1::Worker Bench::worker(const std::string &name) {
  const v1::ListWorkersResponse listed = list();
  for (const v1::Worker &worker : listed.workers()) {
    if (worker.name() == name) return worker;
  }
  ADD_FAILURE() << "no worker " << name;
  return {};
}

// -------------------------------------------------------------------------------------------------------------- worker

v1::Hello TestWorker::builder(const std::string &name, const std::string &build) {
  v1::Hello hello;
  hello.set_name(name);
  hello.add_roles(v1::ROLE_BUILDER);
  hello.set_builder_slots(1);
  hello.set_api_version(1);
  hello.set_build_id(build);
  return hello;
}

v1::Hello TestWorker::device(const std::string &name, const std::string &key) {
  v1::Hello hello;
  hello.set_name(name);
  hello.set_key(key);
  hello.add_roles(v1::ROLE_DEVICE);
  hello.set_api_version(1);
  hello.set_abi_version(1);
  return hello;
}

void TestWorker::attach() {
  leases_.clear();
  link_ = std::make_shared<TestLink>();
  session_ = bench_.engine().attach(hello, "127.0.0.1:5", link_);
  hello.clear_held();
}

void TestWorker::detach() { bench_.engine().detach(session_); }

void TestWorker::listen() {
  if (link_ == nullptr) return;
  for (v1::CoordinatorMessage &message : link_->take()) {
    switch (message.kind_case()) {
      case v1::CoordinatorMessage::kLease:
        leases_.push_back(std::move(*message.mutable_lease()));
        break;
      case v1::CoordinatorMessage::kWelcome: {
        std::string text = "welcome";
        for (const v1::HeldLease &lease : message.welcome().dropped()) {
          absl::StrAppend(&text, " without ", lease.task(), ".", lease.epoch());
        }
        heard_.push_back(text);
        break;
      }
      case v1::CoordinatorMessage::kAck:
        heard_.push_back(absl::StrCat("ack ", message.ack().task(), ".", message.ack().epoch(), " ",
                                      message.ack().accepted() ? "yes" : "no"));
        break;
      case v1::CoordinatorMessage::kRevoke:
        heard_.push_back(absl::StrCat("revoke ", message.revoke().task(), ".", message.revoke().epoch()));
        break;
      case v1::CoordinatorMessage::kHeartbeat: {
        std::string text = message.heartbeat().draining() ? "heartbeat draining" : "heartbeat";
        for (const v1::HeldLease &lease : message.heartbeat().dropped()) {
          absl::StrAppend(&text, " without ", lease.task(), ".", lease.epoch());
        }
        heard_.push_back(text);
        break;
      }
      case v1::CoordinatorMessage::kFarewell:
        heard_.push_back(absl::StrCat("farewell: ", message.farewell().reason(),
                                      message.farewell().come_back() ? " (come back)" : ""));
        break;
      case v1::CoordinatorMessage::KIND_NOT_SET:
        ADD_FAILURE() << "an empty message";
    }
  }
}

std::pair<std::vector<v1::Lease>, std::vector<std::string>> TestWorker::take() {
  listen();
  return {std::exchange(leases_, {}), std::exchange(heard_, {})};
}

std::vector<v1::Lease> TestWorker::leases() {
  bench_.settle();
  listen();
  return std::exchange(leases_, {});
}

v1::Lease TestWorker::lease() {
  std::vector<v1::Lease> all = leases();
  EXPECT_EQ(all.size(), 1U) << hello.name();
  return all.empty() ? v1::Lease() : all.front();
}

std::vector<std::string> TestWorker::heard() {
  bench_.settle();
  listen();
  return std::exchange(heard_, {});
}

void TestWorker::heartbeat(const std::vector<v1::Lease> &held, double stoodStillSeconds) {
  v1::WorkerMessage message;
  message.mutable_heartbeat();
  for (const v1::Lease &lease : held) {
    v1::HeldLease &each = *message.mutable_heartbeat()->add_held();
    each.set_task(lease.task());
    each.set_epoch(lease.epoch());
    each.set_stood_still_seconds(stoodStillSeconds);
  }
  bench_.engine().receive(session_, message);
}

void TestWorker::goodbye() {
  v1::WorkerMessage message;
  message.mutable_goodbye()->set_reason("a test");
  bench_.engine().receive(session_, message);
}

void TestWorker::progress(const v1::Lease &lease, const std::string &phase) {
  v1::WorkerMessage message;
  message.mutable_progress()->set_task(lease.task());
  message.mutable_progress()->set_epoch(lease.epoch());
  message.mutable_progress()->mutable_progress()->set_phase(phase);
  bench_.engine().receive(session_, message);
}

void TestWorker::send(const v1::LeaseResult &result) {
  v1::WorkerMessage message;
  *message.mutable_result() = result;
  bench_.engine().receive(session_, message);
}

void TestWorker::succeed(const v1::Lease &lease, const std::string &artifact) {
  v1::LeaseResult result = resultOf(lease);
  if (lease.spec().has_compile()) *result.mutable_artifact() = bench_.blob(artifact, "");
  send(result);
}

void TestWorker::fail(const v1::Lease &lease, v1::Result::Outcome outcome, const std::string &sentence) {
  v1::LeaseResult result = resultOf(lease, outcome);
  result.mutable_result()->set_sentence(sentence);
  send(result);
}

void TestWorker::giveUp(const v1::Lease &lease) {
  v1::LeaseResult result = resultOf(lease, v1::Result::WORK_FAILED);
  result.mutable_result()->set_sentence("the disk is full");
  result.set_is_workers_fault(true);
  send(result);
}

void TestWorker::hold(const v1::Lease &lease) {
  v1::HeldLease &held = *hello.add_held();
  held.set_task(lease.task());
  held.set_epoch(lease.epoch());
}

v1::LeaseResult resultOf(const v1::Lease &lease, v1::Result::Outcome outcome) {
  v1::LeaseResult result;
  result.set_task(lease.task());
  result.set_epoch(lease.epoch());
  result.mutable_result()->set_outcome(outcome);
  return result;
}

}  // namespace hone::server::testing
