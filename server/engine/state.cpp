#include "server/engine/state.h"

#include "server/kinds/specification.h"

namespace hone::server {

std::string LiveTask::work() const { return task.cacheKey.empty() ? std::string() : cacheKey(task.cacheKey, ""); }

bool LiveTask::takesEqualResult() const { return !task.cacheKey.empty() && !wantsFresh(task.cacheKey); }

TaskQueue::Entry LiveTask::entry() const {
  return {job->row.user, task.key, task.kind, job->row.priority, task.job, task.id};
}

LiveJob *Jobs::find(int64_t number) {
  const auto found = byNumber_.find(number);
  return found == byNumber_.end() ? nullptr : &found->second;
}

LiveJob *Jobs::find(const std::string &id) {
  const auto found = byId_.find(id);
  return found == byId_.end() ? nullptr : find(found->second);
}

LiveJob &Jobs::add(LiveJob live) {
  const int64_t number = live.row.number;
  byId_[live.row.id] = number;
  return byNumber_[number] = std::move(live);
}

void Jobs::erase(int64_t number) {
  const auto found = byNumber_.find(number);
  if (found == byNumber_.end()) return;
  byId_.erase(found->second.row.id);
  byNumber_.erase(found);
}

void Jobs::clear() {
  byNumber_.clear();
  byId_.clear();
}

LiveTask *Tasks::find(int64_t id) {
  const auto found = byId_.find(id);
  return found == byId_.end() ? nullptr : &found->second;
}

}  // namespace hone::server
