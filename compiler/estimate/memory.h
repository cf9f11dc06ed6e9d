// How many bytes a phase moves between the levels of memory, from the footprints of its loops. Pure functions.
//
// An access comes back to what it touched one iteration of a loop before when everything that one iteration touches
// stays in the cache meanwhile. So a cache of some size keeps what the loops touch up to the first, from the innermost
// outwards, whose body is larger; from there on each iteration fetches again.
#pragma once

#include <vector>

#include "compiler/base/target.h"
#include "compiler/estimate/scopes.h"
#include "compiler/loop/loop_nest.h"

namespace hone::estimate {

/// Bytes of one thread, in whole cache lines.
struct Traffic {
  double fromL2 = 0, fromL3 = 0, fromMemory = 0;
  double betweenLoops = 0;  ///< of fromL3, what is moved behind a loop, as a tile's results
};

/// \p isCold: by buffer of \p kernel, whether it was last used so long ago that it lies in memory.
Traffic trafficOf(const Scopes &scopes, const loop::Kernel &kernel, const std::vector<bool> &isCold,
                  const TargetDescription &target);

}  // namespace hone::estimate
