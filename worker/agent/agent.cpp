#include "worker/agent/agent.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/agent/channel.h"
#include "worker/kinds/kinds.h"

namespace hone::worker {

namespace {

constexpr int kInterrupted = 130;
constexpr int kRefused = 6;
constexpr absl::Duration kFirstPause = absl::Milliseconds(200);
constexpr absl::Duration kLongestPause = absl::Seconds(5);
// Until the coordinator has said what it wants.
constexpr absl::Duration kSilenceAtFirst = absl::Seconds(20);
constexpr absl::Duration kLeastBeat = absl::Milliseconds(20);
constexpr double kLongestWorkSeconds = 7 * 24 * 3600;
constexpr absl::Duration kLastWords = absl::Seconds(2);

LeaseId idOf(const auto &message) { return {message.task(), message.epoch()}; }

}  // namespace

Agent::Agent(Parts parts, v1::Hello hello)
    : parts_(std::move(parts)),
      hello_(std::move(hello)),
      fleet_(v1::Fleet::NewStub(parts_.channel)),
      random_(parts_.seed),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Agent::~Agent() {
  for (auto &[id, running] : running_) running.cancellation->cancel();
  for (auto &[id, running] : running_) running.thread.join();
}

int Agent::run() {
  parts_.children->keep(freeSlots());
  while (!exit_.has_value()) {
    const absl::Duration now = parts_.now();
    if (!connection_ && now >= nextDial_) dial();
    if (isWelcome_ && now >= nextBeat_) beat();
    checkSilence();
    if (isDraining_ && running_.empty() && waiting_.empty() && leases_.isHopeless(now) && !mayGetLease(now)) break;
    wait();
  }
  isClosing_ = true;
  // What was sent last, a Goodbye, is to arrive; nothing depends on it.
  if (connection_) connection_->close();
  const absl::Duration end = parts_.now() + (exit_.has_value() ? absl::ZeroDuration() : kLastWords);
  nextBeat_ = nextDial_ = end;
  while (connection_ && parts_.now() < end) wait();
  if (connection_) connection_->cancel();
  while (connection_) wait();
  return exit_.value_or(0);
}

// ------------------------------------------------------------------------------------------------------ from outside

void Agent::post(Event event) {
  const MutexLock lock(mutex_);
  events_.push_back(std::move(event));
  eventfd_write(wake_.get(), 1);
}

// Sleeps until something happens or is due, then lets it happen.
void Agent::wait() {
  absl::Duration until = parts_.now() + absl::Seconds(1);
  if (!connection_) until = std::min(until, nextDial_);
  if (isWelcome_) until = std::min(until, nextBeat_);
  if (connection_) until = std::min(until, lastHeard_ + silence_);
  const absl::Duration left = std::max(until - parts_.now(), absl::ZeroDuration());
  pollfd waiting[] = {{wake_.get(), POLLIN, 0}, {parts_.signals, POLLIN, 0}};
  poll(waiting, 2, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
  if (waiting[1].revents != 0) takeSignals();
  eventfd_t count = 0;
  eventfd_read(wake_.get(), &count);
  std::deque<Event> events;
  {
    const MutexLock lock(mutex_);
    events.swap(events_);
  }
  for (const Event &event : events) event();
}

void Agent::takeSignals() {
  signalfd_siginfo info;
  while (read(parts_.signals, &info, sizeof info) == sizeof info) {
    if (isDraining_) {
      parts_.log->warn("asked to end a second time: ending at once");
      exit_ = kInterrupted;
      continue;
    }
    isDraining_ = true;
    parts_.log->info("asked to end: finishing what is held", {{"leases", absl::StrCat(leases_.held().size())}});
    parts_.children->keep(0);
    goodbyeUntil_ = parts_.now() + kLastWords;
    if (isWelcome_) sendGoodbye();
  }
}

// A lease may be on its way until the coordinator has heard the goodbye.
bool Agent::mayGetLease(absl::Duration now) const { return connection_ && !isGoodbyeHeard_ && now < goodbyeUntil_; }

// -------------------------------------------------------------------------------------------------------- connection

void Agent::dial() {
  const int64_t generation = ++generation_;
  Connection::Listener listener;
  listener.received = [this, generation](v1::CoordinatorMessage message) {
    post([this, generation, message = std::move(message)] {
      if (generation == generation_) received(message);
    });
  };
  listener.ended = [this, generation](const grpc::Status &status) {
    post([this, generation, status] {
      if (generation == generation_) ended(status);
    });
  };
  isWelcome_ = false;
  silence_ = kSilenceAtFirst;
  lastHeard_ = parts_.now();
  connection_ = Connection::dial(*fleet_, hello_.name(), std::move(listener));
  v1::WorkerMessage message;
  *message.mutable_hello() = hello_;
  for (v1::HeldLease &held : leases_.held()) *message.mutable_hello()->add_held() = std::move(held);
  send(std::move(message));
}

void Agent::send(v1::WorkerMessage message) {
  if (connection_) connection_->send(std::move(message));
}

void Agent::sendGoodbye() {
  v1::WorkerMessage message;
  message.mutable_goodbye()->set_reason("the worker was asked to end");
  goodbyeUntil_ = parts_.now() + kLastWords;
  send(std::move(message));
}

void Agent::received(const v1::CoordinatorMessage &message) {
  lastHeard_ = parts_.now();
  leases_.confirm(lastHeard_);
  switch (message.kind_case()) {
    case v1::CoordinatorMessage::kWelcome:
      welcomed(message.welcome());
      break;
    case v1::CoordinatorMessage::kLease:
      granted(message.lease());
      break;
    case v1::CoordinatorMessage::kAck:
      parts_.failpoints->pass("worker.ack.received");
      acknowledged(message.ack());
      break;
    case v1::CoordinatorMessage::kRevoke:
      drop(idOf(message.revoke()), "revoked");
      break;
    case v1::CoordinatorMessage::kHeartbeat:
      for (const v1::HeldLease &lease : message.heartbeat().dropped()) drop(idOf(lease), "no longer ours");
      isGoodbyeHeard_ = isDraining_ && message.heartbeat().draining();
      if (message.heartbeat().draining() != isDrained_ && !isDraining_)
        parts_.log->info(isDrained_ ? "leases are given again"
                                    : "no more leases are given: drained by the coordinator");
      isDrained_ = message.heartbeat().draining();
      break;
    case v1::CoordinatorMessage::kFarewell:
      parts_.log->warn("the coordinator says farewell", {{"reason", message.farewell().reason()}});
      if (!message.farewell().come_back()) {
        parts_.log->error("refused for good", {{"reason", message.farewell().reason()}});
        exit_ = kRefused;
      }
      break;
    case v1::CoordinatorMessage::KIND_NOT_SET:
      break;
  }
}

void Agent::welcomed(const v1::Welcome &welcome) {
  parts_.log->info("attached", {{"session", welcome.session()}});
  isWelcome_ = true;
  failedAttempts_ = 0;
  heartbeat_ = std::max(absl::Seconds(welcome.heartbeat_seconds()), kLeastBeat);
  silence_ = std::max(absl::Seconds(welcome.silence_seconds()), 2 * heartbeat_);
  nextBeat_ = parts_.now() + heartbeat_;
  parts_.blobs->forgetCapabilities();
  for (const v1::HeldLease &lease : welcome.dropped()) drop(idOf(lease), "no longer ours");
  leases_.unsendItems();
  for (const LeaseId id : leases_.ids()) sendItems(id);
  for (v1::LeaseResult &result : leases_.results()) {
    v1::WorkerMessage message;
    *message.mutable_result() = std::move(result);
    send(std::move(message));
  }
  if (isDraining_) sendGoodbye();
}

void Agent::ended(const grpc::Status &status) {
  connection_.reset();
  isWelcome_ = isGoodbyeHeard_ = false;
  if (isClosing_) return;
  const absl::Duration most = std::min(kFirstPause * (1 << std::min(failedAttempts_, 10)), kLongestPause);
  const absl::Duration pause = most * std::uniform_real_distribution<double>(0, 1)(random_);
  ++failedAttempts_;
  nextDial_ = parts_.now() + pause;
  parts_.log->warn("not attached", {{"reason", std::string(statusOf(status).message())},
                                    {"again_in", absl::FormatDuration(absl::Trunc(pause, absl::Milliseconds(1)))}});
}

void Agent::beat() {
  const absl::Duration now = parts_.now();
  nextBeat_ = now + heartbeat_;
  v1::WorkerMessage message;
  for (v1::HeldLease &held : leases_.held()) *message.mutable_heartbeat()->add_held() = std::move(held);
  message.mutable_heartbeat();
  send(std::move(message));
}

void Agent::checkSilence() {
  if (!connection_ || parts_.now() < lastHeard_ + silence_) return;
  parts_.log->warn("the coordinator is silent: closing the connection");
  connection_->cancel();
  // Its end is told soon.
  lastHeard_ = parts_.now();
}

// ------------------------------------------------------------------------------------------------------------ leases

bool Agent::hasRole(v1::Role role) const {
  return std::find(hello_.roles().begin(), hello_.roles().end(), role) != hello_.roles().end();
}

int Agent::freeSlots() const {
  int free = (hasRole(v1::ROLE_BUILDER) ? hello_.builder_slots() : 0) + (hasRole(v1::ROLE_DEVICE) ? 1 : 0);
  free -= static_cast<int>(running_.size());
  return isDraining_ ? 0 : std::max(free, 0);
}

void Agent::granted(const v1::Lease &lease) {
  const LeaseId id = idOf(lease);
  parts_.failpoints->pass("worker.lease.received");
  for (const LeaseId &older : leases_.supersededBy(id)) drop(older, "granted anew");
  if (!leases_.grant(id, absl::Seconds(lease.duration_seconds()), parts_.now())) return;
  const WorkKind *kind = kindOf(parts_.kinds, lease.spec());
  if (kind == nullptr) return refuse(lease, "this hone-worker does not know that kind of work");
  if (!hasRole(kind->role))
    return refuse(lease, absl::StrCat("this worker is no ", kind->role == v1::ROLE_BUILDER ? "builder" : "device"));
  const double seconds =
      lease.deadline_seconds() > 0 ? std::min(lease.deadline_seconds(), kLongestWorkSeconds) : kLongestWorkSeconds;
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  waiting_.push_back({lease, deadline});
  waiting_.back().lease.set_deadline_seconds(seconds);
  startWaiting();
}

void Agent::refuse(const v1::Lease &lease, const std::string &sentence) {
  v1::LeaseResult result;
  result.set_task(lease.task());
  result.set_epoch(lease.epoch());
  result.set_is_workers_fault(true);
  result.mutable_result()->set_outcome(v1::Result::UNAVAILABLE);
  result.mutable_result()->set_sentence(sentence);
  finished(idOf(lease), std::move(result));
}

// Those for which there is a slot: as many builders as there are slots, one device.
void Agent::startWaiting() {
  if (isClosing_ || exit_.has_value()) return;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const bool isBuilder = kindOf(parts_.kinds, next->lease.spec())->role == v1::ROLE_BUILDER;
    const auto busy = std::count_if(running_.begin(), running_.end(),
                                    [&](const auto &entry) { return entry.second.isBuilder == isBuilder; });
    if (busy >= (isBuilder ? hello_.builder_slots() : 1)) {
      ++next;
      continue;
    }
    Waiting ready = std::move(*next);
    next = waiting_.erase(next);
    start(std::move(ready), isBuilder);
  }
  parts_.children->keep(freeSlots());
}

void Agent::start(Waiting waiting, bool isBuilder) {
  const LeaseId id = idOf(waiting.lease);
  parts_.log->info("lease begins",
                   {{"task", absl::StrCat(id.task)}, {"epoch", absl::StrCat(id.epoch)}, {"job", waiting.lease.job()}});
  Running &running = running_[id];
  running.isBuilder = isBuilder;
  running.cancellation = std::make_shared<Cancellation>();
  running.thread = std::thread([this, id, waiting = std::move(waiting), cancellation = running.cancellation] {
    auto result = parts_.runner->run(waiting.lease, waiting.deadline, *cancellation, listenerOf(id));
    post([this, id, result = std::move(result)]() mutable { finished(id, std::move(result)); });
  });
}

// What the lease's thread tells goes to run()'s.
LeaseRunner::Listener Agent::listenerOf(LeaseId id) {
  LeaseRunner::Listener listener;
  listener.progress = [this, id](const v1::Progress &now) {
    v1::WorkerMessage message;
    message.mutable_progress()->set_task(id.task);
    message.mutable_progress()->set_epoch(id.epoch);
    *message.mutable_progress()->mutable_progress() = now;
    post([this, message = std::move(message)] {
      if (isWelcome_) send(message);
    });
  };
  listener.itemEnded = [this, id](v1::ItemResult item) {
    post([this, id, item = std::move(item)]() mutable { itemEnded(id, std::move(item)); });
  };
  listener.stoodStill = [this, id](Deadline::duration total) {
    post([this, id, total] { leases_.standStill(id, absl::FromChrono(total)); });
  };
  return listener;
}

void Agent::itemEnded(LeaseId id, v1::ItemResult item) {
  if (leases_.add(id, std::move(item))) sendItems(id);
}

void Agent::sendItems(LeaseId id) {
  while (isWelcome_) {
    std::optional<v1::LeaseItems> group = leases_.takeItems(id);
    if (!group.has_value()) return;
    v1::WorkerMessage message;
    *message.mutable_items() = *std::move(group);
    send(std::move(message));
  }
}

void Agent::acknowledged(const v1::Ack &ack) {
  if (ack.items().empty()) {
    if (!ack.accepted()) parts_.log->warn("a result came too late", {{"task", absl::StrCat(ack.task())}});
    leases_.forget(idOf(ack));
  } else if (!ack.accepted()) {
    drop(idOf(ack), "its items came too late");
  } else {
    leases_.forgetItems(ack);
    sendItems(idOf(ack));
  }
}

void Agent::finished(LeaseId id, std::optional<v1::LeaseResult> result) {
  if (const auto found = running_.find(id); found != running_.end()) {
    found->second.thread.join();
    running_.erase(found);
  }
  if (result.has_value() && leases_.finish(id, *result)) {
    parts_.log->info("lease ends", {{"task", absl::StrCat(id.task)},
                                    {"epoch", absl::StrCat(id.epoch)},
                                    {"outcome", v1::Result::Outcome_Name(result->result().outcome())},
                                    {"sentence", result->result().sentence()}});
    sendItems(id);
    v1::WorkerMessage message;
    *message.mutable_result() = *std::move(result);
    if (isWelcome_) send(std::move(message));
    parts_.failpoints->pass("worker.result.sent");
  }
  startWaiting();
}

// The lease is not ours any more: ends its work, forgets its result. Its thread tells of its end later.
void Agent::drop(LeaseId id, const char *why) {
  if (!leases_.forget(id)) return;
  parts_.log->info("lease dropped",
                   {{"task", absl::StrCat(id.task)}, {"epoch", absl::StrCat(id.epoch)}, {"reason", why}});
  std::erase_if(waiting_, [id](const Waiting &waiting) { return idOf(waiting.lease) == id; });
  if (const auto found = running_.find(id); found != running_.end()) found->second.cancellation->cancel();
}

}  // namespace hone::worker
