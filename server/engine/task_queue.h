// Whose turn it is. Tasks wait by key ("" is the builders'); in each key users take turns: first who has the fewest
// tasks running there, of those who was granted one longest ago. Within a user higher priority goes first, then the
// older job, then the older task. A user who runs as many jobs as allowed, over all keys, begins no other: the tasks of
// those that run go on.
//
// Everything is O(log n), but for tasks of a kind that no free worker can do, which next() passes over one user at a
// time. Not thread-safe; a plain value.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/btree_set.h"

namespace hone::server {

class TaskQueue {
 public:
  struct Entry {
    std::string user, key, kind;
    int32_t priority = 0;
    int64_t job = 0;  ///< its number
    int64_t task = 0;
  };

  explicit TaskQueue(int64_t maxRunningJobs) : maxRunningJobs_(maxRunningJobs) {}

  void add(const Entry &entry);
  void remove(const Entry &entry);

  /// A task has begun, as the grant with this number (they grow); it does not wait any more.
  void started(const Entry &entry, int64_t grantSequence);
  void ended(const Entry &entry);
  /// After a restart: when \p user was granted a task last.
  void setLastGrant(const std::string &user, const std::string &key, int64_t grantSequence);

  /// The next task of a kind for which \p can.
  std::optional<int64_t> next(const std::string &key, const std::function<bool(const std::string &kind)> &can) const;
  std::vector<std::string> keys() const;  ///< in which somebody's turn may be

  int64_t waiting(const std::string &key) const;
  int64_t shares(const std::string &key) const;  ///< users that are remembered there
  /// How many of \p key's waiting tasks are older than \p task.
  int64_t before(const std::string &key, int64_t task) const;
  std::optional<int64_t> oldest(const std::string &key) const;  ///< the waiting task with the least number
  std::vector<std::string> allKeys() const;                     ///< in which something waits

 private:
  struct Place {
    int64_t order = 0;  ///< -priority
    int64_t job = 0, task = 0;
    auto operator<=>(const Place &) const = default;
  };
  /// Waiting tasks of one kind: of jobs of which something runs, and of others.
  struct Waiting {
    absl::btree_set<Place> begun, fresh;
    bool isEmpty() const { return begun.empty() && fresh.empty(); }
  };
  struct Share {
    int64_t running = 0;
    int64_t lastGrant = 0;
    std::map<std::string, Waiting> kinds;
  };
  using Turn = std::tuple<int64_t, int64_t, std::string>;  ///< running, last grant, user
  struct Key {
    std::map<std::string, Share> shares;  ///< by user
    std::set<Turn> turns;                 ///< of those who have something waiting that may begin
    absl::btree_set<int64_t> waiting;
  };
  struct Job {
    int64_t running = 0;                                            ///< of its tasks
    std::set<std::tuple<std::string, std::string, Place>> waiting;  ///< key, kind
  };
  struct User {
    std::map<int64_t, Job> jobs;  ///< those that have a task here
    int64_t runningJobs = 0;
    std::set<std::string> keys;  ///< where there is a share
  };

  bool mayBegin(const User &user) const { return user.runningJobs < maxRunningJobs_; }
  std::optional<Place> first(const User &user, const Share &share,
                             const std::function<bool(const std::string &kind)> &can) const;
  /// Changes the share of (user, key) by \p change, with its turn kept right.
  template <typename Change>
  void change(const std::string &user, const std::string &key, Change change);
  void setRunning(const Entry &entry, int64_t running);
  void takeTurn(const std::string &user, const std::string &key, bool in);
  void takeTurns(const std::string &user, bool in);
  void forgetIdle(const std::string &user, int64_t job);
  /// Whose turn it was last is remembered of so many users in a key, and not of more.
  void forgetShare(const std::string &user, const std::string &key);

  int64_t maxRunningJobs_;
  std::map<std::string, Key> keys_;
  std::map<std::string, User> users_;
};

}  // namespace hone::server
