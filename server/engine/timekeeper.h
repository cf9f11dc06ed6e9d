// What happens because time passes: leases and jobs come due, connections fall silent, old things go. Used by the
// engine's thread only.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/engine/retention.h"
#include "server/engine/state.h"
#include "server/engine/transitions.h"
#include "server/engine/workers.h"

namespace hone::server {

class Timekeeper {
 public:
  Timekeeper(State &state, Transitions &transitions, Workers &workers, Retention &retention)
      : state_(state), transitions_(transitions), workers_(workers), retention_(retention) {}

  /// Whatever is due. True: there may be more.
  absl::StatusOr<bool> pass();
  /// When pass() has something to do at the latest.
  absl::Duration next() const;
  /// Everything that is done from time to time is due now.
  void hurry();

 private:
  absl::Status expire(const Lease &lease);
  absl::Status overdue(LiveJob &job);
  absl::Status checkSilence();
  absl::Status writeWorkers();
  absl::StatusOr<bool> housekeeping();

  State &state_;
  Transitions &transitions_;
  Workers &workers_;
  Retention &retention_;
  bool isRemoving_ = false;  ///< old jobs, of which there are more
  absl::Duration nextSilence_ = -absl::InfiniteDuration();
  absl::Duration nextHousekeeping_ = -absl::InfiniteDuration();
  absl::Duration nextCollection_ = -absl::InfiniteDuration();
};

}  // namespace hone::server
