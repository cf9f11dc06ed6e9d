#include "server/engine/transitions.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/engine/new_tasks.h"
#include "server/kinds/specification.h"

namespace hone::server {
namespace {

constexpr size_t kMostNamed = 10;  // attempts in a sentence

absl::Status contradiction(const LiveTask &live, absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("task ", live.task.id, " of job ", live.job->row.id, " ", what, ", says the store"));
}

}  // namespace

// ----------------------------------------------------------------------------------------------------- the mirror

void Transitions::leave(LiveTask &live) {
  const Task &task = live.task;
  switch (live.place) {
    case LiveTask::Place::Nowhere:
      return;
    case LiveTask::Place::Leased:
      state_.queue.ended(live.entry());
      --live.job->leased;
      if (!task.cacheKey.empty()) state_.flights.land(live.work());
      break;
    case LiveTask::Place::Queued:
      state_.queue.remove(live.entry());
      [[fallthrough]];
    case LiveTask::Place::Paused:
    case LiveTask::Place::Parked:
    case LiveTask::Place::Checking:
      state_.pauses.clear(task.id);
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
      state_.queue.started(live.entry(), task.grantSequence);
      ++live.job->leased;
      if (!task.cacheKey.empty()) state_.flights.depart(live.work());
      return;
    case LiveTask::Place::Queued:
      state_.queue.add(live.entry());
      [[fallthrough]];
    case LiveTask::Place::Paused:
    case LiveTask::Place::Parked:
    case LiveTask::Place::Checking:
      if (live.takesEqualResult()) state_.flights.await(live.work(), task.id);
      return;
  }
}

void Transitions::pause(LiveTask &live, absl::Duration until) {
  move(live, LiveTask::Place::Paused);
  state_.pauses.set(live.task.id, until);
}

void Transitions::setRunning(LiveJob &job, bool isRunning) {
  if (job.row.isRunning == isRunning) return;
  job.row.isRunning = isRunning;
  if (isRunning) {
    state_.quotas.unqueued(job.row.user);
  } else {
    state_.quotas.queued(job.row.user);
  }
}

absl::Status Transitions::rebuild() {
  const absl::StatusOr<Unfinished> unfinished = state_.parts.store->unfinished();
  if (!unfinished.ok()) return unfinished.status();
  const absl::StatusOr<std::vector<WorkerRow>> workers = state_.parts.store->workers();
  if (!workers.ok()) return workers.status();

  const LeaseTable before = std::exchange(state_.leases, LeaseTable());
  state_.tasks.clear();
  state_.jobs.clear();
  state_.queue = TaskQueue(state_.policy.maxRunningJobs);
  state_.flights = Flights();
  state_.quotas = Quotas(state_.policy.maxQueuedJobs);
  state_.deadlines = Deadlines();
  state_.pauses = Deadlines();
  state_.lastGrantSequence = unfinished->lastGrantSequence;
  state_.fleet.undoSetbacks();
  state_.fleet.endHoldings(state_.now);
  state_.fleet.load(*workers);
  state_.fleet.releaseAll(state_.now);
  for (const Unfinished::LastGrant &grant : unfinished->lastGrants) {
    state_.queue.setLastGrant(grant.user, grant.key, grant.grantSequence);
  }
  for (const JobRow &row : unfinished->jobs) adopt(row);
  if (!lastInheritedGrant_) lastInheritedGrant_ = unfinished->lastGrantSequence;
  for (const Task &task : unfinished->tasks) adopt(task, before);
  return absl::OkStatus();
}

void Transitions::adopt(const JobRow &row) {
  state_.jobs.add(LiveJob(row, state_.parts.kinds->findJob(row.kind)));
  const absl::Duration left = absl::Microseconds(std::max<int64_t>(0, row.deadlineMicros - state_.nowMicros));
  state_.deadlines.set(row.number, state_.now + left);
  if (!row.isRunning) state_.quotas.queued(row.user);
}

LiveTask &Transitions::add(LiveJob &job, const Task &task, absl::Duration ready) {
  job.tasks.insert(task.id);
  return state_.tasks.add({.task = task, .job = &job, .ready = ready});
}

void Transitions::adopt(const Task &task, const LeaseTable &before) {
  const absl::Duration waited = absl::Microseconds(std::max<int64_t>(0, state_.nowMicros - task.createdMicros));
  LiveTask &live = add(*state_.jobs.find(task.job), task, state_.now - waited);
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
              .isInherited = task.grantSequence <= *lastInheritedGrant_};
  // Otherwise it had ended in the group that was undone, or the task was granted again there.
  if (known != nullptr && known->epoch == task.epoch) lease = *known;
  state_.leases.add(lease);
  state_.fleet.occupy(lease.worker, lease.key);
  move(live, LiveTask::Place::Leased);
}

LiveJob &Transitions::submitted(const JobRow &row, const std::vector<Task> &tasks, absl::Duration deadline) {
  LiveJob &job = state_.jobs.add(LiveJob(row, state_.parts.kinds->findJob(row.kind)));
  state_.deadlines.set(row.number, deadline);
  state_.quotas.queued(row.user);
  for (const Task &task : tasks) move(add(job, task, state_.now), LiveTask::Place::Queued);
  state_.group->touch(row.id);
  return job;
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

// ------------------------------------------------------------------------------------------------------------ leases

absl::Status Transitions::claim(LiveTask &live, Session &session, absl::Duration freeSince) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  Task &task = live.task;
  absl::StatusOr<Grant> grant = state_.parts.store->claim(task.id, session.name(), state_.nowMicros);
  if (absl::IsNotFound(grant.status())) return contradiction(live, "is not pending");
  if (!grant.ok()) return grant.status();
  const absl::Duration ready = live.ready;
  leave(live);
  task.isLeased = true;
  task.epoch = grant->epoch;
  task.worker = session.name();
  task.grantSequence = ++state_.lastGrantSequence;
  ++task.attempts;
  move(live, LiveTask::Place::Leased);
  setRunning(*live.job, true);
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
  lease.set_job(live.job->row.id);
  *lease.mutable_spec() = std::move(grant->spec);
  lease.mutable_ended_items()->Assign(grant->endedItems.begin(), grant->endedItems.end());
  state_.group->touch(live.job->row.id);
  state_.group->after([parts = &state_.parts, link = session.link, message = std::move(message), ready, freeSince] {
    link->send(message);
    parts->failpoints->pass("fleet.lease.sent");
    const absl::Duration now = parts->clock->monotonic();
    parts->observer->queued(now - ready);
    parts->observer->leased(now - std::max(ready, freeSince));
  });
  return absl::OkStatus();
}

absl::Status Transitions::giveBack(LiveTask &live, const ComesBack &how, const std::string &detail) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const absl::StatusOr<bool> accepted =
      state_.parts.store->requeue(live.task.id, live.task.epoch, how.end, detail, state_.nowMicros);
  if (!accepted.ok()) return accepted.status();
  if (!*accepted) return contradiction(live, "is not leased with that epoch");
  standing_.cameBack(live.task, how, detail);
  const std::string work = live.work();
  LiveJob &job = *live.job;
  endLease(live);
  live.task.isLeased = false;
  live.ready = state_.now;
  live.avoidUntil = -absl::InfiniteDuration();
  if (how.avoidsWorker) live.avoidUntil = state_.now + kAvoidFor;
  if (job.leased == 0 && job.allTasks == static_cast<int64_t>(job.tasks.size())) setRunning(job, false);
  if (how.pausesWork) {
    const absl::Duration pause = pauseAfter(live.task.attempts);
    this->pause(live, state_.now + pause);
    if (how.avoidsWorker) live.avoidUntil += pause;
  } else {
    enqueue(live);
  }
  state_.group->touch(job.row.id);
  if (how.end == AttemptEnd::Expired) state_.group->after([observer = state_.parts.observer] { observer->expired(); });
  if (live.task.attempts >= state_.policy.maxAttempts) {
    if (absl::Status status = failAttempts(live, how.end); !status.ok()) return status;
  }
  wakeParked(work);
  return absl::OkStatus();
}

absl::Status Transitions::failAttempts(LiveTask &live, AttemptEnd last) {
  // The store's readers see what is committed: the last attempt is there, but not yet that it has ended.
  const absl::StatusOr<std::vector<v1::Attempt>> attempts = state_.parts.store->attemptsAt(live.task.id);
  if (!attempts.ok()) return attempts.status();
  std::vector<std::string> texts;
  for (const v1::Attempt &attempt : *attempts) {
    if (texts.size() == kMostNamed) {
      texts.push_back("…");
      break;
    }
    texts.push_back(
        absl::StrCat(attempt.worker(), " (", attempt.end().empty() ? nameOf(last) : attempt.end().c_str(), ")"));
  }
  const std::string sentence =
      absl::StrCat("the work was begun ", live.task.attempts,
                   " times, the most there may be, and came back each time: ", absl::StrJoin(texts, ", "),
                   "; ask the operator what is wrong with these workers, then submit again");
  v1::TaskResult result;
  result.mutable_result()->set_outcome(v1::Result::WORK_FAILED);
  result.mutable_result()->set_sentence(sentence);
  const absl::StatusOr<bool> accepted = state_.parts.store->failTask(live.task.id, result, state_.nowMicros);
  if (!accepted.ok()) return accepted.status();
  if (!*accepted) return contradiction(live, "is not pending");
  return ended(live, result, "server", sentence);
}

// -------------------------------------------------------------------------------------------------------------- ends

absl::StatusOr<bool> Transitions::complete(LiveTask &live, int64_t epoch, const v1::TaskResult &result,
                                           const std::string &log, const std::string &build) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const bool isDone = result.result().outcome() == v1::Result::DONE;
  const bool isKept = isDone && !live.task.cacheKey.empty();
  const absl::StatusOr<bool> accepted = state_.parts.store->completeTask(
      live.task.id, epoch, isDone ? AttemptEnd::Done : AttemptEnd::Failed, result, log, state_.nowMicros);
  if (!accepted.ok() || !*accepted) return accepted;

  const Task task = live.task;
  const std::string work = live.work();
  const std::string key = isKept ? cacheKey(task.cacheKey, build) : std::string();
  if (isKept) {
    absl::Status status = state_.parts.store->putCacheEntry(key, result, blobsOf(result), state_.nowMicros);
    if (!status.ok()) return status;
  }
  endLease(live);
  absl::Status status =
      ended(live, result, absl::StrCat("worker:", task.worker), isDone ? "done" : result.result().sentence());
  if (status.ok() && isDone) status = standing_.succeeded(task);
  if (status.ok() && isKept) status = answerWaiting(work, result, key);
  if (!status.ok()) return status;
  wakeParked(work);
  return true;
}

absl::Status Transitions::answerWaiting(const std::string &work, const v1::TaskResult &result,
                                        const std::string &cacheKey) {
  for (const int64_t task : state_.flights.waiting(work)) {
    LiveTask *live = state_.tasks.find(task);
    if (live == nullptr || live->work() != work) continue;
    if (absl::Status status = answer(*live, result, cacheKey); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Transitions::answer(LiveTask &live, v1::TaskResult result, const std::string &cacheKey) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  result.set_from_cache(true);
  state_.group->after([observer = state_.parts.observer] { observer->cacheHit(); });
  const absl::StatusOr<bool> accepted = state_.parts.store->answerTask(live.task.id, result, state_.nowMicros);
  if (!accepted.ok()) return accepted.status();
  if (!*accepted) return contradiction(live, "is not pending");
  if (absl::Status status = state_.parts.store->useCacheEntry(cacheKey, state_.nowMicros); !status.ok()) return status;
  return ended(live, result, "server", "answered with the result of an equal job");
}

absl::Status Transitions::ended(LiveTask &live, const v1::TaskResult &result, const std::string &actor,
                                const std::string &detail) {
  LiveJob &job = *live.job;
  const Task task = live.task;
  leave(live);
  job.tasks.erase(task.id);
  state_.tasks.erase(task.id);
  setRunning(job, true);
  state_.group->touch(job.row.id);
  if (job.kind == nullptr || job.kind->task == nullptr) return advance(job, task, result);
  const bool isDone = result.result().outcome() == v1::Result::DONE;
  return end(job, isDone ? v1::JOB_SUCCEEDED : v1::JOB_FAILED, resultOf(result), actor, detail, &task);
}

absl::Status Transitions::advance(LiveJob &job, const Task &task, const v1::TaskResult &result) {
  if (job.kind == nullptr) {
    return fail(job, absl::StrCat("this coordinator does not know work of the kind '", job.row.kind,
                                  "': update it, then submit again"));
  }
  absl::StatusOr<DriverInput> input = state_.parts.store->driverInput(task.id);
  if (!input.ok()) return input.status();
  const EndedTask endedTask{std::move(input->task), result, std::move(input->items)};
  const Step step = job.kind->advance(input->job, input->memo, endedTask);
  if (step.end) {
    const v1::Result &last = step.end->result();
    const bool isDone = last.outcome() == v1::Result::DONE;
    return end(job, isDone ? v1::JOB_SUCCEEDED : v1::JOB_FAILED, *step.end, "server",
               isDone ? "done" : last.sentence());
  }
  if (job.tasks.size() + step.tasks.size() > kMostTasks) {
    return fail(job, absl::StrCat("the job wants ", job.tasks.size() + step.tasks.size(),
                                  " tasks at once, and may have ", kMostTasks, "; ask for less"));
  }
  if (job.tasks.empty() && step.tasks.empty()) {
    return fail(job,
                absl::StrCat("the driver of '", job.kind->name, "' left the job without work; please report this"));
  }
  const TaskKind *kind = state_.parts.kinds->find(endedTask.spec);
  std::vector<v1::Digest> scratch;
  if (kind != nullptr && kind->scratch != nullptr) scratch = kind->scratch(result);
  absl::StatusOr<std::vector<Task>> tasks = state_.parts.store->advanceJob(
      job.row.number, step.memo, newTasks(*state_.parts.kinds, step.tasks), task.id, scratch, state_.nowMicros);
  if (!tasks.ok()) return tasks.status();
  job.allTasks += static_cast<int64_t>(tasks->size());
  for (const Task &next : *tasks) move(add(job, next, state_.now), LiveTask::Place::Queued);
  return absl::OkStatus();
}

absl::Status Transitions::end(LiveJob &job, v1::JobState state, const v1::JobResult &result, const std::string &actor,
                              const std::string &detail, const Task *last) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const absl::StatusOr<bool> accepted =
      state_.parts.store->endJob(job.row.number, state, result, actor, detail, state_.nowMicros);
  if (!accepted.ok()) return accepted.status();
  if (!*accepted) return absl::InternalError(absl::StrCat("job ", job.row.id, " has ended, says the store"));

  v1::Job told;
  told.set_id(job.row.id);
  told.set_user(job.row.user);
  told.set_priority(job.row.priority);
  told.set_state(state);
  told.set_submitted_micros(job.row.submittedMicros);
  told.set_ended_micros(state_.nowMicros);
  *told.mutable_result()->mutable_result() = result.result();
  told.mutable_result()->mutable_result()->clear_printed();
  told.mutable_result()->mutable_result()->clear_dumps();
  told.mutable_result()->mutable_result()->clear_bench_samples();
  told.mutable_result()->set_from_cache(result.from_cache());
  if (last != nullptr) {
    told.set_worker(last->worker);
    told.set_attempts(last->attempts);
  }
  std::set<std::string> landed;
  for (const int64_t id : job.tasks) {
    LiveTask &live = *state_.tasks.find(id);
    told.set_worker(live.task.worker);
    told.set_attempts(told.attempts() + live.task.attempts);
    if (const Lease *lease = state_.leases.find(id)) {
      revoke(*lease);
      landed.insert(live.work());
      endLease(live);
    }
    leave(live);
    state_.tasks.erase(id);
  }
  setRunning(job, true);  // it waits no more
  state_.group->touch(job.row.id);
  state_.group->after(
      [observer = state_.parts.observer, kind = job.row.kind, told = std::move(told)] { observer->ended(kind, told); });
  state_.deadlines.clear(job.row.number);
  state_.jobs.erase(job.row.number);
  for (const std::string &work : landed) wakeParked(work);
  return absl::OkStatus();
}

absl::Status Transitions::fail(LiveJob &job, const std::string &sentence) {
  v1::JobResult result;
  result.mutable_result()->set_outcome(v1::Result::WORK_FAILED);
  result.mutable_result()->set_sentence(sentence);
  return end(job, v1::JOB_FAILED, result, "server", sentence);
}

}  // namespace hone::server
