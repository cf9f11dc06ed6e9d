// Kernels for Compute nodes of tests: together they use what a kernel may hold, scan dims, loaded indices in reads and
// writes, values outside, several stages. Pure functions.
#pragma once

#include "compiler/tensor/tensor_op.h"

namespace hone::plan {

/// Sums of x f32 along its last dim, up to each element.
tensor::Kernel runningSum(const std::vector<int64_t> &shape);
/// x f32 with `updates` of shape [indices…] added along dim 0 at `indices` i64 (modulo the extent), in their order.
tensor::Kernel scatterAdd(const std::vector<int64_t> &shape, const std::vector<int64_t> &indices);
/// The larger of x f32 and its neighbour in the last dim (-1 outside), minus the smallest of its row.
tensor::Kernel neighbours(const std::vector<int64_t> &shape);
/// x f32 at indices i64 of any shape, clamped, along dim 0; a table of what was clamped goes through a temporary.
tensor::Kernel clampedGather(const std::vector<int64_t> &shape, const std::vector<int64_t> &indices);

}  // namespace hone::plan
