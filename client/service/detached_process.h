// A process that outlives this one and belongs to the user, not to whoever happened to start it. Functions without
// state.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::client {

/// The descriptor that becomes \p ready of spawnDetached().
inline constexpr int kReadyDescriptor = 3;

/// Starts \p command in a session of its own, in /, with standard output and error in \p log, and \p ready as
/// kReadyDescriptor; both descriptors are above that. What one shell, script or service has set is not passed on: the
/// priority, scheduler and CPUs, limits of resources (as far as we may lift them), umask, signals, other descriptors,
/// and the environment but for folders, HONE_… and what the loader and sanitizers need.
absl::StatusOr<pid_t> spawnDetached(const std::vector<std::string> &command, int log, int ready);

/// What \p pid keeps of this process all the same, since only a privileged one may lift it: "a nice value of 10, at
/// most 1048576 bytes of address space"; empty when there is nothing that work would feel.
std::string inheritedBurden(pid_t pid);

}  // namespace hone::client
