// What values an index expression can take. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// Inclusive bounds.
struct IndexRange {
  int64_t low = 0;
  int64_t high = 0;
};

/// Bounds of \p index over the dims of \p op, by interval arithmetic: never too narrow, perhaps too wide. Loaded
/// indices span their dtype.
IndexRange rangeOf(const Kernel &kernel, const TensorOp &op, const Index &index);

/// Whether \p index is in [0, extent) at every point of \p op: by its bounds, else by trying all values of the dims
/// that it uses (up to a few million; beyond that the answer is no).
bool staysInside(const Kernel &kernel, const TensorOp &op, const Index &index, int64_t extent);

}  // namespace hone::tensor
