// Executes loop nests statement by statement over doubles: the oracle for addresses, guards and masks. Slow, obvious;
// shares nothing with code generation.
#pragma once

#include <vector>

#include "compiler/loop/loop_nest.h"

namespace hone::test {

/// \p buffers: the elements of each buffer as numbers. An access outside of a buffer throws.
void interpret(const loop::Kernel &kernel, std::vector<std::vector<double>> &buffers);

}  // namespace hone::test
