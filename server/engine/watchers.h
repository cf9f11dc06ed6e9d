// Who wants to know what happens to which job. Does not keep a watcher alive. Used by the engine's thread only.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/engine/engine.h"

namespace hone::server {

class Watchers {
 public:
  void add(const std::string &job, const std::shared_ptr<JobWatcher> &watcher) { byJob_[job].push_back(watcher); }

  void remove(const std::string &job, const JobWatcher *watcher) {
    const auto found = byJob_.find(job);
    if (found == byJob_.end()) return;
    std::erase_if(found->second, [&](const std::weak_ptr<JobWatcher> &each) {
      const std::shared_ptr<JobWatcher> held = each.lock();
      return held == nullptr || held.get() == watcher;
    });
    if (found->second.empty()) byJob_.erase(found);
  }

  template <typename Call>
  void tell(const std::string &job, Call call) {
    const auto found = byJob_.find(job);
    if (found == byJob_.end()) return;
    std::vector<std::shared_ptr<JobWatcher>> present;
    std::erase_if(found->second, [&](const std::weak_ptr<JobWatcher> &each) {
      present.push_back(each.lock());
      if (present.back() != nullptr) return false;
      present.pop_back();
      return true;
    });
    if (found->second.empty()) byJob_.erase(found);
    for (const std::shared_ptr<JobWatcher> &watcher : present) call(*watcher);
  }

  /// Nothing will happen to \p job any more.
  void forget(const std::string &job) { byJob_.erase(job); }

 private:
  absl::flat_hash_map<std::string, std::vector<std::weak_ptr<JobWatcher>>> byJob_;
};

}  // namespace hone::server
