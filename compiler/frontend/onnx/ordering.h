// What operators share that compare elements: the order of numbers, and positions of extremes. Pure functions.
#pragma once

#include "compiler/frontend/build/kernel_parts.h"

namespace hone::frontend {

/// Whether \p a comes before \p b in a descending or ascending order. NaN comes first in both, as numpy's argmax and
/// argmin have it.
tensor::Scalar precedes(const tensor::Scalar &a, const tensor::Scalar &b, bool descending);
/// Whether neither comes before the other.
tensor::Scalar ties(const tensor::Scalar &a, const tensor::Scalar &b);

/// Sums of the elements up to each along \p axis.
Result cumulativeSum(Builder &build, ValueId data, int64_t axis);

/// Positions of the elements of each row of \p rows, [count, n], in ascending or descending order; equal ones stay as
/// they are: i32 [count, n].
Result sortedPositions(Builder &build, const Result &rows, bool descending);

/// Position of the first (or last) of the largest (or smallest) elements along \p axis, which stays with extent 1: i64.
Result extremePosition(Builder &build, ValueId data, int64_t axis, bool isMaximum, bool isLast);

}  // namespace hone::frontend
