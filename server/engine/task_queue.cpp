#include "server/engine/task_queue.h"

#include <algorithm>

namespace hone::server {

void TaskQueue::takeTurn(const std::string &user, const std::string &key, bool in) {
  Key &queue = keys_[key];
  const Share &share = queue.shares[user];
  if (share.waiting.empty() || users_[user].running >= maxRunning_) return;
  const Turn turn{share.running, share.lastGrant, user};
  if (in) {
    queue.turns.insert(turn);
  } else {
    queue.turns.erase(turn);
  }
}

template <typename Change>
void TaskQueue::change(const std::string &user, const std::string &key, Change change) {
  users_[user].keys.insert(key);
  takeTurn(user, key, false);
  change(keys_[key].shares[user]);
  takeTurn(user, key, true);
}

void TaskQueue::setRunning(const std::string &user, int64_t running) {
  User &entry = users_[user];
  const bool wasFull = entry.running >= maxRunning_;
  const bool isFull = running >= maxRunning_;
  if (!wasFull && isFull) {
    for (const std::string &key : entry.keys) takeTurn(user, key, false);
  }
  entry.running = running;
  if (wasFull && !isFull) {
    for (const std::string &key : entry.keys) takeTurn(user, key, true);
  }
}

void TaskQueue::add(const Entry &entry) {
  change(entry.user, entry.key, [&](Share &share) {
    share.waiting.insert({-entry.priority, entry.task});
    keys_[entry.key].waiting.insert(entry.task);
  });
}

void TaskQueue::remove(const Entry &entry) {
  change(entry.user, entry.key, [&](Share &share) {
    share.waiting.erase({-entry.priority, entry.task});
    keys_[entry.key].waiting.erase(entry.task);
  });
}

void TaskQueue::started(const std::string &user, const std::string &key, int64_t grantSequence) {
  change(user, key, [&](Share &share) {
    ++share.running;
    share.lastGrant = std::max(share.lastGrant, grantSequence);
  });
  setRunning(user, users_[user].running + 1);
}

void TaskQueue::ended(const std::string &user, const std::string &key) {
  change(user, key, [](Share &share) { --share.running; });
  setRunning(user, users_[user].running - 1);
}

void TaskQueue::setLastGrant(const std::string &user, const std::string &key, int64_t grantSequence) {
  change(user, key, [&](Share &share) { share.lastGrant = std::max(share.lastGrant, grantSequence); });
}

std::optional<int64_t> TaskQueue::next(const std::string &key) const {
  const auto queue = keys_.find(key);
  if (queue == keys_.end() || queue->second.turns.empty()) return std::nullopt;
  return queue->second.shares.at(std::get<2>(*queue->second.turns.begin())).waiting.begin()->second;
}

std::vector<std::string> TaskQueue::keys() const {
  std::vector<std::string> result;
  for (const auto &[name, queue] : keys_) {
    if (!queue.turns.empty()) result.push_back(name);
  }
  return result;
}

int64_t TaskQueue::running(const std::string &user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? 0 : found->second.running;
}

int64_t TaskQueue::waiting(const std::string &key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? 0 : static_cast<int64_t>(found->second.waiting.size());
}

std::optional<int64_t> TaskQueue::oldest(const std::string &key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end() || found->second.waiting.empty()) return std::nullopt;
  return *found->second.waiting.begin();
}

std::vector<std::string> TaskQueue::allKeys() const {
  std::vector<std::string> result;
  for (const auto &[name, queue] : keys_) {
    if (!queue.waiting.empty()) result.push_back(name);
  }
  return result;
}

}  // namespace hone::server
