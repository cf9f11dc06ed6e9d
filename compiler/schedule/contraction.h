// The schedules of a sum of products. A pure function; thread-safe.
#pragma once

#include "compiler/base/target.h"
#include "compiler/schedule/choices.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/structure.h"

namespace hone::schedule {

/// Fills in vector dim, registers, loops and packs of stage \p op, whose structure is \p contraction.
void scheduleContraction(const tensor::Kernel &kernel, const TargetDescription &target, const tensor::TensorOp &op,
                         const Contraction &contraction, Choices &choices, StageSchedule &out);

}  // namespace hone::schedule
