// What the machine says of itself. Functions without state.
#pragma once

#include <cstdint>

namespace hone::measure {

/// Bytes of the largest cache of this machine; where it does not say, of a large one.
int64_t lastCacheBytes();

}  // namespace hone::measure
