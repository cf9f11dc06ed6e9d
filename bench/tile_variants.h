// Schedules that differ from a given one in a register tile: candidates as a search would propose them. Pure function.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::bench {

/// At most \p count legal schedules, each different from the others and from \p schedule, by the order of \p seed. None
/// where no stage of \p schedule has a register tile of the vector dim and another.
std::vector<schedule::Schedule> tileVariants(const tensor::Kernel &kernel, const schedule::Schedule &schedule,
                                             const TargetDescription &target, int count, uint64_t seed);

}  // namespace hone::bench
