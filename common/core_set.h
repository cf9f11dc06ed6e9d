// Cores of this machine (logical CPUs, by the kernel's numbers), and who may run on which. Functions without state.
#pragma once

#include <sys/types.h>

#include <bitset>

namespace hone {

/// As many as a cpu_set_t has.
inline constexpr size_t kMostCores = 1024;
using CoreSet = std::bitset<kMostCores>;

/// Those on which this process may run.
CoreSet allowedCores();

/// \p cores and those that share a physical core with one of them: what runs there is felt.
CoreSet withSiblings(const CoreSet &cores);

/// Lets all threads of \p process run on \p cores only, and those that they make. False when the kernel refused.
bool moveProcess(pid_t process, const CoreSet &cores);

}  // namespace hone
