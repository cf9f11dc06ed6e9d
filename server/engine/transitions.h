// The state machine of jobs and their tasks: each way from one state to the next, in the store and in its mirror in
// memory at once. Nothing else changes a task. docs/design/leases-and-durability.md has the table. Used by the engine's
// thread only.
//
// A status that is not OK means that the store failed or contradicts the mirror: the group is undone, and rebuild()
// reads the mirror again. What is said to workers, watchers and observers is said after the commit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/failure_policy.h"
#include "server/engine/standing.h"
#include "server/engine/state.h"

namespace hone::server {

class Transitions {
 public:
  explicit Transitions(State &state) : state_(state), standing_(state) {}

  /// The mirror as the store has it. Leases that the mirror knew keep their time; others get one fresh duration.
  absl::Status rebuild();

  /// A job that the store has just been given; its tasks wait for workers.
  LiveJob &submitted(const JobRow &row, const std::vector<Task> &tasks, absl::Duration deadline);

  /// pending -> leased, by a worker with a free slot since \p freeSince.
  absl::Status claim(LiveTask &live, Session &session, absl::Duration freeSince);

  /// leased -> ended, by the worker's result. False: the store knows the epoch as stale. \p live is gone after true.
  absl::StatusOr<bool> complete(LiveTask &live, int64_t epoch, const v1::TaskResult &result, const std::string &log,
                                const std::string &build);

  /// leased -> pending without a result; after the last attempt -> failed. \p live may be gone.
  absl::Status giveBack(LiveTask &live, const ComesBack &how, const std::string &detail);

  /// pending -> ended, with the result of equal work; \p cacheKey: under which it is kept. \p live is gone.
  absl::Status answer(LiveTask &live, v1::TaskResult result, const std::string &cacheKey);

  /// A job ends, with all of its tasks. \p job is gone. \p last: the task whose end it is, if it is one's.
  absl::Status end(LiveJob &job, v1::JobState state, const v1::JobResult &result, const std::string &actor,
                   const std::string &detail, const Task *last = nullptr);
  /// The same, failed by the coordinator.
  absl::Status fail(LiveJob &job, const std::string &sentence);

  // Why a pending task waits: not in the store.
  void enqueue(LiveTask &live) { move(live, LiveTask::Place::Queued); }
  void park(LiveTask &live) { move(live, LiveTask::Place::Parked); }
  void check(LiveTask &live) { move(live, LiveTask::Place::Checking); }
  void pause(LiveTask &live, absl::Duration until);

 private:
  void adopt(const JobRow &row);
  void adopt(const Task &task, const LeaseTable &before);
  LiveTask &add(LiveJob &job, const Task &task, absl::Duration ready);
  void move(LiveTask &live, LiveTask::Place place);
  void leave(LiveTask &live);
  /// The lease is no more; its slot is free.
  void endLease(LiveTask &live);
  void revoke(const Lease &lease);
  void setRunning(LiveJob &job, bool isRunning);
  void wakeParked(const std::string &work);
  absl::Status answerWaiting(const std::string &work, const v1::TaskResult &result, const std::string &cacheKey);
  /// \p live has ended in the store: its job ends, or goes on as its driver says. \p live is gone.
  absl::Status ended(LiveTask &live, const v1::TaskResult &result, const std::string &actor, const std::string &detail);
  absl::Status advance(LiveJob &job, const Task &task, const v1::TaskResult &result);
  absl::Status failAttempts(LiveTask &live, AttemptEnd last);

  State &state_;
  Standing standing_;
  std::optional<int64_t> lastInheritedGrant_;  ///< up to here an earlier coordinator's; none: nothing was read yet
};

}  // namespace hone::server
