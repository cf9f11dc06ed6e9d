// Random legal schedules over every field of a schedule, and over algorithms: what no chooser would pick and a person
// or a search may. The same kernel, target and seed give the same schedule on every platform. Pure function.
#pragma once

#include <cstdint>

#include "compiler/base/target.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::testing {

/// Each field is proposed at random and kept where schedule::legal() accepts it.
schedule::Schedule randomSchedule(const tensor::Kernel &kernel, const TargetDescription &target, uint64_t seed);

}  // namespace hone::testing
