// Starts a program as a child of this process. Functions without state.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hone {

/// What to start, and the little that it gets of us.
struct SpawnSettings {
  struct Inherited {
    int ours;    ///< our number of the descriptor
    int theirs;  ///< its number in the child
  };
  std::vector<std::string> command;  ///< the program's path, then its arguments
  std::vector<Inherited> descriptors{};
  std::optional<std::vector<std::string>> environment{};  ///< "NAME=value"; none: ours
  std::string folder{};                                   ///< where it starts; empty: where we are
};

/// Beside that, the child has /dev/null as its standard input, our standard output and error unless it gets others, no
/// further descriptor, a process group of its own, so that what a terminal sends is not for it, and signals as they are
/// at the start of a program. UNAVAILABLE when it cannot be started.
absl::StatusOr<pid_t> spawn(SpawnSettings settings);

}  // namespace hone
