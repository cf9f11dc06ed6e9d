#include "bench/fleet/crew.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"
#include "hone/v1/fleet.grpc.pb.h"
#include "proto/api_version.h"

namespace hone::bench {
namespace {

using std::chrono::steady_clock;

steady_clock::duration toSteady(absl::Duration duration) { return absl::ToChronoNanoseconds(duration); }

class Worker;

enum class Step : uint8_t { Started, Read, Written, Finished };

struct Tag {
  Worker *worker;
  Step step;
};

/// What a crew's workers share; its thread's alone, but for the counters.
struct Desk {
  CrewOptions options;
  CrewStats stats;
  grpc::CompletionQueue events;
  bool isStopping = false;

  enum class Alarm : uint8_t { WorkEnds, Heartbeat };
  using Timer = std::tuple<steady_clock::time_point, int, Alarm>;  // when, which worker, what
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers;

  std::atomic<int64_t> attached{0}, accepted{0}, ended{0};
};

class Worker {
 public:
  Worker(Desk &desk, int index)
      : desk_(desk), index_(index), random_(desk.options.seed * 1000003 + static_cast<uint64_t>(number())) {}

  void begin();
  /// Something that was asked of gRPC has happened. False: the worker's stream is over.
  bool happened(Step step, bool ok);
  void alarm(Desk::Alarm alarm);
  void cancel() { context_.TryCancel(); }

 private:
  bool isProber() const { return desk_.options.key.empty(); }
  int number() const { return desk_.options.firstNumber + index_; }
  void send(v1::WorkerMessage message);
  void writeNext();
  void heard();
  void acknowledged(const v1::Ack &ack);
  void leased(const v1::Lease &lease);
  void sendItems();
  void setAlarm(steady_clock::duration delay, Desk::Alarm alarm) {
    desk_.timers.emplace(steady_clock::now() + delay, index_, alarm);
  }
  v1::WorkerMessage hello() const;

  Desk &desk_;
  int index_;
  std::mt19937_64 random_;
  Tag started_{this, Step::Started}, read_{this, Step::Read}, written_{this, Step::Written},
      finished_{this, Step::Finished};
  grpc::ClientContext context_;
  std::unique_ptr<v1::Fleet::Stub> stub_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  v1::CoordinatorMessage incoming_;
  grpc::Status status_;
  std::deque<v1::WorkerMessage> outgoing_;
  bool isWriting_ = false, isEnding_ = false;
  std::optional<v1::Lease> lease_;
  std::optional<steady_clock::time_point> freeSince_;  // when the last result was sent
  steady_clock::duration heartbeat_{};
};

v1::WorkerMessage Worker::hello() const {
  v1::WorkerMessage message;
  v1::Hello &hello = *message.mutable_hello();
  hello.set_name(workerName(number()));
  if (isProber()) {
    hello.add_roles(v1::ROLE_BUILDER);
    hello.set_builder_slots(1);
    hello.set_build_id("simulated");
    hello.add_kinds()->set_kind("probe");
    hello.mutable_kinds(0)->set_version(1);
  } else {
    hello.set_key(desk_.options.key);
    hello.add_roles(v1::ROLE_DEVICE);
  }
  hello.set_api_version(proto::kApiVersion);
  hello.set_abi_version(1);
  hello.set_version("simulated");
  hello.set_memory_bytes(int64_t{1} << 30);
  v1::TargetDescription &target = *hello.mutable_target();
  target.set_triple("x86_64-unknown-linux-gnu");
  target.set_cpu("x86-64");
  target.set_vector_bytes(16);
  target.set_vector_registers(16);
  target.set_l1_bytes(32 << 10);
  target.set_l2_bytes(1 << 20);
  target.set_l3_bytes(16 << 20);
  target.set_cores(1);
  return message;
}

void Worker::begin() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  stub_ = v1::Fleet::NewStub(
      grpc::CreateCustomChannel(desk_.options.address, grpc::InsecureChannelCredentials(), arguments));
  context_.set_wait_for_ready(true);  // a thousand connections at once take a moment
  stream_ = stub_->PrepareAsyncAttach(&context_, &desk_.events);
  stream_->StartCall(&started_);
}

bool Worker::happened(Step step, bool ok) {
  if (step == Step::Finished) {
    if (!desk_.isStopping) {
      if (desk_.stats.ended++ == 0) desk_.stats.firstEnd = status_.error_message();
      ++desk_.ended;
    }
    return false;
  }
  if (step == Step::Written) isWriting_ = false;
  if (!ok) {
    if (!isEnding_) stream_->Finish(&status_, &finished_);
    isEnding_ = true;
    return true;
  }
  if (step == Step::Started) {
    send(hello());
    stream_->Read(&incoming_, &read_);
  } else if (step == Step::Read) {
    heard();
    stream_->Read(&incoming_, &read_);
  } else {
    writeNext();
  }
  return true;
}

void Worker::send(v1::WorkerMessage message) {
  outgoing_.push_back(std::move(message));
  writeNext();
}

void Worker::writeNext() {
  if (isWriting_ || isEnding_ || outgoing_.empty()) return;
  isWriting_ = true;
  if (outgoing_.front().has_result()) freeSince_ = steady_clock::now();
  stream_->Write(outgoing_.front(), &written_);
  outgoing_.pop_front();
}

void Worker::heard() {
  switch (incoming_.kind_case()) {
    case v1::CoordinatorMessage::kWelcome:
      ++desk_.attached;
      heartbeat_ = toSteady(absl::Seconds(incoming_.welcome().heartbeat_seconds()));
      setAlarm(heartbeat_ * (number() % 16 + 1) / 16, Desk::Alarm::Heartbeat);  // not all at once
      break;
    case v1::CoordinatorMessage::kLease:
      leased(incoming_.lease());
      break;
    case v1::CoordinatorMessage::kAck:
      acknowledged(incoming_.ack());
      break;
    case v1::CoordinatorMessage::kRevoke:
      ++desk_.stats.revoked;
      break;
    default:
      break;
  }
}

void Worker::acknowledged(const v1::Ack &ack) {
  if (!ack.accepted()) {
    ++desk_.stats.dropped;
    return;
  }
  // A probe task's items count, not its end.
  const int64_t items = isProber() ? ack.items_size() : 1;
  desk_.stats.accepted.insert(desk_.stats.accepted.end(), static_cast<size_t>(items), absl::Now());
  desk_.accepted += items;
}

void Worker::sendItems() {
  const int32_t count = lease_->spec().probe().items();
  for (int32_t first = 0; first < count; first += desk_.options.itemsPerMessage) {
    v1::WorkerMessage message;
    v1::LeaseItems &items = *message.mutable_items();
    items.set_task(lease_->task());
    items.set_epoch(lease_->epoch());
    for (int32_t number = first; number < std::min(count, first + desk_.options.itemsPerMessage); ++number) {
      v1::ItemResult &item = *items.add_items();
      item.set_item(number);
      item.set_probe_number(number);
    }
    send(std::move(message));
  }
}

void Worker::leased(const v1::Lease &lease) {
  desk_.stats.leased.push_back(lease.task());
  if (freeSince_) {
    desk_.stats.freeToLease.push_back(std::chrono::duration<float>(steady_clock::now() - *freeSince_).count());
  }
  lease_ = lease;
  std::uniform_real_distribution<double> share(0, 1);
  const absl::Duration span = desk_.options.longest - desk_.options.shortest;
  const int32_t items = isProber() ? lease.spec().probe().items() : 1;
  absl::Duration work;
  for (int32_t item = 0; item < items; ++item) work += desk_.options.shortest + share(random_) * span;
  if (work == absl::ZeroDuration()) return alarm(Desk::Alarm::WorkEnds);
  setAlarm(toSteady(work), Desk::Alarm::WorkEnds);
}

void Worker::alarm(Desk::Alarm alarm) {
  if (isEnding_) return;
  v1::WorkerMessage message;
  if (alarm == Desk::Alarm::Heartbeat) {
    v1::Heartbeat &heartbeat = *message.mutable_heartbeat();
    if (lease_) {
      heartbeat.add_held()->set_task(lease_->task());
      heartbeat.mutable_held(0)->set_epoch(lease_->epoch());
    }
    setAlarm(heartbeat_, alarm);
  } else {
    if (isProber()) sendItems();
    v1::LeaseResult &result = *message.mutable_result();
    result.set_task(lease_->task());
    result.set_epoch(lease_->epoch());
    result.mutable_result()->set_outcome(v1::Result::DONE);
    result.mutable_result()->add_sample_seconds(0.4);
    lease_.reset();
  }
  send(std::move(message));
}

class RunningCrew : public Crew {
 public:
  explicit RunningCrew(CrewOptions options) {
    desk_.options = std::move(options);
    for (int i = 0; i < desk_.options.workers; ++i) workers_.push_back(std::make_unique<Worker>(desk_, i));
    thread_ = std::thread([this] { loop(); });
  }
  RunningCrew(const RunningCrew &) = delete;
  RunningCrew &operator=(const RunningCrew &) = delete;
  ~RunningCrew() override { stop(); }

  int64_t attached() const override { return desk_.attached; }
  int64_t accepted() const override { return desk_.accepted; }
  int64_t ended() const override { return desk_.ended; }
  void stop() override {
    isAskedToStop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  const CrewStats &stats() const override { return desk_.stats; }

 private:
  void loop();
  void ring();

  Desk desk_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> isAskedToStop_{false};
  std::thread thread_;
};

void RunningCrew::loop() {
  for (const auto &worker : workers_) worker->begin();
  size_t left = workers_.size();
  while (left > 0) {
    if (isAskedToStop_ && !desk_.isStopping) {
      desk_.isStopping = true;
      for (const auto &worker : workers_) worker->cancel();
    }
    auto deadline = steady_clock::now() + std::chrono::milliseconds(100);
    if (!desk_.timers.empty()) deadline = std::min(deadline, std::get<0>(desk_.timers.top()));
    // gRPC takes wall-clock times; the difference is what counts
    const auto wait = deadline - steady_clock::now();
    void *tag = nullptr;
    bool ok = false;
    const auto status = desk_.events.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + wait);
    if (status == grpc::CompletionQueue::GOT_EVENT) {
      const Tag &event = *static_cast<const Tag *>(tag);
      if (!event.worker->happened(event.step, ok)) --left;
    }
    ring();
  }
  desk_.events.Shutdown();
  void *tag = nullptr;
  bool ok = false;
  while (desk_.events.Next(&tag, &ok)) continue;
}

void RunningCrew::ring() {
  const auto now = steady_clock::now();
  while (!desk_.timers.empty() && std::get<0>(desk_.timers.top()) <= now) {
    const auto [when, index, alarm] = desk_.timers.top();
    desk_.timers.pop();
    workers_[static_cast<size_t>(index)]->alarm(alarm);
  }
}

}  // namespace

std::string workerName(int number) { return absl::StrCat("sim-", number); }

std::unique_ptr<Crew> Crew::start(CrewOptions options) { return std::make_unique<RunningCrew>(std::move(options)); }

}  // namespace hone::bench
