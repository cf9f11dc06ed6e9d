#include "tests/server/engine/fleet_state.h"

#include <algorithm>

namespace hone::server::testing::model {

std::pair<Job *, Task *> State::at(Name lease, const std::string &worker) {
  for (auto &[id, job] : jobs) {
    for (Task &task : job.tasks) {
      const bool isIt = task.place == Place::Leased && Name{task.id, task.epoch} == lease;
      if (isIt && task.lease.worker == worker) return {&job, &task};
    }
  }
  return {nullptr, nullptr};
}

const Task *State::find(Name lease, const std::string &worker) const {
  return const_cast<State *>(this)->at(lease, worker).second;
}

std::vector<Name> State::heldBy(const std::string &worker) const {
  std::vector<Name> held;
  for (const auto &[id, job] : jobs) {
    for (const Task &task : job.tasks) {
      if (task.place == Place::Leased && task.lease.worker == worker) held.emplace_back(task.id, task.epoch);
    }
  }
  std::sort(held.begin(), held.end());
  return held;
}

bool State::mayWork(const Worker &worker) const {
  return worker.isKnown && worker.isAttached && !worker.isLeaving && !worker.isDraining && !worker.isQuarantined &&
         !worker.heldUntil;
}

bool State::hasFreeSlot(const std::string &name) const { return mayWork(workers.at(name)) && heldBy(name).empty(); }

bool State::isFlying(const std::string &work) const {
  return std::any_of(jobs.begin(), jobs.end(), [&](const auto &entry) {
    return !work.empty() && entry.second.work == work && entry.second.tasks.front().place == Place::Leased;
  });
}

bool State::mayBeUndone() const {
  return std::ranges::none_of(jobs, [&](const auto &entry) {
    const Job &job = entry.second;
    return !job.isOver() && job.takesEqualResult() && kept.contains(job.work);
  });
}

int State::runningOf(const std::string &user) const {
  int running = 0;
  for (const auto &[id, job] : jobs) {
    if (job.user != user) continue;
    for (const Task &task : job.tasks) running += task.place == Place::Leased ? 1 : 0;
  }
  return running;
}

int64_t State::queued() const {
  int64_t count = 0;
  for (const auto &[id, job] : jobs) {
    for (const Task &task : job.tasks) count += task.place == Place::Queued ? 1 : 0;
  }
  return count;
}

int64_t State::position(const Job &job) const {
  const auto first = std::ranges::find(job.tasks, Place::Queued, &Task::place);
  if (first == job.tasks.end()) return 0;
  int64_t before = 0;
  for (const auto &[id, other] : jobs) {
    for (const Task &task : other.tasks) before += task.place == Place::Queued && task.id < first->id ? 1 : 0;
  }
  return before;
}

}  // namespace hone::server::testing::model
