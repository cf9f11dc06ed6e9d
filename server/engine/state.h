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

/// An unfinished job.
struct LiveJob {
  LiveJob() = default;
  LiveJob(const JobRow &row, const JobKind *kind) : row(row), kind(kind), allTasks(row.tasks) {}

  JobRow row;
  const JobKind *kind = nullptr;  ///< null: of another coordinator's table
  std::set<int64_t> tasks;        ///< those that have not ended
  int64_t leased = 0;             ///< of these
  int64_t allTasks = 0;           ///< with those that have
};

/// An unfinished task. Where it is, is what the store says of it, and for a pending one why it waits.
struct LiveTask {
  enum class Place : uint8_t {
    Nowhere,   ///< known, in no index
    Queued,    ///< waits for a slot
    Paused,    ///< came back, and waits for its next attempt
    Parked,    ///< waits for equal work that is leased
    Checking,  ///< a kept result is being looked at
    Leased,
  };
  Task task;
  LiveJob *job = nullptr;
  Place place = Place::Nowhere;
  absl::Duration ready = absl::ZeroDuration();            ///< since when it waits for a worker
  absl::Duration avoidUntil = -absl::InfiniteDuration();  ///< until then another worker than the last one is looked for
  int64_t cacheAsked = 0;                                 ///< Fleet::buildsGeneration() of the last look into the cache
  std::string work() const;       ///< its specification's key without "fresh:"; empty: never shared
  bool takesEqualResult() const;  ///< of another task, or of the cache
  TaskQueue::Entry entry() const;
};

class Jobs {
 public:
  LiveJob *find(int64_t number);
  LiveJob *find(const std::string &id);
  LiveJob &add(LiveJob live);
  void erase(int64_t number);
  void clear();

 private:
  absl::node_hash_map<int64_t, LiveJob> byNumber_;
  absl::flat_hash_map<std::string, int64_t> byId_;
};

class Tasks {
 public:
  LiveTask *find(int64_t id);
  LiveTask &add(LiveTask live) { return byId_[live.task.id] = std::move(live); }
  void erase(int64_t id) { byId_.erase(id); }
  void clear() { byId_.clear(); }
  int64_t size() const { return static_cast<int64_t>(byId_.size()); }

 private:
  absl::node_hash_map<int64_t, LiveTask> byId_;
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

  Jobs jobs;
  Tasks tasks;
  TaskQueue queue;
  LeaseTable leases;
  Flights flights;
  Quotas quotas;
  Deadlines deadlines;  ///< of jobs, by number
  Deadlines pauses;     ///< of tasks
  int64_t lastGrantSequence = 0;

  Fleet fleet{parts.kinds};
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
