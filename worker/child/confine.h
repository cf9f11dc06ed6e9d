// The child's walls: whatever a hostile model or artifact makes of this process, it reaches no network, no other
// process and no file but those it was given. What the kernel does not offer is left out and told.
//
// In two steps, both before the first byte from outside is read: confineProcess() while the process has one thread,
// confineFiles() once the descriptors of its work are there. They cannot be undone.
#pragma once

#include <string>
#include <vector>

namespace hone::worker {

/// One wall: whether it stands, and if not, why.
struct Wall {
  std::string name;
  bool stands = false;
  std::string reason;
};

/// Dies with its parent, gains no privileges, is the first to go when memory runs out; namespaces of its own for
/// network and IPC; a filter of system calls: no sockets, no new processes or programs, no signals to others, no
/// mounts, no tracing.
std::vector<Wall> confineProcess();

/// From now on opens only: the system's libraries, /proc and /sys, to be read; what is below \p folder (empty: none);
/// the files of \p descriptors again, to be read.
Wall confineFiles(const std::string &folder, const std::vector<int> &descriptors);

/// "confined by A, B; not by C (reason)".
std::string describeWalls(const std::vector<Wall> &walls);

}  // namespace hone::worker
