// Random well-formed kernels that no operator produces: odd index expressions, strided and reversed accesses, reads
// outside, loaded indices, tuples, mixed dtypes, blocked and permuted layouts. The same seed gives the same kernel on
// every platform. Pure function.
#pragma once

#include <cstdint>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor::testing {

/// One to three stages of one to four dims; every kernel passes verify(), and its values stay in a range where
/// floats neither overflow nor lose everything.
Kernel randomKernel(uint64_t seed);

}  // namespace hone::tensor::testing
