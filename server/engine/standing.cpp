#include "server/engine/standing.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace hone::server {

void Standing::cameBack(const Task &task, const ComesBack &how, const std::string &detail) {
  WorkerRow *row = state_.fleet.row(task.worker);
  if (row == nullptr) return;
  ++row->failures;
  state_.unwrittenWorkers.insert(row->name);
  if (how.blamesWorker) state_.fleet.gaveBack(task.worker, detail, state_.now);
}

absl::Status Standing::succeeded(const Task &task) {
  if (WorkerRow *row = state_.fleet.row(task.worker)) {
    ++row->completed;
    state_.unwrittenWorkers.insert(task.worker);
    state_.fleet.completed(task.worker);
    if (row->strikes > 0 && !row->isQuarantined) {
      --row->strikes;
      if (absl::Status status = state_.parts.store->putWorker(*row); !status.ok()) return status;
    }
  }
  if (task.attempts < 2) return absl::OkStatus();
  const absl::StatusOr<std::vector<v1::Attempt>> before = state_.parts.store->attemptsAt(task.id);
  if (!before.ok()) return before.status();
  std::set<std::string> failed;
  for (const v1::Attempt &attempt : *before) {
    const bool isItsFault =
        attempt.end() == nameOf(AttemptEnd::Expired) || attempt.end() == nameOf(AttemptEnd::Returned);
    if (isItsFault && attempt.worker() != task.worker) failed.insert(attempt.worker());
  }
  for (const std::string &name : failed) {
    if (absl::Status status = strike(name); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Standing::strike(const std::string &worker) {
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
