// What the engine keeps in memory: a mirror of the store's unfinished tasks, with the indices that make decisions
// cheap, and what only this process knows (sessions, clocks). Used by the engine's thread only. Owns no part that was
// passed in.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "server/engine/deadlines.h"
#include "server/engine/engine.h"
#include "server/engine/fleet.h"
#include "server/engine/flights.h"
#include "server/engine/group.h"
#include "server/engine/lease_table.h"
#include "server/engine/quotas.h"
#include "server/engine/task_queue.h"
#include "server/engine/watchers.h"

namespace hone::server {

/// An unfinished task. Where it is, is what the store says of it, and for a pending one why it waits.
struct LiveTask {
  enum class Place : uint8_t {
    Nowhere,   ///< known, in no index
    Queued,    ///< waits for a slot
    Parked,    ///< waits for equal work that is leased
    Checking,  ///< a kept result is being looked at
    Leased,
  };
  Task task;
  Place place = Place::Nowhere;
  absl::Duration ready = absl::ZeroDuration();  ///< since when it waits for a worker
  int64_t cacheAsked = 0;                       ///< Fleet::buildsGeneration() of the last look into the cache
  std::string work() const;                     ///< its specification's key without "fresh:"; empty: never shared
  bool takesEqualResult() const;                ///< of another task, or of the cache
};

class Tasks {
 public:
  LiveTask *find(int64_t id);
  LiveTask *find(const std::string &job);
  LiveTask &add(LiveTask live);
  void erase(int64_t id);
  void clear();
  int64_t size() const { return static_cast<int64_t>(byId_.size()); }

 private:
  absl::node_hash_map<int64_t, LiveTask> byId_;
  absl::flat_hash_map<std::string, int64_t> byJob_;
};

/// Something the engine's thread is to do.
struct Command {
  /// What becomes of a command whose group was undone.
  enum class IfUndone : uint8_t {
    Answered,       ///< undone() is told why
    RepeatedLater,  ///< it must not get lost: it changes the store, and nobody would ask again
    RepeatedNow,    ///< it changes nothing in the store
  };
  /// Not OK: the store failed, and the whole group is undone.
  std::function<absl::Status()> apply;
  std::function<void(const absl::Status &)> undone = nullptr;
  IfUndone ifUndone = IfUndone::Answered;
};

struct State {
  State(const Engine::Parts &parts, const Policy &policy)
      : parts(parts), policy(policy), queue(policy.maxRunningJobs), quotas(policy.maxQueuedJobs) {}

  Engine::Parts parts;
  Policy policy;
  std::function<void(Command)> post;  ///< from any thread

  absl::Duration now;  ///< of this group, by the monotonic clock
  int64_t nowMicros = 0;
  std::optional<Group> group;

  Tasks tasks;
  TaskQueue queue;
  LeaseTable leases;
  Flights flights;
  Quotas quotas;
  Deadlines deadlines;  ///< of jobs, by task
  int64_t lastGrantSequence = 0;

  Fleet fleet;
  std::set<std::string> unwrittenWorkers;  ///< rows whose counters or times the store does not have yet
  Watchers watchers;
  bool isDraining = false;

  void readClocks() {
    now = parts.clock->monotonic();
    nowMicros = parts.clock->wallMicros();
  }
  /// Answers after the commit.
  template <typename T>
  void answer(const Callback<T> &done, absl::StatusOr<T> value) {
    group->after([done, value = std::move(value)] { done(value); });
  }
};

}  // namespace hone::server
