// Memory: where in the session's arena every intermediate value lies.
#pragma once

#include "compiler/plan/plan.h"

namespace hone::plan {

/// Every buffer of the arena starts at a multiple of this many bytes (kernels load whole vectors).
inline constexpr int64_t kArenaAlignment = 64;

/// Gives every arena buffer an offset, so that buffers that are alive during the same kernel do not share bytes, and
/// sets the arena's size. A buffer lives from the kernel that first writes it to the last one that uses it, or
/// to the end of the loop of that one, if it is older than the loop.
void planMemory(Plan &plan);

}  // namespace hone::plan
