// Kernels over tensors without elements. Pure functions; thread-safe.
#pragma once

#include "absl/status/status.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {

/// \p kernel without its buffers that have no elements: stages over no points go, and sums over no points are the
/// combiner's identity. UNIMPLEMENTED where a stage that is left needs an element of such a buffer.
absl::Status dropEmptyParts(tensor::Kernel &kernel);

}  // namespace hone::frontend
