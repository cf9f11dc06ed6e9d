// Whether float32 holds sums of products of small integers exactly, so that they may be computed in it: that is as
// exact as in int32, and faster. Pure functions; thread-safe.
#pragma once

#include <optional>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// The places of a product's operands in the graph; zero points and bias may be missing.
struct IntegerProduct {
  ValueId data = -1, weight = -1;
  std::optional<ValueId> dataZero, weightZero, bias;
  /// The dim of the weights that has an index for each sum, a zero point and an element of the bias: the first one, or
  /// the last one.
  bool isAlongFirst = true;
};

/// Whether no sum, nor any part of it, is beyond 2^24. False where the weights are not known.
bool isExactInFloat(const Builder &build, const IntegerProduct &product);

}  // namespace hone::frontend
