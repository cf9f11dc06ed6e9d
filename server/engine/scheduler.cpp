#include "server/engine/scheduler.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace hone::server {
namespace {

/// How often work that waits for another worker looks for one.
constexpr absl::Duration kLook = absl::Milliseconds(500);

}  // namespace

absl::StatusOr<bool> Scheduler::schedule(int most) {
  if (state_.isDraining) return false;
  for (const std::string &key : state_.queue.keys()) {
    const auto can = [&](const std::string &kind) { return state_.fleet.hasFree(key, kind); };
    while (const std::optional<int64_t> next = state_.queue.next(key, can)) {
      if (most-- == 0) return true;
      LiveTask &live = *state_.tasks.find(*next);
      const std::optional<Fleet::FreeSlot> slot = slotFor(live);
      if (!slot) continue;
      const absl::StatusOr<bool> begins = mayBegin(live);
      if (!begins.ok()) return begins.status();
      if (!*begins) continue;
      if (absl::Status status = transitions_.claim(live, *slot->session, slot->since); !status.ok()) return status;
    }
  }
  return false;
}

std::optional<Fleet::FreeSlot> Scheduler::slotFor(LiveTask &live) {
  const Task &task = live.task;
  const std::string avoided = state_.now < live.avoidUntil ? task.worker : std::string();
  if (const auto slot = state_.fleet.free(task.key, task.kind, avoided)) return slot;
  // Only the worker from which it came back is free. Another one may be soon, if there is one.
  if (!state_.fleet.hasOther(task.key, task.kind, avoided)) return state_.fleet.free(task.key, task.kind, "");
  transitions_.pause(live, std::min(live.avoidUntil, state_.now + kLook));
  return std::nullopt;
}

absl::StatusOr<bool> Scheduler::mayBegin(LiveTask &live) {
  if (!live.takesEqualResult()) return true;
  if (state_.flights.isFlying(live.work())) {
    transitions_.park(live);
    return false;
  }
  // A builder with another compiler than those that were there at submission may have done this work before.
  if (live.cacheAsked == state_.fleet.buildsGeneration()) return true;
  live.cacheAsked = state_.fleet.buildsGeneration();
  absl::StatusOr<std::optional<KeptResult>> kept = kept_.find(live.task.cacheKey);
  if (!kept.ok()) return kept.status();
  if (!kept->has_value()) return true;
  checkKept(live, *std::move(*kept));
  return false;
}

void Scheduler::checkKept(LiveTask &live, KeptResult kept) {
  transitions_.check(live);
  const int64_t task = live.task.id;
  const KeptResult found = kept;
  const auto then = [this, task, found](const absl::Status &whole) {
    LiveTask *waiting = state_.tasks.find(task);
    if (waiting == nullptr || waiting->place == LiveTask::Place::Leased) return absl::OkStatus();
    if (whole.ok()) return transitions_.answer(*waiting, found.result, found.cacheKey);
    waiting->cacheAsked = 0;  // another build's may be whole
    if (waiting->place == LiveTask::Place::Checking) transitions_.enqueue(*waiting);
    return absl::OkStatus();
  };
  // Undone, the task is queued again with the whole mirror.
  kept_.check(std::move(kept), then, nullptr);
}

}  // namespace hone::server
