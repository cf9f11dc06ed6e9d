// The child's walls: whatever a hostile model or artifact makes of this process, it reaches no network, no other
// process and no file but those it was given. What the kernel does not offer is left out and told.
//
// In two steps, both before the first byte from outside is read: confineProcess() while the process has one thread,
// confineFiles() once the descriptors of its work are there. They cannot be undone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace hone::worker {

/// One wall: whether it stands, and if not, why.
struct Wall {
  std::string name;
  bool stands = false;
  std::string reason;
  bool isNeeded = true;  ///< no other one keeps the same things out
};

/// Dies with its parent, gains no privileges, is the first to go when memory runs out; namespaces of its own for
/// network and IPC; a filter of system calls: no sockets, no new processes or programs, no signals to others, no
/// mounts, no tracing.
std::vector<Wall> confineProcess();

/// What may still be opened, besides the system's libraries, /proc and /sys, which may be read.
struct Scope {
  std::string folder;            ///< everything below it; empty: none
  std::string parent;            ///< empty folders may be removed here: the one above; empty: none
  std::vector<int> descriptors;  ///< their files again, to be read
};

Wall confineFiles(const Scope &scope);

/// Memory that is this process's alone (heap, stacks of threads): at most \p bytes; 0: as much as there is.
Wall confineMemory(uint64_t bytes);

/// UNAVAILABLE unless all that are needed stand.
absl::Status checkWalls(const std::vector<Wall> &walls);

/// "confined by A, B; not by C (reason)".
std::string describeWalls(const std::vector<Wall> &walls);

}  // namespace hone::worker
