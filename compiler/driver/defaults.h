// Default schedules: of each task the least of its space by the estimate, and what to take if its code spills.
// Algorithms compete by the estimate, too, but kernels share a bound: weights in the form that an algorithm takes may
// be larger, and an artifact must not grow without end. A pure function; thread-safe.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/task.h"

namespace hone::driver {

/// In the names of the task.
struct Default {
  schedule::Schedule schedule;
  std::vector<schedule::Schedule> alternatives;  ///< with other register tiles, hardly slower by the estimate
  double cycles = 0;                             ///< by the estimate; infinite if it knows none
};

/// In the order of the kernels, whose \p tasks they are; kernels of one task are searched once. Each has the first of
/// its algorithms, but for those that save most cycles for each byte that they add, as long as all of them together add
/// little to \p parameterBytes. \p disabled: first words of algorithms that nobody wants.
std::vector<Default> chooseDefaults(const std::vector<const schedule::Task *> &tasks, int64_t parameterBytes,
                                    const TargetDescription &target, const std::set<std::string> &disabled,
                                    int threads);

}  // namespace hone::driver
