#include "server/engine/state.h"

#include "server/engine/cache_key.h"

namespace hone::server {

std::string LiveTask::work() const { return task.cacheKey.empty() ? std::string() : cacheKey(task.cacheKey, ""); }

bool LiveTask::takesEqualResult() const { return !task.cacheKey.empty() && !wantsFresh(task.cacheKey); }

LiveTask *Tasks::find(int64_t id) {
  const auto found = byId_.find(id);
  return found == byId_.end() ? nullptr : &found->second;
}

LiveTask *Tasks::find(const std::string &job) {
  const auto found = byJob_.find(job);
  return found == byJob_.end() ? nullptr : find(found->second);
}

LiveTask &Tasks::add(LiveTask live) {
  const int64_t id = live.task.id;
  byJob_[live.task.job] = id;
  return byId_[id] = std::move(live);
}

void Tasks::erase(int64_t id) {
  const auto found = byId_.find(id);
  if (found == byId_.end()) return;
  byJob_.erase(found->second.task.job);
  byId_.erase(found);
}

void Tasks::clear() {
  byId_.clear();
  byJob_.clear();
}

}  // namespace hone::server
