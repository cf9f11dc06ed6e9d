#include "tests/server/engine/fleet_model.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::server::testing::model {
namespace {

using Kind = Event::Kind;
using Outcome = Event::Outcome;

constexpr int64_t kPauses[] = {1, 5, 20, 60};         // seconds before the next attempt
constexpr int64_t kHoldings[] = {0, 5, 20, 60, 300};  // seconds without leases, by how often in a row
constexpr int64_t kOtherWorkerFor = 10 * kSecond;     // another worker is waited for
constexpr int64_t kLook = kSecond / 2, kAfterUndo = kSecond / 2;

template <size_t kSize>
int64_t step(const int64_t (&seconds)[kSize], int64_t number) {
  return seconds[std::clamp<int64_t>(number - 1, 0, kSize - 1)] * kSecond;
}

std::string text(Name lease) { return absl::StrCat(lease.first, ".", lease.second); }

bool isRepeated(Kind kind) { return kind == Kind::Attach || kind == Kind::Result || kind == Kind::Items; }

}  // namespace

// ---------------------------------------------------------------------------------------------------------- one group

void Model::apply(Event event, const Seen *seen) {
  said.clear();
  closed.clear();
  isChanged = false;
  answersOk = true;
  if (event.kind == Kind::Restart) return restart();
  if (event.kind == Kind::Advance) now += event.millis;
  if (event.kind == Kind::Attach) event.session = ++workers[event.worker].session;
  event.session = event.worker.empty() ? 0 : workers[event.worker].session;
  const Model before = *this;
  const bool mayDecide = !isPaused();
  if (mayDecide) {
    for (const Event &again : std::exchange(repeated, {})) applyOne(again);
  }
  applyOne(event);
  if (mayDecide) {
    due();
    schedule(event.isUndone ? nullptr : seen);
  }
  if (event.isUndone && isChanged) return undo(before, event);
  // A result that was kept is given when its blobs have been looked at.
  for (auto &[id, job] : jobs) {
    if (job.tasks.front().place != Place::Checking) continue;
    job.isFromCache = true;
    end(job, JobState::Succeeded);
  }
}

void Model::applyOne(const Event &event) {
  Worker *worker = event.worker.empty() ? nullptr : &workers[event.worker];
  const bool isDecision = event.kind == Kind::Drain || event.kind == Kind::Undrain || event.kind == Kind::Attach;
  if (worker != nullptr && !isDecision && (!worker->isAttached || worker->session != event.session)) return;
  if (worker != nullptr && !isDecision && event.kind != Kind::Detach) worker->heard = now;
  switch (event.kind) {
    case Kind::Submit:
      return submit(event);
    case Kind::Cancel:
      if (!jobs.contains(event.job) || jobs[event.job].isOver()) return;
      return end(jobs[event.job], JobState::Cancelled);
    case Kind::Attach:
      return attach(event);
    case Kind::Detach:
      worker->isAttached = false;
      return;
    case Kind::Goodbye:
      worker->isLeaving = true;
      said[event.worker].push_back("heartbeat draining");
      return;
    case Kind::Heartbeat:
      if (worker != nullptr) return heartbeat(event.worker, event.leases);
      for (const auto &[name, each] : workers) {
        std::vector<Name> held = heldBy(name);
        std::erase_if(held, [&](const Name &lease) { return std::ranges::count(event.leases, lease) > 0; });
        if (each.isAttached) heartbeat(name, held);
      }
      return;
    case Kind::Progress:
      renew(event.leases.front(), event.worker);
      return;
    case Kind::Items:
      return items(event);
    case Kind::Result:
      return result(event);
    case Kind::Drain:
    case Kind::Undrain:
      isChanged = true;
      worker->isDraining = event.kind == Kind::Drain;
      if (worker->isDraining) return;
      worker->isQuarantined = false;
      worker->strikes = worker->setbacks = 0;
      worker->heldUntil.reset();
      return;
    case Kind::Advance:
      isChanged = true;  // the housekeeping
      return;
    case Kind::Restart:
      return;
  }
}

void Model::heartbeat(const std::string &name, const std::vector<Name> &held) {
  workers[name].heard = now;
  const bool isNeverAsked = workers[name].isDraining || workers[name].isLeaving;
  std::string reply = isNeverAsked ? "heartbeat draining" : "heartbeat";
  for (const Name &lease : held) {
    if (!renew(lease, name)) absl::StrAppend(&reply, " without ", text(lease));
  }
  said[name].push_back(reply);
}

void Model::submit(const Event &event) {
  isChanged = true;
  if (!event.job.empty()) return;  // its request is known: it is answered with that job
  Job job = event.submitted;
  job.deadline = now + (job.deadline == 0 ? rules.maxJob : job.deadline);
  const bool somebodyBuilds = std::ranges::any_of(workers, [](const auto &entry) { return entry.second.isAttached; });
  Job &added = jobs[job.id] = job;
  if (!job.takesEqualResult() || !kept.contains(job.work) || !somebodyBuilds) return;
  added.isFromCache = true;
  end(added, JobState::Succeeded);
}

void Model::attach(const Event &event) {
  Worker &worker = workers[event.worker];
  if (event.isAgain && (!worker.isAttached || worker.session != event.session)) return;  // that connection is gone
  if (!event.isAgain) {
    worker.isAttached = true;
    worker.isLeaving = false;
    worker.heard = now;
  }
  worker.isKnown = true;
  isChanged = true;
  std::string welcome = "welcome";
  for (const Name &lease : event.leases) {
    if (!renew(lease, event.worker)) absl::StrAppend(&welcome, " without ", text(lease));
  }
  for (const Name &lease : heldBy(event.worker)) {
    const auto [job, task] = at(lease, event.worker);
    if (task == nullptr || std::ranges::count(event.leases, lease) > 0) continue;
    giveBack(*job, *task,
             task->lease.isInherited ? Way{"lost", false, false, false} : Way{"returned", false, false, false});
  }
  said[event.worker].push_back(welcome);
}

bool Model::renew(Name lease, const std::string &worker) {
  Task *task = at(lease, worker).second;
  if (task != nullptr) task->lease.silentUntil = now + rules.lease;
  return task != nullptr;
}

void Model::items(const Event &event) {
  const Name lease = event.leases.front();
  Task *task = at(lease, event.worker).second;
  said[event.worker].push_back(absl::StrCat("ack ", text(lease), task == nullptr ? " no" : " yes"));
  if (task == nullptr) return;
  renew(lease, event.worker);
  isChanged = true;
  task->items.insert(event.items.begin(), event.items.end());
}

void Model::result(const Event &event) {
  const Name lease = event.leases.front();
  const auto [job, task] = at(lease, event.worker);
  if (task == nullptr) {
    said[event.worker].push_back(absl::StrCat("ack ", text(lease), " no"));
    return;
  }
  isChanged = true;
  const bool saysDone = event.outcome == Outcome::Done || event.outcome == Outcome::Lacking;
  const bool isShort = saysDone && (job->items > 0 ? static_cast<int>(task->items.size()) < job->items
                                                   : event.outcome == Outcome::Lacking);
  const bool isBack = isShort || event.outcome == Outcome::WorkersFault;
  said[event.worker].push_back(absl::StrCat("ack ", text(lease), isShort ? " no" : " yes"));
  if (isBack) {
    giveBack(*job, *task, {"returned", true, true, true});
  } else {
    complete(*job, *task, saysDone);
  }
}

// --------------------------------------------------------------------------------------------------------------- ends

void Model::endLease(Job &job, Task &task, const std::string &how) {
  for (Attempt &attempt : job.attempts) {
    if (attempt.lease == Name{task.id, task.epoch}) attempt.end = how;
  }
  task.lease = {};
}

void Model::complete(Job &job, Task &task, bool isDone) {
  endLease(job, task, isDone ? "done" : "failed");
  task.place = Place::Ended;
  const Task ended = task;
  const bool isLast = std::ranges::all_of(job.tasks, [](const Task &each) { return each.place == Place::Ended; });
  if (!isDone || isLast) end(job, isDone ? JobState::Succeeded : JobState::Failed);
  if (isDone) succeeded(job, ended);
  if (isDone && !job.work.empty()) {
    kept.insert(job.work);
    answerWaiting(job.work);
  }
  wakeParked(job.work);
}

void Model::succeeded(const Job &job, const Task &task) {
  Worker &winner = workers[task.worker];
  winner.setbacks = 0;
  winner.heldUntil.reset();
  if (winner.strikes > 0 && !winner.isQuarantined) --winner.strikes;
  std::set<std::string> struck;
  for (const Attempt &attempt : job.attempts) {
    const bool isItsFault = attempt.end == "expired" || attempt.end == "returned";
    if (attempt.lease.first == task.id && isItsFault && attempt.worker != task.worker) struck.insert(attempt.worker);
  }
  for (const std::string &name : struck) {
    Worker &worker = workers[name];
    if (++worker.strikes >= rules.strikesToQuarantine) worker.isQuarantined = true;
  }
}

void Model::answerWaiting(const std::string &work) {
  for (auto &[id, job] : jobs) {
    if (job.isOver() || job.work != work || !job.takesEqualResult()) continue;
    if (job.tasks.front().place == Place::Leased) continue;
    job.isFromCache = true;
    end(job, JobState::Succeeded);
  }
}

void Model::wakeParked(const std::string &work) {
  if (isFlying(work)) return;
  for (auto &[id, job] : jobs) {
    if (job.work == work && job.tasks.front().place == Place::Parked) job.tasks.front().place = Place::Queued;
  }
}

void Model::giveBack(Job &job, Task &task, const Way &way) {
  isChanged = true;
  Worker &worker = workers[task.worker];
  if (way.blames) {
    ++worker.setbacks;
    if (const int64_t pause = step(kHoldings, worker.setbacks); pause > 0) worker.heldUntil = now + pause;
  }
  endLease(job, task, way.end);
  task.place = way.pauses ? Place::Paused : Place::Queued;
  const int64_t pause = way.pauses ? step(kPauses, task.attempts) : 0;
  task.pausedUntil = now + pause;
  task.avoidUntil = way.avoids ? now + pause + kOtherWorkerFor : -1;
  const bool isBegun = std::ranges::any_of(
      job.tasks, [](const Task &each) { return each.place == Place::Leased || each.place == Place::Ended; });
  if (!isBegun) job.state = JobState::Pending;
  if (task.attempts >= rules.maxAttempts) end(job, JobState::Failed);
  wakeParked(job.work);
}

void Model::end(Job &job, JobState state) {
  isChanged = true;
  for (Task &task : job.tasks) {
    if (task.place == Place::Leased) {
      if (workers[task.lease.worker].isAttached) {
        said[task.lease.worker].push_back(absl::StrCat("revoke ", text({task.id, task.epoch})));
      }
      endLease(job, task, state == JobState::Failed ? "expired" : "cancelled");
    }
    task.place = Place::Ended;
  }
  job.state = state;
  job.ended = now;
  wakeParked(job.work);
}

// ---------------------------------------------------------------------------------------------------------------- time

bool Model::expireOne() {
  std::tuple<int64_t, int64_t> best{now, INT64_MAX};
  std::pair<Job *, Task *> found{nullptr, nullptr};
  for (auto &[id, job] : jobs) {
    for (Task &task : job.tasks) {
      if (task.place != Place::Leased) continue;
      const std::tuple due{std::min(task.lease.silentUntil, task.lease.workUntil), task.id};
      if (due <= best) std::tie(best, found) = std::pair(due, std::pair(&job, &task));
    }
  }
  if (found.second == nullptr) return false;
  Task &task = *found.second;
  if (workers[task.worker].isAttached) {
    said[task.worker].push_back(absl::StrCat("revoke ", text({task.id, task.epoch})));
  }
  giveBack(*found.first, task, {"expired", false, false, true});
  return true;
}

void Model::due() {
  while (expireOne()) continue;
  for (auto &[id, job] : jobs) {
    if (!job.isOver() && job.deadline <= now) end(job, JobState::Failed);
  }
  for (auto &[id, job] : jobs) {
    for (Task &task : job.tasks) {
      if (task.place == Place::Paused && task.pausedUntil <= now) task.place = Place::Queued;
    }
  }
  for (auto &[name, worker] : workers) {
    if (worker.heldUntil && *worker.heldUntil <= now) worker.heldUntil.reset();
    if (worker.isAttached && now - worker.heard >= rules.silence) disconnect(name);
  }
  removeOldJobs();
}

void Model::disconnect(const std::string &name) {
  workers[name].isAttached = false;
  said[name].push_back("farewell");
  closed.insert(name);
}

void Model::removeOldJobs() {
  std::erase_if(jobs,
                [&](const auto &entry) { return entry.second.isOver() && entry.second.ended < now - rules.keepJobs; });
}

// -------------------------------------------------------------------------------------------------------------- grants

std::pair<Job *, Task *> Model::nextTask() {
  std::pair<Job *, Task *> best{nullptr, nullptr};
  std::tuple<int, int64_t, std::string, int, int64_t, int64_t> least;
  for (auto &[id, job] : jobs) {
    for (Task &task : job.tasks) {
      if (task.place != Place::Queued) continue;
      const std::tuple rank{runningOf(job.user), lastGrantOf_[job.user], job.user, -job.priority, job.number, task.id};
      if (best.second != nullptr && least <= rank) continue;
      least = rank;
      best = {&job, &task};
    }
  }
  return best;
}

std::vector<std::string> Model::allowed(const Task &task, bool &mustWait) const {
  std::vector<std::string> free, others;
  bool isThereAnother = false;
  const bool avoids = now < task.avoidUntil;
  for (const auto &[name, worker] : workers) {
    if (name != task.worker && mayWork(worker)) isThereAnother = true;
    if (!hasFreeSlot(name)) continue;
    free.push_back(name);
    if (name != task.worker) others.push_back(name);
  }
  mustWait = avoids && others.empty() && isThereAnother && !free.empty();
  return avoids && !others.empty() ? others : free;
}

void Model::schedule(const Seen *seen) {
  Seen left = seen == nullptr ? Seen() : *seen;
  for (auto [job, task] = nextTask(); task != nullptr; std::tie(job, task) = nextTask()) {
    bool mustWait = false;
    const std::vector<std::string> who = allowed(*task, mustWait);
    if (who.empty()) break;
    if (mustWait) {
      task->place = Place::Paused;
      task->pausedUntil = std::min(task->avoidUntil, now + kLook);
    } else if (job->takesEqualResult() && isFlying(job->work)) {
      task->place = Place::Parked;
    } else if (job->takesEqualResult() && kept.contains(job->work)) {
      task->place = Place::Checking;
    } else if (seen == nullptr) {
      claim(*job, *task, who.front(), task->epoch + 1);
    } else {
      const auto given = std::ranges::find_if(left, [&](const auto &each) { return each.first.first == task->id; });
      if (given == left.end() || std::ranges::count(who, given->second) == 0 || given->first.second <= task->epoch) {
        errors.push_back(absl::StrCat("task ", task->id, " of ", job->id, " is next, and was granted to ",
                                      given == left.end() ? "nobody" : given->second, " ",
                                      given == left.end() ? "" : text(given->first)));
        break;
      }
      claim(*job, *task, given->second, given->first.second);
      left.erase(given);
    }
  }
  for (const auto &[name, worker] : left) errors.push_back(absl::StrCat(worker, " got ", text(name), " out of turn"));
}

void Model::claim(Job &job, Task &task, const std::string &worker, int64_t epoch) {
  isChanged = true;
  task.place = Place::Leased;
  task.epoch = epoch;
  task.worker = worker;
  ++task.attempts;
  task.grant = lastGrantOf_[job.user] = ++lastGrant_;
  task.lease = {worker, now + rules.lease, now + rules.maxWork + rules.lease, false};
  job.state = JobState::Running;
  job.attempts.push_back({{task.id, task.epoch}, worker, ""});
}

// ------------------------------------------------------------------------------------------------------- from the
// store

/// Why a pending task waits is known in memory only; whose turn it is follows from the grants that the store knows.
void Model::rebuild() {
  lastGrant_ = 0;
  lastGrantOf_.clear();
  for (auto &[id, job] : jobs) {
    for (Task &task : job.tasks) {
      lastGrant_ = std::max(lastGrant_, task.grant);
      lastGrantOf_[job.user] = std::max(lastGrantOf_[job.user], task.grant);
      task.avoidUntil = -1;
      if (task.place != Place::Leased && task.place != Place::Ended) task.place = Place::Queued;
    }
  }
}

void Model::undo(const Model &before, const Event &event) {
  const Model undone = *this;
  const int64_t renewed = now + rules.lease;
  *this = before;
  isChanged = true;
  answersOk = false;
  closed = undone.closed;
  for (const std::string &name : closed) said[name].push_back("farewell");
  rebuild();
  for (auto &[id, job] : jobs) {
    for (Task &task : job.tasks) {
      if (task.place != Place::Leased) continue;
      const Task *other = undone.find({task.id, task.epoch}, task.lease.worker);
      // Ended in the group that was undone: it gets one fresh duration.
      const bool isInherited = task.lease.isInherited;
      task.lease =
          other != nullptr ? other->lease : Lease{task.worker, renewed, now + rules.maxWork + rules.lease, isInherited};
    }
  }
  for (auto &[name, worker] : workers) {
    const Worker &other = undone.workers.at(name);
    worker.isAttached = other.isAttached;
    worker.isLeaving = other.isLeaving;
    worker.heard = other.heard;
    if (worker.heldUntil && *worker.heldUntil <= now) worker.heldUntil.reset();
  }
  pausedUntil = now + kAfterUndo;
  if (!isRepeated(event.kind)) return;
  repeated.push_back(event);
  repeated.back().isAgain = true;
}

void Model::restart() {
  rebuild();
  repeated.clear();
  pausedUntil = 0;
  for (auto &[name, worker] : workers) {
    worker.isAttached = worker.isLeaving = false;
    worker.setbacks = 0;
    worker.heldUntil.reset();
  }
  for (auto &[id, job] : jobs) {
    for (Task &task : job.tasks) {
      if (task.place != Place::Leased) continue;
      task.lease = {task.worker, now + rules.lease, now + rules.maxWork + rules.lease, true};
    }
  }
  due();  // a deadline that passed in a pause
}

}  // namespace hone::server::testing::model
