#include "server/engine/task_queue.h"

#include <algorithm>

namespace hone::server {
namespace {

constexpr size_t kMostShares = 1000;

}  // namespace

void TaskQueue::takeTurn(const std::string &user, const std::string &key, bool in) {
  Key &queue = keys_[key];
  const Share &share = queue.shares[user];
  const bool begins = mayBegin(users_[user]);
  const bool hasTurn = std::ranges::any_of(share.kinds, [&](const auto &entry) {
    return !entry.second.begun.empty() || (begins && !entry.second.fresh.empty());
  });
  if (!hasTurn) return;
  const Turn turn{share.running, share.lastGrant, user};
  if (in) {
    queue.turns.insert(turn);
  } else {
    queue.turns.erase(turn);
  }
}

void TaskQueue::takeTurns(const std::string &user, bool in) {
  for (const std::string &key : users_[user].keys) takeTurn(user, key, in);
}

template <typename Change>
void TaskQueue::change(const std::string &user, const std::string &key, Change change) {
  users_[user].keys.insert(key);
  takeTurn(user, key, false);
  change(keys_[key].shares[user]);
  takeTurn(user, key, true);
}

// Of the job of \p entry. When the first of its tasks begins or the last one ends, those that wait change sides.
void TaskQueue::setRunning(const Entry &entry, int64_t running) {
  User &user = users_[entry.user];
  Job &job = user.jobs[entry.job];
  const bool isChange = (job.running == 0) != (running == 0);
  job.running = running;
  if (!isChange) return;
  takeTurns(entry.user, false);
  user.runningJobs += running == 0 ? -1 : 1;
  for (const auto &[key, kind, place] : job.waiting) {
    Waiting &waiting = keys_[key].shares[entry.user].kinds[kind];
    (running == 0 ? waiting.begun : waiting.fresh).erase(place);
    (running == 0 ? waiting.fresh : waiting.begun).insert(place);
  }
  takeTurns(entry.user, true);
}

void TaskQueue::forgetIdle(const std::string &user, int64_t job) {
  User &entry = users_[user];
  const auto found = entry.jobs.find(job);
  if (found != entry.jobs.end() && found->second.running == 0 && found->second.waiting.empty()) entry.jobs.erase(found);
}

void TaskQueue::add(const Entry &entry) {
  const Place place{-int64_t{entry.priority}, entry.job, entry.task};
  Job &job = users_[entry.user].jobs[entry.job];
  job.waiting.insert({entry.key, entry.kind, place});
  change(entry.user, entry.key, [&](Share &share) {
    Waiting &waiting = share.kinds[entry.kind];
    (job.running > 0 ? waiting.begun : waiting.fresh).insert(place);
    keys_[entry.key].waiting.insert(entry.task);
  });
}

void TaskQueue::remove(const Entry &entry) {
  const Place place{-int64_t{entry.priority}, entry.job, entry.task};
  users_[entry.user].jobs[entry.job].waiting.erase({entry.key, entry.kind, place});
  change(entry.user, entry.key, [&](Share &share) {
    Waiting &waiting = share.kinds[entry.kind];
    waiting.begun.erase(place);
    waiting.fresh.erase(place);
    if (waiting.isEmpty()) share.kinds.erase(entry.kind);
    keys_[entry.key].waiting.erase(entry.task);
  });
  forgetIdle(entry.user, entry.job);
  forgetShare(entry.user, entry.key);
}

void TaskQueue::started(const Entry &entry, int64_t grantSequence) {
  change(entry.user, entry.key, [&](Share &share) {
    ++share.running;
    share.lastGrant = std::max(share.lastGrant, grantSequence);
  });
  setRunning(entry, users_[entry.user].jobs[entry.job].running + 1);
}

void TaskQueue::ended(const Entry &entry) {
  change(entry.user, entry.key, [](Share &share) { --share.running; });
  setRunning(entry, users_[entry.user].jobs[entry.job].running - 1);
  forgetIdle(entry.user, entry.job);
  forgetShare(entry.user, entry.key);
}

void TaskQueue::forgetShare(const std::string &user, const std::string &key) {
  std::map<std::string, Share> &shares = keys_[key].shares;
  const auto found = shares.find(user);
  if (shares.size() <= kMostShares || found == shares.end()) return;
  if (found->second.running > 0 || !found->second.kinds.empty()) return;
  shares.erase(found);
  User &entry = users_[user];
  entry.keys.erase(key);
  if (entry.keys.empty() && entry.jobs.empty()) users_.erase(user);
}

void TaskQueue::setLastGrant(const std::string &user, const std::string &key, int64_t grantSequence) {
  change(user, key, [&](Share &share) { share.lastGrant = std::max(share.lastGrant, grantSequence); });
}

std::optional<TaskQueue::Place> TaskQueue::first(const User &user, const Share &share,
                                                 const std::function<bool(const std::string &kind)> &can) const {
  std::optional<Place> best;
  const auto offer = [&](const absl::btree_set<Place> &places) {
    if (!places.empty() && (!best || *places.begin() < *best)) best = *places.begin();
  };
  for (const auto &[kind, waiting] : share.kinds) {
    if (!can(kind)) continue;
    offer(waiting.begun);
    if (mayBegin(user)) offer(waiting.fresh);
  }
  return best;
}

std::optional<int64_t> TaskQueue::next(const std::string &key,
                                       const std::function<bool(const std::string &kind)> &can) const {
  const auto queue = keys_.find(key);
  if (queue == keys_.end()) return std::nullopt;
  for (const auto &[running, lastGrant, user] : queue->second.turns) {
    if (const auto place = first(users_.at(user), queue->second.shares.at(user), can)) return place->task;
  }
  return std::nullopt;
}

std::vector<std::string> TaskQueue::keys() const {
  std::vector<std::string> result;
  for (const auto &[name, queue] : keys_) {
    if (!queue.turns.empty()) result.push_back(name);
  }
  return result;
}

int64_t TaskQueue::waiting(const std::string &key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? 0 : static_cast<int64_t>(found->second.waiting.size());
}

int64_t TaskQueue::shares(const std::string &key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? 0 : static_cast<int64_t>(found->second.shares.size());
}

int64_t TaskQueue::before(const std::string &key, int64_t task) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return 0;
  const absl::btree_set<int64_t> &waiting = found->second.waiting;
  return std::distance(waiting.begin(), waiting.lower_bound(task));
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
