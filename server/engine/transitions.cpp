#include "server/engine/transitions.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/engine/cache_key.h"

namespace hone::server {
namespace {

const char *nameOf(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::Done:
      return "done";
    case AttemptEnd::Failed:
      return "failed";
    case AttemptEnd::Lost:
      return "lost";
    case AttemptEnd::Expired:
      return "expired";
    case AttemptEnd::Cancelled:
      return "cancelled";
    case AttemptEnd::Returned:
      return "returned";
  }
  return "";
}

absl::Status contradiction(const LiveTask &live, absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("task ", live.task.id, " of job ", live.task.job, " ", what, ", says the store"));
}

}  // namespace

// ----------------------------------------------------------------------------------------------------- the mirror

void Transitions::leave(LiveTask &live) {
  const Task &task = live.task;
  switch (live.place) {
    case LiveTask::Place::Nowhere:
      return;
    case LiveTask::Place::Leased:
      state_.queue.ended(task.user, task.key);
      if (!task.cacheKey.empty()) state_.flights.land(live.work());
      break;
    case LiveTask::Place::Queued:
      state_.queue.remove({task.user, task.key, task.priority, task.id});
      [[fallthrough]];
    case LiveTask::Place::Parked:
    case LiveTask::Place::Checking:
      state_.quotas.unqueued(task.user);
      if (live.takesEqualResult()) state_.flights.leave(live.work(), task.id);
      break;
  }
  live.place = LiveTask::Place::Nowhere;
}

void Transitions::move(LiveTask &live, LiveTask::Place place) {
  leave(live);
  const Task &task = live.task;
  live.place = place;
  switch (place) {
    case LiveTask::Place::Nowhere:
      return;
    case LiveTask::Place::Leased:
      state_.queue.started(task.user, task.key, task.grantSequence);
      if (!task.cacheKey.empty()) state_.flights.depart(live.work());
      return;
    case LiveTask::Place::Queued:
      state_.queue.add({task.user, task.key, task.priority, task.id});
      [[fallthrough]];
    case LiveTask::Place::Parked:
    case LiveTask::Place::Checking:
      state_.quotas.queued(task.user);
      if (live.takesEqualResult()) state_.flights.await(live.work(), task.id);
      return;
  }
}

absl::Status Transitions::rebuild() {
  const absl::StatusOr<Unfinished> unfinished = state_.parts.store->unfinished();
  if (!unfinished.ok()) return unfinished.status();
  const absl::StatusOr<std::vector<WorkerRow>> workers = state_.parts.store->workers();
  if (!workers.ok()) return workers.status();

  const LeaseTable before = std::exchange(state_.leases, LeaseTable());
  state_.tasks.clear();
  state_.queue = TaskQueue(state_.policy.maxRunningJobs);
  state_.flights = Flights();
  state_.quotas = Quotas(state_.policy.maxQueuedJobs);
  state_.deadlines = Deadlines();
  state_.lastGrantSequence = unfinished->lastGrantSequence;
  state_.fleet.load(*workers);
  state_.fleet.releaseAll(state_.now);
  for (const Unfinished::LastGrant &grant : unfinished->lastGrants) {
    state_.queue.setLastGrant(grant.user, grant.key, grant.grantSequence);
  }
  for (const Task &task : unfinished->tasks) adopt(task, before, !wasBuilt_);
  wasBuilt_ = true;
  return absl::OkStatus();
}

void Transitions::adopt(const Task &task, const LeaseTable &before, bool isStart) {
  LiveTask &live = state_.tasks.add({.task = task});
  const absl::Duration waited = absl::Microseconds(std::max<int64_t>(0, state_.nowMicros - task.submittedMicros));
  const absl::Duration left = absl::Microseconds(std::max<int64_t>(0, task.deadlineMicros - state_.nowMicros));
  live.ready = state_.now - waited;
  state_.deadlines.set(task.id, state_.now + left);
  if (!task.isLeased) {
    move(live, LiveTask::Place::Queued);
    return;
  }
  const Lease *known = before.find(task.id);
  Lease lease{.task = task.id,
              .epoch = task.epoch,
              .worker = task.worker,
              .key = task.key,
              .granted = state_.now,
              .grantedMicros = state_.nowMicros,
              .silentUntil = state_.now + state_.policy.lease,
              .workUntil = state_.now + state_.policy.maxWork + state_.policy.lease,
              .isInherited = isStart};
  if (known != nullptr && known->epoch == task.epoch) lease = *known;
  state_.leases.add(lease);
  state_.fleet.occupy(lease.worker, lease.key);
  move(live, LiveTask::Place::Leased);
}

LiveTask &Transitions::submitted(const Task &task, absl::Duration deadline) {
  LiveTask &live = state_.tasks.add({.task = task});
  live.ready = state_.now;
  state_.deadlines.set(task.id, deadline);
  move(live, LiveTask::Place::Queued);
  state_.group->touch(task.job);
  return live;
}

void Transitions::endLease(LiveTask &live) {
  leave(live);
  if (const std::optional<Lease> lease = state_.leases.remove(live.task.id)) {
    state_.fleet.release(lease->worker, lease->key, state_.now);
  }
}

void Transitions::wakeParked(const std::string &work) {
  if (work.empty() || state_.flights.isFlying(work)) return;
  for (const int64_t task : state_.flights.waiting(work)) {
    LiveTask *live = state_.tasks.find(task);
    if (live != nullptr && live->place == LiveTask::Place::Parked && live->work() == work) enqueue(*live);
  }
}

void Transitions::revoke(const Lease &lease) {
  const Session *session = state_.fleet.find(lease.worker);
  if (session == nullptr) return;
  v1::CoordinatorMessage message;
  message.mutable_revoke()->set_task(lease.task);
  message.mutable_revoke()->set_epoch(lease.epoch);
  state_.group->after([link = session->link, message = std::move(message)] { link->send(message); });
}

void Transitions::ended(LiveTask &live, v1::JobState state, const v1::JobResult &result) {
  const Task &task = live.task;
  v1::Job job;
  job.set_id(task.job);
  job.set_user(task.user);
  job.set_priority(task.priority);
  job.set_state(state);
  job.set_submitted_micros(task.submittedMicros);
  job.set_ended_micros(state_.nowMicros);
  job.set_attempts(task.attempts);
  job.set_worker(task.worker);
  job.mutable_result()->mutable_result()->set_outcome(result.result().outcome());
  job.mutable_result()->set_from_cache(result.from_cache());
  if (task.key.empty()) {
    job.mutable_spec()->mutable_compile();
  } else {
    job.mutable_spec()->mutable_run()->set_key(task.key);
  }
  state_.group->touch(task.job);
  state_.group->after([observer = state_.parts.observer, job = std::move(job)] { observer->ended(job); });
  leave(live);
  state_.deadlines.clear(task.id);
  state_.tasks.erase(task.id);
}

// --------------------------------------------------------------------------------------------------------- the ways

absl::Status Transitions::claim(LiveTask &live, Session &session, absl::Duration freeSince) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  Task &task = live.task;
  absl::StatusOr<Grant> grant = state_.parts.store->claim(task.id, session.name(), state_.nowMicros);
  if (absl::IsNotFound(grant.status())) return contradiction(live, "is not pending");
  if (!grant.ok()) return grant.status();
  const absl::Duration ready = live.ready;
  task.isLeased = true;
  task.epoch = grant->epoch;
  task.worker = session.name();
  task.grantSequence = ++state_.lastGrantSequence;
  ++task.attempts;
  move(live, LiveTask::Place::Leased);
  state_.fleet.occupy(session.name(), task.key);
  state_.leases.add({.task = task.id,
                     .epoch = task.epoch,
                     .worker = session.name(),
                     .key = task.key,
                     .granted = state_.now,
                     .grantedMicros = state_.nowMicros,
                     .silentUntil = state_.now + state_.policy.lease,
                     .workUntil = state_.now + state_.policy.maxWork + state_.policy.lease});

  v1::CoordinatorMessage message;
  v1::Lease &lease = *message.mutable_lease();
  lease.set_task(task.id);
  lease.set_epoch(task.epoch);
  lease.set_duration_seconds(absl::ToDoubleSeconds(state_.policy.lease));
  lease.set_deadline_seconds(absl::ToDoubleSeconds(state_.policy.maxWork));
  lease.set_job(task.job);
  *lease.mutable_spec() = std::move(grant->spec);
  state_.group->touch(task.job);
  state_.group->after([parts = &state_.parts, link = session.link, message = std::move(message), ready, freeSince] {
    link->send(message);
    parts->failpoints->pass("fleet.lease.sent");
    const absl::Duration now = parts->clock->monotonic();
    parts->observer->queued(now - ready);
    parts->observer->leased(now - std::max(ready, freeSince));
  });
  return absl::OkStatus();
}

absl::StatusOr<bool> Transitions::complete(LiveTask &live, int64_t epoch, const v1::JobResult &result,
                                           const std::string &log, const std::string &build) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const bool isDone = result.result().outcome() == v1::Result::DONE;
  const bool isKept = isDone && !live.task.cacheKey.empty();
  const absl::StatusOr<bool> accepted =
      state_.parts.store->complete(live.task.id, epoch, isDone ? AttemptEnd::Done : AttemptEnd::Failed, result, log,
                                   isKept ? cacheKey(live.task.cacheKey, build) : std::string(), state_.nowMicros);
  if (!accepted.ok() || !*accepted) return accepted;

  const Task task = live.task;
  const std::string work = live.work();
  endLease(live);
  ended(live, isDone ? v1::JOB_SUCCEEDED : v1::JOB_FAILED, result);
  if (isDone) {
    if (absl::Status status = countSuccess(task.worker, task.job, task.attempts); !status.ok()) return status;
  }
  if (isKept) {
    if (absl::Status status = answerWaiting(work, result); !status.ok()) return status;
  }
  wakeParked(work);
  return true;
}

absl::Status Transitions::answerWaiting(const std::string &work, const v1::JobResult &result) {
  for (const int64_t task : state_.flights.waiting(work)) {
    LiveTask *live = state_.tasks.find(task);
    if (live == nullptr || live->work() != work) continue;
    if (absl::Status status = answer(*live, result); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Transitions::giveBack(LiveTask &live, AttemptEnd end, const std::string &detail) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const absl::StatusOr<bool> accepted =
      state_.parts.store->requeue(live.task.id, live.task.epoch, end, detail, state_.nowMicros);
  if (!accepted.ok()) return accepted.status();
  if (!*accepted) return contradiction(live, "is not leased with that epoch");
  if (WorkerRow *row = state_.fleet.row(live.task.worker)) {
    ++row->failures;
    state_.unwrittenWorkers.insert(row->name);
  }
  const std::string work = live.work();
  endLease(live);
  live.task.isLeased = false;
  live.ready = state_.now;
  enqueue(live);
  state_.group->touch(live.task.job);
  if (end == AttemptEnd::Expired) state_.group->after([observer = state_.parts.observer] { observer->expired(); });
  if (live.task.attempts >= state_.policy.maxAttempts) {
    const absl::StatusOr<std::string> sentence = attemptsUsedUp(live, end);
    if (!sentence.ok()) return sentence.status();
    if (absl::Status status = fail(live, *sentence); !status.ok()) return status;
  }
  wakeParked(work);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Transitions::attemptsUsedUp(const LiveTask &live, AttemptEnd last) {
  // The store's readers see what is committed: the last attempt is there, but not yet that it has ended.
  const absl::StatusOr<std::vector<v1::Attempt>> attempts = state_.parts.store->attempts(live.task.job);
  if (!attempts.ok()) return attempts.status();
  std::vector<std::string> texts;
  for (const v1::Attempt &attempt : *attempts) {
    texts.push_back(
        absl::StrCat(attempt.worker(), " (", attempt.end().empty() ? nameOf(last) : attempt.end().c_str(), ")"));
  }
  return absl::StrCat("the work was begun ", live.task.attempts,
                      " times, the most there may be, and came back each time: ", absl::StrJoin(texts, ", "),
                      "; ask the operator what is wrong with these workers, then submit again");
}

absl::Status Transitions::finish(LiveTask &live, v1::JobState state, const v1::JobResult &result,
                                 const std::string &actor, const std::string &detail) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const absl::StatusOr<bool> accepted =
      state_.parts.store->finish(live.task.id, state, result, actor, detail, state_.nowMicros);
  if (!accepted.ok()) return accepted.status();
  if (!*accepted) return contradiction(live, "has ended");
  const std::string work = live.work();
  const Lease *lease = state_.leases.find(live.task.id);
  const bool wasLeased = lease != nullptr;
  if (wasLeased) {
    revoke(*lease);
    endLease(live);
  }
  ended(live, state, result);
  if (wasLeased) wakeParked(work);
  return absl::OkStatus();
}

absl::Status Transitions::fail(LiveTask &live, const std::string &sentence) {
  v1::JobResult result;
  result.mutable_result()->set_outcome(v1::Result::WORK_FAILED);
  result.mutable_result()->set_sentence(sentence);
  return finish(live, v1::JOB_FAILED, result, "server", sentence);
}

absl::Status Transitions::answer(LiveTask &live, v1::JobResult result) {
  result.set_from_cache(true);
  state_.group->after([observer = state_.parts.observer] { observer->cacheHit(); });
  return finish(live, v1::JOB_SUCCEEDED, result, "server", "answered with the result of an equal job");
}

// ------------------------------------------------------------------------------------------- standing of workers

absl::Status Transitions::countSuccess(const std::string &worker, const std::string &job, int32_t attempts) {
  if (WorkerRow *row = state_.fleet.row(worker)) {
    ++row->completed;
    state_.unwrittenWorkers.insert(worker);
    if (row->strikes > 0 && !row->isQuarantined) {
      --row->strikes;
      if (absl::Status status = state_.parts.store->putWorker(*row); !status.ok()) return status;
    }
  }
  if (attempts < 2) return absl::OkStatus();
  const absl::StatusOr<std::vector<v1::Attempt>> before = state_.parts.store->attempts(job);
  if (!before.ok()) return before.status();
  std::set<std::string> failed;
  for (const v1::Attempt &attempt : *before) {
    const bool isItsFault =
        attempt.end() == nameOf(AttemptEnd::Expired) || attempt.end() == nameOf(AttemptEnd::Returned);
    if (isItsFault && attempt.worker() != worker) failed.insert(attempt.worker());
  }
  for (const std::string &name : failed) {
    if (absl::Status status = strike(name); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Transitions::strike(const std::string &worker) {
  WorkerRow *row = state_.fleet.row(worker);
  if (row == nullptr) return absl::OkStatus();
  ++row->strikes;
  if (row->strikes >= state_.policy.strikesToQuarantine && !row->isQuarantined) {
    row->isQuarantined = true;
    row->reason = absl::StrCat("failed ", row->strikes, " times at work that other workers then completed");
    state_.fleet.standingChanged(worker);
  }
  return state_.parts.store->putWorker(*row);
}

}  // namespace hone::server
