#include "server/engine/workers.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/kinds/kinds.h"

namespace hone::server {
namespace {

constexpr size_t kMaxLog = 64 << 10;

v1::CoordinatorMessage farewell(const std::string &reason, bool comeBack) {
  v1::CoordinatorMessage message;
  message.mutable_farewell()->set_reason(reason);
  message.mutable_farewell()->set_come_back(comeBack);
  return message;
}

template <typename Message>
v1::Ack ackOf(const Message &message, bool isAccepted) {
  v1::Ack ack;
  ack.set_task(message.task());
  ack.set_epoch(message.epoch());
  ack.set_accepted(isAccepted);
  return ack;
}

v1::TaskResult resultOf(const v1::LeaseResult &lease) {
  v1::TaskResult result;
  *result.mutable_result() = lease.result();
  if (!lease.artifact().sha256().empty()) *result.mutable_artifact() = lease.artifact();
  if (!lease.outputs().sha256().empty()) *result.mutable_outputs() = lease.outputs();
  switch (lease.output_case()) {
    case v1::LeaseResult::kExtract:
      *result.mutable_extract() = lease.extract();
      break;
    case v1::LeaseResult::kPropose:
      *result.mutable_propose() = lease.propose();
      break;
    case v1::LeaseResult::kBuild:
      *result.mutable_build() = lease.build();
      break;
    case v1::LeaseResult::kProbeNumber:
      result.set_probe_number(lease.probe_number());
      break;
    case v1::LeaseResult::OUTPUT_NOT_SET:
      break;
  }
  return result;
}

/// Whether it is another process that comes with the name of \p older. Of one that does not say which it is, nothing is
/// known.
bool isAnother(const Session &older, const v1::Hello &hello) {
  return !older.hello.instance().empty() && !hello.instance().empty() && older.hello.instance() != hello.instance();
}

std::string tail(const std::string &log) { return log.size() <= kMaxLog ? log : log.substr(log.size() - kMaxLog); }

}  // namespace

// -------------------------------------------------------------------------------------------------------- coming,
// going

absl::Status Workers::attach(const std::shared_ptr<Arrival> &arrival) {
  if (!arrival->hasBegun) {
    arrival->hasBegun = true;
    if (absl::Status status = checkHello(arrival->hello); !status.ok()) {
      arrival->link->send(farewell(std::string(status.message()), false));
      arrival->link->close();
      return absl::OkStatus();
    }
    if (state_.fleet.row(arrival->hello.name()) == nullptr &&
        std::ssize(state_.fleet.rows()) >= state_.policy.maxWorkers) {
      arrival->link->send(farewell(absl::StrCat("this coordinator knows ", state_.policy.maxWorkers,
                                                " workers, the most that max-workers allows; ",
                                                "those that do not come any more are forgotten after keep-jobs"),
                                   true));
      arrival->link->close();
      return absl::OkStatus();
    }
    if (const Session *older = state_.fleet.find(arrival->hello.name())) {
      if (isAnother(*older, arrival->hello)) return refuseName(*arrival, *older);
      replace(*older);
    }
    state_.fleet.introduce(arrival->hello, state_.nowMicros);
    state_.fleet.attach({.id = arrival->id,
                         .hello = arrival->hello,
                         .peer = arrival->peer,
                         .link = arrival->link,
                         .heard = state_.now,
                         .attachedMicros = state_.nowMicros},
                        state_.now);
    for (const Lease &lease : state_.leases.of(arrival->hello.name())) state_.fleet.occupy(lease.worker, lease.key);
  }
  const Session *session = state_.fleet.find(arrival->id);
  if (session == nullptr) return absl::OkStatus();  // refused, or gone again
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const WorkerRow &row = state_.fleet.introduce(session->hello, state_.nowMicros);
  if (absl::Status status = state_.parts.store->putWorker(row); !status.ok()) return status;
  state_.unwrittenWorkers.erase(row.name);
  state_.fleet.standingChanged(row.name);
  return welcome(*session);
}

// The older one goes on. If it is dead and its connection only does not know, its silence ends that soon, and the
// newcomer, which comes back, takes its place.
absl::Status Workers::refuseName(const Arrival &arrival, const Session &older) {
  const std::string reason = absl::StrCat("another worker with the name '", older.name(), "' is attached, from ",
                                          older.peer, "; give each worker a name of its own with --name");
  state_.group->always(
      [observer = state_.parts.observer, link = arrival.link, name = older.name(), peer = arrival.peer, reason] {
        observer->nameTaken(name, peer);
        link->send(farewell(reason, true));
        link->close();
      });
  return absl::OkStatus();
}

void Workers::replace(const Session &older) {
  const std::shared_ptr<WorkerLink> link = older.link;
  state_.fleet.detach(older.id);
  state_.group->always([link] {
    link->send(farewell("another connection has the same worker's name; give each worker a name of its own with --name",
                        false));
    link->close();
  });
}

bool Workers::renew(const Session &session, const v1::HeldLease &held) {
  if (!state_.leases.renew(session.name(), held.task(), held.epoch(), state_.now + state_.policy.lease)) return false;
  // What is no number is no time either.
  if (held.stood_still_seconds() > 0)
    state_.leases.standStill(held.task(), absl::Seconds(held.stood_still_seconds()), state_.now);
  return true;
}

absl::StatusOr<std::vector<v1::HeldLease>> Workers::reconcile(const Session &session) {
  std::set<std::pair<int64_t, int64_t>> held;
  std::vector<v1::HeldLease> dropped;
  for (const v1::HeldLease &lease : session.hello.held()) {
    if (renew(session, lease)) {
      held.insert({lease.task(), lease.epoch()});
    } else {
      dropped.push_back(lease);
    }
  }
  for (const Lease &lease : state_.leases.of(session.name())) {
    LiveTask *live = state_.tasks.find(lease.task);
    // The one before may have been the last attempt at its task, and the end of the job of both.
    if (live == nullptr || held.contains({lease.task, lease.epoch})) continue;
    // A lease from before a restart may never have been sent: nobody's fault.
    absl::Status status = transitions_.giveBack(*live, lease.isInherited ? kNeverSent : kForgotten,
                                                absl::StrCat("worker ", session.name(), " came back without it"));
    if (!status.ok()) return status;
  }
  return dropped;
}

absl::Status Workers::welcome(const Session &session) {
  absl::StatusOr<std::vector<v1::HeldLease>> dropped = reconcile(session);
  if (!dropped.ok()) return dropped.status();
  v1::CoordinatorMessage message;
  v1::Welcome &welcome = *message.mutable_welcome();
  welcome.set_session(absl::StrCat(session.id));
  welcome.set_heartbeat_seconds(absl::ToDoubleSeconds(state_.policy.heartbeat));
  welcome.set_silence_seconds(absl::ToDoubleSeconds(state_.policy.silence));
  for (v1::HeldLease &lease : *dropped) *welcome.add_dropped() = std::move(lease);
  state_.group->after([link = session.link, message = std::move(message)] { link->send(message); });
  return absl::OkStatus();
}

absl::Status Workers::detach(SessionId id, const std::string &reason) {
  const std::optional<Session> session = state_.fleet.detach(id);
  if (!session) return absl::OkStatus();
  state_.group->always([link = session->link, reason] {
    if (!reason.empty()) link->send(farewell(reason, true));
    link->close();
  });
  if (WorkerRow *row = state_.fleet.row(session->name())) {
    row->seenMicros = state_.nowMicros;
    state_.unwrittenWorkers.insert(row->name);
  }
  return absl::OkStatus();
}

// --------------------------------------------------------------------------------------------------------- messages

absl::Status Workers::receive(SessionId id, const v1::WorkerMessage &message) {
  Session *session = state_.fleet.find(id);
  if (session == nullptr) return absl::OkStatus();  // it is gone; what it holds comes back with its next connection
  session->heard = state_.now;
  switch (message.kind_case()) {
    case v1::WorkerMessage::kHeartbeat:
      heartbeat(*session, message.heartbeat());
      return absl::OkStatus();
    case v1::WorkerMessage::kProgress:
      progress(*session, message.progress());
      return absl::OkStatus();
    case v1::WorkerMessage::kResult:
      return result(*session, message.result());
    case v1::WorkerMessage::kItems:
      return items(*session, message.items());
    case v1::WorkerMessage::kGoodbye:
      session->isLeaving = true;
      state_.fleet.standingChanged(session->name());
      heartbeat(*session, {});
      return absl::OkStatus();
    case v1::WorkerMessage::kHello:
      return detach(id, "a worker says hello once in a connection");
    case v1::WorkerMessage::KIND_NOT_SET:
      return absl::OkStatus();  // of a newer worker
  }
  return absl::OkStatus();
}

void Workers::heartbeat(const Session &session, const v1::Heartbeat &heartbeat) {
  v1::CoordinatorMessage message;
  v1::HeartbeatReply &reply = *message.mutable_heartbeat();
  for (const v1::HeldLease &lease : heartbeat.held()) {
    if (!renew(session, lease)) *reply.add_dropped() = lease;
  }
  const WorkerRow *row = state_.fleet.row(session.name());
  reply.set_draining(session.isLeaving || (row != nullptr && row->isDraining));
  state_.group->after([link = session.link, message = std::move(message)] { link->send(message); });
}

void Workers::progress(const Session &session, const v1::LeaseProgress &progress) {
  if (!state_.leases.renew(session.name(), progress.task(), progress.epoch(), state_.now + state_.policy.lease)) return;
  const LiveTask *live = state_.tasks.find(progress.task());
  if (live == nullptr) return;
  state_.watchers.tell(live->job->row.id, [&](JobWatcher &watcher) { watcher.progress(progress.progress()); });
}

void Workers::acknowledge(const Session &session, v1::Ack ack) {
  v1::CoordinatorMessage message;
  *message.mutable_ack() = std::move(ack);
  state_.group->after([parts = &state_.parts, link = session.link, message = std::move(message)] {
    link->send(message);
    parts->failpoints->pass("fleet.ack.sent");
  });
}

LiveTask *Workers::heldBy(const Session &session, int64_t task, int64_t epoch) {
  const Lease *lease = state_.leases.find(task);
  const bool isHeld = lease != nullptr && lease->epoch == epoch && lease->worker == session.name();
  return isHeld ? state_.tasks.find(task) : nullptr;
}

absl::Status Workers::result(const Session &session, const v1::LeaseResult &result) {
  LiveTask *live = heldBy(session, result.task(), result.epoch());
  if (live != nullptr) return accept(session, *live, result);
  state_.group->after([observer = state_.parts.observer] { observer->stale(); });
  acknowledge(session, ackOf(result, false));
  return absl::OkStatus();
}

absl::Status Workers::items(const Session &session, const v1::LeaseItems &items) {
  v1::Ack ack = ackOf(items, false);
  for (const v1::ItemResult &item : items.items()) ack.add_items(item.item());
  const LiveTask *live = heldBy(session, items.task(), items.epoch());
  if (live == nullptr) {
    state_.group->after([observer = state_.parts.observer] { observer->stale(); });
    acknowledge(session, std::move(ack));
    return absl::OkStatus();
  }
  state_.leases.renew(session.name(), items.task(), items.epoch(), state_.now + state_.policy.lease);
  std::vector<v1::ItemResult> known;
  std::copy_if(items.items().begin(), items.items().end(), std::back_inserter(known),
               [&](const v1::ItemResult &item) { return item.item() >= 0 && item.item() < live->task.items; });
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const absl::StatusOr<std::optional<Store::PutItems>> put =
      state_.parts.store->putItems(items.task(), items.epoch(), known, state_.nowMicros);
  if (!put.ok()) return put.status();
  if (!put->has_value()) {
    return absl::InternalError(
        absl::StrCat("lease ", items.epoch(), " of task ", items.task(), " stands here and not in the store"));
  }
  v1::Progress progress;
  progress.set_phase(absl::StrCat("task ", live->task.id, ", item"));
  progress.set_done((*put)->ended);
  progress.set_total(live->task.items);
  state_.group->after([this, job = live->job->row.id, progress = std::move(progress)] {
    state_.watchers.tell(job, [&](JobWatcher &watcher) { watcher.progress(progress); });
  });
  if ((*put)->isTold) state_.group->touch(live->job->row.id);
  ack.set_accepted(true);
  acknowledge(session, std::move(ack));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Workers::faultOf(const LiveTask &live, const v1::LeaseResult &result) const {
  if (result.is_workers_fault()) {
    return absl::StrCat("the worker could not do it: ", result.result().sentence());
  }
  const v1::TaskResult taskResult = resultOf(result);
  for (const v1::Digest &digest : blobsOf(taskResult)) {
    if (!checkDigest(digest).ok()) return "the worker's result names a blob by something that is no digest";
    if (retention_.isDoomed(digest) || !state_.parts.blobs->has(digest)) {
      return absl::StrCat("the worker's result names blob ", digest.sha256(), ", which it has not uploaded");
    }
  }
  if (result.result().outcome() != v1::Result::DONE) return "";
  return lackOf(live, taskResult);
}

absl::StatusOr<std::string> Workers::lackOf(const LiveTask &live, const v1::TaskResult &result) const {
  const TaskKind *kind = state_.parts.kinds->findTask(live.task.kind);
  if (kind != nullptr && kind->missing != nullptr && !live.task.cacheKey.empty()) {
    const std::string missing = kind->missing(result);
    if (!missing.empty()) return absl::StrCat("the worker's result names no ", missing);
  }
  if (live.task.items == 0) return "";
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const absl::StatusOr<int32_t> ended = state_.parts.store->endedItems(live.task.id);
  if (!ended.ok()) return ended.status();
  if (*ended == live.task.items) return "";
  return absl::StrCat("the worker's result came after ", *ended, " of ", live.task.items, " items");
}

absl::Status Workers::accept(const Session &session, LiveTask &live, const v1::LeaseResult &result) {
  const absl::StatusOr<std::string> fault = faultOf(live, result);
  if (!fault.ok()) return fault.status();
  if (!fault->empty()) {
    if (absl::Status status = transitions_.giveBack(live, kGivenBack, *fault); !status.ok()) return status;
    acknowledge(session, ackOf(result, result.is_workers_fault()));
    return absl::OkStatus();
  }
  v1::TaskResult taskResult = resultOf(result);
  if (!v1::Result::Outcome_IsValid(result.result().outcome())) {
    taskResult.mutable_result()->set_outcome(v1::Result::DEFECT);
  }
  for (const v1::Digest &digest : blobsOf(taskResult)) retention_.use(digest);
  const absl::StatusOr<bool> accepted =
      transitions_.complete(live, result.epoch(), taskResult, tail(result.log()), session.hello.build_id());
  if (!accepted.ok()) return accepted.status();
  if (!*accepted) {
    return absl::InternalError(
        absl::StrCat("lease ", result.epoch(), " of task ", result.task(), " stands here and not in the store"));
  }
  acknowledge(session, ackOf(result, true));
  return absl::OkStatus();
}

}  // namespace hone::server
