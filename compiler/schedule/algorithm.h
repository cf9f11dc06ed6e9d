// Which algorithms a kernel may have by default, by its structure. A pure function; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::schedule {

struct AlgorithmChoice {
  std::string algorithm;       ///< as Schedule::algorithm has it
  int64_t parameterBytes = 0;  ///< more than those of the kernel as it is
};

/// "direct" and the Winograd forms of a convolution; of a sum of floats so long that one after the other would be
/// rounded too often, the ways to split it. At least one.
std::vector<AlgorithmChoice> algorithmChoices(const tensor::Kernel &kernel, const TargetDescription &target);

}  // namespace hone::schedule
