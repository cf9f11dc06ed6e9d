// Matches free slots with waiting tasks, and answers those whose work is already done. Used by the engine's thread
// only.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/kept_results.h"
#include "server/engine/state.h"
#include "server/engine/transitions.h"

namespace hone::server {

class Scheduler {
 public:
  Scheduler(State &state, Transitions &transitions, KeptResults &kept)
      : state_(state), transitions_(transitions), kept_(kept) {}

  /// Grants what can be granted, at most \p most leases. True: there may be more to grant.
  absl::StatusOr<bool> schedule(int most);

 private:
  /// None: the task was put aside for a moment.
  std::optional<Fleet::FreeSlot> slotFor(LiveTask &live);
  /// False: the task waits for something else than a slot now.
  absl::StatusOr<bool> mayBegin(LiveTask &live);
  void checkKept(LiveTask &live, KeptResult kept);

  State &state_;
  Transitions &transitions_;
  KeptResults &kept_;
};

}  // namespace hone::server
