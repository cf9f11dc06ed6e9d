// How much arithmetic a kernel is: for GFLOP/s in profiles. A pure function.
#pragma once

#include <cstdint>

#include "compiler/tensor/tensor_op.h"

namespace hone::driver {

/// Operations on floats by the definition of the TensorOps, padding included: for every point of a stage's domain, the
/// float operations of its body and, with reduction dims, one for the combiner. A convolution counts 2 for each product
/// that it sums, whatever the schedule or algorithm does.
int64_t countFlops(const tensor::Kernel &kernel);

}  // namespace hone::driver
