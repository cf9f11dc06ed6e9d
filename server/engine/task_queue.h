// Whose turn it is. Tasks wait by key ("" is the builders'); in each key users take turns: first who has the fewest
// tasks running there, of those who was granted one longest ago. Within a user higher priority goes first, then the
// task that was there first. A user who runs as many tasks as allowed, over all keys, waits with all of them.
//
// Everything is O(log n). Not thread-safe; a plain value.
#pragma once

#include <cstdint>
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
    std::string user, key;
    int32_t priority = 0;
    int64_t task = 0;
  };

  explicit TaskQueue(int64_t maxRunning) : maxRunning_(maxRunning) {}

  void add(const Entry &entry);
  void remove(const Entry &entry);

  /// A task of \p user has begun, as the grant with this number (they grow).
  void started(const std::string &user, const std::string &key, int64_t grantSequence);
  void ended(const std::string &user, const std::string &key);
  /// After a restart: when \p user was granted a task last.
  void setLastGrant(const std::string &user, const std::string &key, int64_t grantSequence);

  std::optional<int64_t> next(const std::string &key) const;
  std::vector<std::string> keys() const;  ///< in which next() has an answer

  int64_t running(const std::string &user) const;
  int64_t waiting(const std::string &key) const;
  std::optional<int64_t> oldest(const std::string &key) const;  ///< the waiting task with the least number
  std::vector<std::string> allKeys() const;                     ///< in which something waits

 private:
  struct Share {
    int64_t running = 0;
    int64_t lastGrant = 0;
    absl::btree_set<std::pair<int32_t, int64_t>> waiting;  ///< (-priority, task)
  };
  using Turn = std::tuple<int64_t, int64_t, std::string>;  ///< running, last grant, user
  struct Key {
    std::map<std::string, Share> shares;  ///< by user
    std::set<Turn> turns;                 ///< of those who have something waiting and may run more
    absl::btree_set<int64_t> waiting;
  };
  struct User {
    int64_t running = 0;
    std::set<std::string> keys;  ///< where there is a share
  };

  /// Changes the share of (user, key) by \p change, with its turn kept right.
  template <typename Change>
  void change(const std::string &user, const std::string &key, Change change);
  void setRunning(const std::string &user, int64_t running);
  void takeTurn(const std::string &user, const std::string &key, bool in);

  int64_t maxRunning_;
  std::map<std::string, Key> keys_;
  std::map<std::string, User> users_;
};

}  // namespace hone::server
