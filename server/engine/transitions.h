// The state machine of a task: each way from one state to the next, in the store and in its mirror in memory at once.
// Nothing else changes a task. docs/design/leases-and-durability.md has the table. Used by the engine's thread only.
//
// A status that is not OK means that the store failed or contradicts the mirror: the group is undone, and rebuild()
// reads the mirror again. What is said to workers, watchers and observers is said after the commit.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/state.h"

namespace hone::server {

class Transitions {
 public:
  explicit Transitions(State &state) : state_(state) {}

  /// The mirror as the store has it. Leases that the mirror knew keep their time; others get one fresh duration.
  absl::Status rebuild();

  /// A task that the store has just been given; waits for a worker.
  LiveTask &submitted(const Task &task, absl::Duration deadline);

  /// pending -> leased, by a worker with a free slot since \p freeSince.
  absl::Status claim(LiveTask &live, Session &session, absl::Duration freeSince);

  /// leased -> ended, by the worker's result. False: the store knows the epoch as stale. \p live is gone after true.
  absl::StatusOr<bool> complete(LiveTask &live, int64_t epoch, const v1::JobResult &result, const std::string &log,
                                const std::string &build);

  /// leased -> pending without a result; after the last attempt -> failed. \p live may be gone.
  absl::Status giveBack(LiveTask &live, AttemptEnd end, const std::string &detail);

  /// pending or leased -> ended without a worker. \p live is gone.
  absl::Status finish(LiveTask &live, v1::JobState state, const v1::JobResult &result, const std::string &actor,
                      const std::string &detail);
  /// The same, failed by the coordinator.
  absl::Status fail(LiveTask &live, const std::string &sentence);
  /// The same, answered with the result of equal work.
  absl::Status answer(LiveTask &live, v1::JobResult result);

  // Why a pending task waits: not in the store.
  void enqueue(LiveTask &live) { move(live, LiveTask::Place::Queued); }
  void park(LiveTask &live) { move(live, LiveTask::Place::Parked); }
  void check(LiveTask &live) { move(live, LiveTask::Place::Checking); }

 private:
  void adopt(const Task &task, const LeaseTable &before, bool isStart);
  void move(LiveTask &live, LiveTask::Place place);
  void leave(LiveTask &live);
  /// The lease is no more; its slot is free.
  void endLease(LiveTask &live);
  void revoke(const Lease &lease);
  void wakeParked(const std::string &work);
  absl::Status answerWaiting(const std::string &work, const v1::JobResult &result);
  void ended(LiveTask &live, v1::JobState state, const v1::JobResult &result);
  absl::Status countSuccess(const std::string &worker, const std::string &job, int32_t attempts);
  absl::Status strike(const std::string &worker);
  absl::StatusOr<std::string> attemptsUsedUp(const LiveTask &live, AttemptEnd last);

  State &state_;
  bool wasBuilt_ = false;
};

}  // namespace hone::server
