// The coordinator that `hone` starts for itself where none is named: on a Unix socket of this user, detached, shared by
// every `hone` of this user, ending by itself when idle. Functions without state; several processes may call them at
// once.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/service/interrupts.h"
#include "common/address.h"

namespace hone::client {

struct PrivatePaths {
  std::filesystem::path data;    ///< the store
  std::filesystem::path socket;  ///< short enough for one
  std::filesystem::path log;     ///< what the coordinator writes
};

/// Where it is, whether it runs or not.
absl::StatusOr<PrivatePaths> privatePaths();

/// Starts it unless it answers, and returns when it does. UNAVAILABLE with its own words when it does not.
absl::Status ensurePrivateServer(const PrivatePaths &paths, Interrupts &interrupts);

/// Waits until nobody answers any more.
absl::Status waitForEnd(const PrivatePaths &paths, Interrupts &interrupts);

}  // namespace hone::client
