// Compiled loop nests against interpreted ones, and guards for their loads and stores.
#pragma once

#include <string>
#include <vector>

#include "tests/codegen/harness.h"

namespace hone::test {

/// Runs \p kernel, whose buffers are f32 or i32, both ways on the day's random numbers, for each target; what is
/// written starts as -77. Expects the last buffer to be the same.
void compare(const loop::Kernel &kernel, const std::string &what);

ValuePtr guarded(const ValuePtr &value, std::vector<loop::Guard> guards, int activeLanes = 0, ValuePtr fill = nullptr);
StatementPtr guarded(const StatementPtr &statement, std::vector<loop::Guard> guards, int activeLanes = 0);

}  // namespace hone::test
