// What there is, as the model of the coordinator sees it: jobs with their tasks and leases, workers, the time; and
// questions about it. A plain value that can be copied. Times are milliseconds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hone::server::testing::model {

constexpr int64_t kSecond = 1000;
constexpr int64_t kUnseen = 1'000'000'000;  ///< number of a job that was not to be

struct Rules {
  int64_t lease = 20 * kSecond, silence = 15 * kSecond;
  int64_t maxWork = 30 * kSecond;
  int64_t maxJob = 24 * 3600 * kSecond;
  int64_t keepJobs = 30 * 24 * 3600 * kSecond;
  int maxAttempts = 3;
  int strikesToQuarantine = 2;
};

/// A lease by its name, task and epoch.
using Name = std::pair<int64_t, int64_t>;

struct Lease {
  std::string worker;
  int64_t silentUntil = 0, workUntil = 0;
  bool isInherited = false;
};

enum class Place { Queued, Paused, Parked, Checking, Leased, Ended };

struct Task {
  int64_t id = 0;
  Place place = Place::Queued;
  int64_t epoch = 0;
  std::string worker;  ///< of the last grant
  int attempts = 0;
  int64_t grant = 0;  ///< its number among all grants
  int64_t pausedUntil = 0, avoidUntil = -1;
  Lease lease;
  std::set<int> items;  ///< those with a result
};

struct Attempt {
  Name lease;
  std::string worker, end;
};

enum class JobState { Pending, Running, Succeeded, Failed, Cancelled };

struct Job {
  int64_t number = 0;
  std::string id, user;
  std::string work;      ///< equal for equal compilations; empty: a probe job
  bool isFresh = false;  ///< does not take an equal job's result
  int items = 0;         ///< of each task
  std::vector<Task> tasks;
  int priority = 0;
  int64_t deadline = 0;
  JobState state = JobState::Pending;
  bool isFromCache = false;
  int64_t ended = 0;
  std::vector<Attempt> attempts;

  bool isOver() const { return state >= JobState::Succeeded; }
  bool takesEqualResult() const { return !work.empty() && !isFresh; }
};

struct Worker {
  bool isKnown = false;  ///< the store has a row of it
  bool isAttached = false, isLeaving = false;
  int session = 0;
  int64_t heard = 0;
  bool isDraining = false, isQuarantined = false;
  int strikes = 0;
  int setbacks = 0;  ///< given back in a row
  std::optional<int64_t> heldUntil;
};

struct State {
  Rules rules;
  int64_t now = 0;
  std::map<std::string, Worker> workers;
  std::map<std::string, Job> jobs;  ///< by id; ended ones until they are too old
  std::set<std::string> kept;       ///< works with a result in the cache

  std::pair<Job *, Task *> at(Name lease, const std::string &worker);  ///< null unless the worker holds it
  const Task *find(Name lease, const std::string &worker) const;       ///< likewise
  std::vector<Name> heldBy(const std::string &worker) const;
  bool mayWork(const Worker &worker) const;
  bool hasFreeSlot(const std::string &name) const;
  bool isFlying(const std::string &work) const;
  int runningOf(const std::string &user) const;
  int64_t position(const Job &job) const;  ///< how many queued tasks are older than its first queued one
  int64_t queued() const;
  /// No look at a kept result may begin in the next group: what comes of it would come after that was undone.
  bool mayBeUndone() const;
};

}  // namespace hone::server::testing::model
