// Long sums in two steps. A pure function; thread-safe.
#pragma once

#include "compiler/tensor/tensor_op.h"

namespace hone::plan {

/// \p kernel with the sum over a long dim, if it begins with one, cut into parts whose sums are then summed up. A mean
/// over an image, one accumulator per channel, loses half of float32's digits where positive and negative values
/// cancel, and waits for each addition; parts lose little and are independent. Sums along memory have an accumulator
/// per lane and stay whole, products of two operands too.
tensor::Kernel cutLongSum(tensor::Kernel kernel);

}  // namespace hone::plan
