// The kernel's Landlock: which files this process may open from now on. A function without state.
#pragma once

#include <string>
#include <vector>

namespace hone::worker {

/// Denies to open anything but what confineFiles() names. 0, or the errno of the kernel that does not offer it.
int landlock(const std::string &folder, const std::vector<int> &descriptors);

}  // namespace hone::worker
