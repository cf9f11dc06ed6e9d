// The kernel's Landlock: which files this process may open from now on. A function without state.
#pragma once

#include "worker/child/confine.h"

namespace hone::worker {

/// Denies to open anything but what \p scope names. 0, or the errno of the kernel that does not offer it.
int landlock(const Scope &scope);

}  // namespace hone::worker
