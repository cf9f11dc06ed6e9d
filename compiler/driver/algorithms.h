// The algorithm of each kernel's default schedule. Kernels share a bound: weights in the form that an algorithm takes
// may be larger, and an artifact must not grow without end. A pure function; thread-safe.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/plan/plan.h"

namespace hone::driver {

/// In the order of the plan's kernels. Among what the bound on parameters allows, greedily the most cycles saved for
/// each byte that is added. \p disabled: first words of algorithms that nobody wants.
std::vector<std::string> chooseAlgorithms(const plan::Plan &plan, const TargetDescription &target,
                                          const std::set<std::string> &disabled, int threads);

}  // namespace hone::driver
