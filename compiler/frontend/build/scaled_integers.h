// ScaledIntegers: numbers that are integers times a scale, and what both are. A sum of products of such numbers is a
// sum of products of integers, which float32 holds exactly up to 2^24, times the product of the scales: nothing is
// rounded on the way. A plain value.
#pragma once

#include "compiler/graph/graph.h"

namespace hone::frontend {

struct ScaledIntegers {
  graph::ValueId integers = -1;  ///< float32, whole numbers, in the shape of the value
  graph::ValueId scale = -1;     ///< float32, constant; broadcasts to the shape of the value
  bool isSum = false;            ///< the integers are sums of products; else they were dequantised
  /// What was dequantised, and its zero point, a constant, or -1.
  graph::ValueId stored = -1, zero = -1;
};

/// The two values that were added.
struct Summands {
  graph::ValueId left = -1, right = -1;
};

}  // namespace hone::frontend
