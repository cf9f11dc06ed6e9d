// Made-up data for a kernel: the same seed gives the same bytes on every machine. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/tensor/host_tensor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::measure {

/// By position in the kernel's buffers: a row-major tensor for each Input and Parameter, an empty one for the others.
/// Floats are in [-1, 1), neither denormal nor infinite, which some CPUs compute more slowly; integers are small, and
/// where indices are loaded from, they lie inside of what they index.
std::vector<tensor::HostTensor> seededArguments(const tensor::Kernel &kernel, uint64_t seed);

/// The bytes of row-major \p data as \p buffer, of as many elements, has them: padding is zero.
std::vector<char> inLayout(const std::vector<char> &data, const tensor::Buffer &buffer);

}  // namespace hone::measure
