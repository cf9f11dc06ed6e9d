#include "tests/server/engine/fleet_moves.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hone::server::testing::model {
namespace {

using Kind = Event::Kind;
using Outcome = Event::Outcome;

constexpr int kMostJobs = 8;  // unfinished at once

int64_t upToSecond(int64_t millis) { return std::max<int64_t>(1, (millis + kSecond - 1) / kSecond) * kSecond; }

}  // namespace

template <typename T>
const T *Moves::pick(const std::vector<T> &all) {
  if (all.empty()) return nullptr;
  return &all[static_cast<size_t>(random_.between(0, static_cast<int64_t>(all.size()) - 1))];
}

void Moves::add(const std::string &name, Events events) {
  // Of several that have the name any will do.
  if (!moves_.contains(name) || random_.chance(50)) moves_[name] = std::move(events);
}

std::map<std::string, Events> Moves::of(const Model &model) {
  model_ = &model;
  moves_.clear();
  held_.clear();
  stale_.clear();
  for (const auto &[id, job] : model.jobs) {
    for (const Task &task : job.tasks) {
      if (task.place == Place::Leased && model.workers.at(task.worker).isAttached) {
        held_.push_back({task.worker, &job, &task});
      }
    }
    for (const Attempt &attempt : job.attempts) {
      const bool isAttached = model.workers.at(attempt.worker).isAttached;
      if (!attempt.end.empty() && isAttached) stale_.emplace_back(attempt.worker, attempt.lease);
    }
  }
  submissions();
  cancellations();
  connections();
  signs();
  results();
  decisions();
  time();
  undone();
  return std::exchange(moves_, {});
}

bool Moves::hasParked(const Job &job) const {
  return std::ranges::any_of(model_->jobs, [&](const auto &entry) {
    return !job.work.empty() && entry.second.work == job.work && entry.second.tasks.front().place == Place::Parked;
  });
}

Event Moves::submission(const std::string &work) {
  Event event{.kind = Kind::Submit};
  event.submitted.user = random_.chance(50) ? "ada" : "bob";
  event.submitted.priority = static_cast<int>(random_.between(-1, 1));
  event.submitted.work = work;
  event.submitted.tasks.resize(1);
  return event;
}

void Moves::submissions() {
  std::vector<const Job *> over;
  int live = 0;
  for (const auto &[id, job] : model_->jobs) {
    live += job.isOver() ? 0 : 1;
    Event again{.kind = Kind::Submit};
    again.job = id;
    offer("submit again", again);
  }
  if (live >= kMostJobs) return;
  const std::string work = absl::StrCat("work ", ++works_);
  offer("submit new", submission(work));
  Event urgent = submission(work);
  urgent.submitted.deadline = random_.between(3, 35) * kSecond;
  offer("submit with deadline", urgent);
  Event many = submission("");
  many.submitted.tasks.resize(2);
  many.submitted.items = 2;
  offer("submit many", many);
  for (const auto &[id, job] : model_->jobs) {
    if (job.work.empty()) continue;
    Event fresh = submission(job.work);
    fresh.submitted.isFresh = true;
    offer("submit fresh", fresh);
    if (model_->isFlying(job.work)) {
      offer("submit equal to leased", submission(job.work));
    } else if (!job.isOver()) {
      offer("submit equal to waiting", submission(job.work));
    }
  }
  for (const std::string &each : model_->kept) offer("submit kept", submission(each));
}

void Moves::cancellations() {
  for (const auto &[id, job] : model_->jobs) {
    Event cancel{.kind = Kind::Cancel};
    cancel.job = id;
    const Place place = job.tasks.front().place;
    if (job.isOver()) {
      offer("cancel ended", cancel);
    } else if (job.tasks.size() > 1) {
      if (job.state == JobState::Running) offer("cancel begun", cancel);
    } else if (place == Place::Leased) {
      offer(hasParked(job) ? "cancel leased with parked" : "cancel leased", cancel);
    } else {
      offer(place == Place::Queued   ? "cancel queued"
            : place == Place::Paused ? "cancel paused"
                                     : "cancel parked",
            cancel);
    }
  }
}

Event Moves::ofWorker(Kind kind, const std::string &worker, std::vector<Name> leases) {
  Event event{.kind = kind};
  event.worker = worker;
  event.leases = std::move(leases);
  return event;
}

void Moves::connections() {
  for (const std::string &name : workers_) {
    const auto found = model_->workers.find(name);
    const bool isAttached = found != model_->workers.end() && found->second.isAttached;
    const std::vector<Name> held = model_->heldBy(name);
    if (isAttached) {
      offer("attach twice", ofWorker(Kind::Attach, name, held));
      offer(held.empty() ? "detach idle" : "detach holding", ofWorker(Kind::Detach, name));
      offer(held.empty() ? "goodbye idle" : "goodbye holding", ofWorker(Kind::Goodbye, name));
      continue;
    }
    offer(held.empty() ? "attach idle" : "attach holding", ofWorker(Kind::Attach, name, held));
    if (!held.empty()) offer("attach without lease", ofWorker(Kind::Attach, name));
    std::vector<Name> past = held;
    for (const auto &[id, job] : model_->jobs) {
      for (const Attempt &attempt : job.attempts) {
        if (attempt.worker == name && !attempt.end.empty() && past.size() < held.size() + 2) {
          past.push_back(attempt.lease);
        }
      }
    }
    if (past.size() > held.size()) offer("attach with stale lease", ofWorker(Kind::Attach, name, past));
  }
}

void Moves::signs() {
  for (const Held &held : held_) {
    offer("heartbeat", ofWorker(Kind::Heartbeat, held.worker, {held.name()}));
    offer("progress", ofWorker(Kind::Progress, held.worker, {held.name()}));
    if (held.job->items == 0) continue;
    Event items = ofWorker(Kind::Items, held.worker, {held.name()});
    items.items = {static_cast<int>(random_.between(0, held.job->items - 1))};
    offer("items", items);
  }
  if (const auto *stale = pick(stale_)) {
    offer("heartbeat stale", ofWorker(Kind::Heartbeat, stale->first, {stale->second}));
    offer("progress stale", ofWorker(Kind::Progress, stale->first, {stale->second}));
    offer("result stale", ofWorker(Kind::Result, stale->first, {stale->second}));
    Event items = ofWorker(Kind::Items, stale->first, {stale->second});
    items.items = {0};
    offer("items stale", items);
  }
}

Event Moves::resultOf(const Held &held, Outcome outcome) {
  Event event = ofWorker(Kind::Result, held.worker, {held.name()});
  event.outcome = outcome;
  return event;
}

void Moves::results() {
  for (const Held &held : held_) {
    for (const auto &[name, worker] : model_->workers) {
      if (name == held.worker || !worker.isAttached) continue;
      offer("result of another", ofWorker(Kind::Result, name, {held.name()}));
    }
    if (held.job->items > 0) {
      Event items = ofWorker(Kind::Items, held.worker, {held.name()});
      items.items = {1, 0};
      add("done of many", {items, resultOf(held, Outcome::Done)});
      offer("failed of many", resultOf(held, Outcome::Failed));
      const bool isShort = static_cast<int>(held.task->items.size()) < held.job->items;
      offer("given back of many",
            resultOf(held, isShort && random_.chance(50) ? Outcome::Lacking : Outcome::WorkersFault));
      continue;
    }
    const std::string parked = hasParked(*held.job) ? " with parked" : "";
    bool isOwnFault = false, isOthersFault = false;
    for (const Attempt &attempt : held.job->attempts) {
      if (attempt.end != "returned" && attempt.end != "expired") continue;
      (attempt.worker == held.worker ? isOwnFault : isOthersFault) = true;
    }
    offer("done" + parked, resultOf(held, Outcome::Done));
    if (isOwnFault) offer("done after own fault", resultOf(held, Outcome::Done));
    if (isOthersFault) offer("done after other's fault", resultOf(held, Outcome::Done));
    offer("failed" + parked, resultOf(held, Outcome::Failed));
    offer("without blob", resultOf(held, Outcome::Lacking));
    const bool isLast = held.task->attempts >= model_->rules.maxAttempts;
    offer(isLast ? "given back last" : "given back" + parked, resultOf(held, Outcome::WorkersFault));
  }
}

void Moves::decisions() {
  for (const auto &[name, worker] : model_->workers) {
    if (!worker.isKnown) continue;
    if (!worker.isDraining) offer("drain", ofWorker(Kind::Drain, name));
    if (worker.isDraining) offer("undrain", ofWorker(Kind::Undrain, name));
    if (worker.heldUntil) offer("undrain held back", ofWorker(Kind::Undrain, name));
    if (worker.isQuarantined) offer("undrain quarantined", ofWorker(Kind::Undrain, name));
  }
}

/// Time passes, and all workers but for the one that holds \p except are well.
Events Moves::alive(int64_t millis, Name except) {
  Events events;
  for (int64_t left = upToSecond(millis); left > 0;) {
    events.push_back(ofWorker(Kind::Heartbeat, "", {except}));
    Event advance{.kind = Kind::Advance};
    advance.millis = std::min<int64_t>(left, 10 * kSecond);
    left -= advance.millis;
    events.push_back(advance);
  }
  return events;
}

void Moves::time() {
  add("a second", alive(kSecond));
  bool isAnyOver = false, isAnyAttached = false;
  for (const auto &[name, worker] : model_->workers) {
    isAnyAttached = isAnyAttached || worker.isAttached;
    if (worker.heldUntil) add("holding ends", alive(*worker.heldUntil - model_->now));
  }
  Event wait{.kind = Kind::Advance};
  wait.millis = model_->rules.silence;
  if (isAnyAttached) offer("silence", wait);
  for (const auto &[id, job] : model_->jobs) {
    isAnyOver = isAnyOver || job.isOver();
    const int64_t left = job.deadline - model_->now;
    if (!job.isOver() && left < 60 * kSecond) {
      const bool isLeased = job.tasks.front().place == Place::Leased;
      const std::string parked = hasParked(job) ? " with parked" : "";
      add(isLeased ? "deadline of leased" + parked : "deadline of waiting", alive(left));
    }
    for (const Task &task : job.tasks) {
      if (task.place == Place::Paused) add("pause ends", alive(task.pausedUntil - model_->now));
      if (task.place != Place::Leased) continue;
      const bool isGone = !model_->workers.at(task.worker).isAttached;
      const int64_t silent = task.lease.silentUntil - model_->now;
      add(isGone ? "lease of gone worker" : "lease silent", alive(silent, {task.id, task.epoch}));
      if (!isGone) add("work too long", alive(task.lease.workUntil - model_->now));
    }
  }
  if (isAnyOver) {
    // Workers that have not come for as long are forgotten, so they come once more.
    Events events;
    for (const std::string &name : workers_) {
      events.push_back(ofWorker(Kind::Attach, name, model_->heldBy(name)));
    }
    wait.millis = model_->rules.keepJobs + kSecond;
    events.push_back(wait);
    add("retention", events);
  }
  offer("restart", {.kind = Kind::Restart});
}

void Moves::undo(const std::string &name, const std::string &of) {
  const auto found = moves_.find(of);
  if (found == moves_.end()) return;
  Events events = found->second;
  events.back().isUndone = true;
  add(name, events);
}

void Moves::undone() {
  undo("undone submit", "submit new");
  undo("undone cancel", "cancel leased");
  undo("undone cancel with parked", "cancel leased with parked");
  undo("undone done", "done");
  undo("undone given back", "given back");
  undo("undone attach holding", "attach holding");
  undo("undone attach without lease", "attach without lease");
  undo("undone items", "items");
  undo("undone drain", "drain");
  undo("undone undrain held back", "undrain held back");
  undo("undone lease silent", "lease silent");
  undo("undone lease of gone worker", "lease of gone worker");
}

}  // namespace hone::server::testing::model
