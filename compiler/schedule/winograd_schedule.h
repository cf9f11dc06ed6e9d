// The schedules of a convolution that tensor::winograd() has rewritten. A pure function; thread-safe.
//
// Where there are many tiles, data, products and results of a block of them stay in the second-level cache: all three
// stages inside the last one's loop over blocks. Where there are few, each stage is a phase of its own, so that all
// threads share the weights.
#pragma once

#include <cstddef>

#include "compiler/base/target.h"
#include "compiler/schedule/choices.h"
#include "compiler/schedule/schedule.h"

namespace hone::schedule {

/// Fills in the three stages of \p kernel from position \p first on: data to points, products, points to results.
void scheduleWinograd(const tensor::Kernel &kernel, const TargetDescription &target, size_t first, Choices &choices,
                      Schedule &out);

}  // namespace hone::schedule
