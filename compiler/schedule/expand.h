// From choices to a schedule: which stages share loops, then, for each nest, vector dim, register tile and loop order,
// from the structure of its accesses and the target's registers. A pure function; thread-safe.
#pragma once

#include <string>

#include "compiler/base/target.h"
#include "compiler/schedule/choices.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/algorithms.h"

namespace hone::schedule {

/// \p rewrite is what \p algorithm makes of the kernel that is to be scheduled. Looks at structure only (combiner,
/// accesses, layouts), never at names.
Schedule expandKernel(const tensor::Rewrite &rewrite, const TargetDescription &target, const std::string &algorithm,
                      Choices &choices);

}  // namespace hone::schedule
