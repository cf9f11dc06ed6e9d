// Arguments of kernels for tests: seeded random tensors, and the bytes of a tensor in a layout. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/host_tensor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor::testing {

/// Tensors for the Input and Parameter buffers of \p kernel, in order. Floats are in [-1, 1); integers are small;
/// buffers that indices are loaded from hold mostly indices inside of what they index, and some outside.
std::vector<HostTensor> randomArguments(const Kernel &kernel, uint64_t seed);

/// The bytes of \p tensor in \p layout; what the layout adds as padding is zero.
std::vector<char> toLayout(const HostTensor &tensor, const Layout &layout);
/// The inverse of toLayout.
HostTensor fromLayout(const std::vector<char> &bytes, DType dtype, const std::vector<int64_t> &shape,
                      const Layout &layout);

/// The arguments of a rewritten kernel from those of the kernel \p before, derived ones among them.
std::vector<HostTensor> argumentsOf(const Kernel &before, const Rewrite &rewrite,
                                    const std::vector<HostTensor> &arguments);

}  // namespace hone::tensor::testing
