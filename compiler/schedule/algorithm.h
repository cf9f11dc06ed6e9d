// Which algorithms a kernel may have, and what each costs by estimate. A pure function; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::schedule {

struct AlgorithmChoice {
  std::string algorithm;       ///< as Schedule::algorithm has it
  double cycles = 0;           ///< of one thread; comparable among the choices of one kernel
  int64_t parameterBytes = 0;  ///< of the weights in the form that it takes
};

/// "direct" first, then the Winograd forms of its convolution that take fewer cycles.
std::vector<AlgorithmChoice> algorithmChoices(const tensor::Kernel &kernel, const TargetDescription &target);

}  // namespace hone::schedule
