// Between which numbers the elements of a value lie at run time, where its node and the ranges of its operands say so:
// boxes that are clipped to an image, and what is computed from them. Of floats a range holds but for NaN.
//
// Interval arithmetic, element by element where there are few of them. Pure functions; thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "compiler/graph/graph.h"

namespace hone::frontend {

/// Both ends are inclusive and may be infinite.
struct NumberRange {
  /// Of the value's rank: 1 along dims on which the ends do not depend, else the value's extent.
  graph::Shape shape;
  std::vector<double> low, high;  ///< row-major
};

/// Nothing for element types that have none.
bool hasRange(DType dtype);
/// Nothing is known of \p type's elements.
NumberRange anyNumbers(const graph::TensorType &type);
/// Its own numbers; one range for all where there are more than a few, anything where there are many.
NumberRange rangeOfConstant(const graph::ConstantData &constant);
/// Of what \p node gives, of \p type; nothing where that could be anything. \p indices is the constant that a Gather
/// reads its places from, null for a list that is computed.
std::optional<NumberRange> rangeOf(const graph::Node &node, const std::vector<NumberRange> &operands,
                                   const std::vector<graph::TensorType> &types, const graph::TensorType &type,
                                   const graph::ConstantData *indices);
/// The ends for each element of \p shape.
NumberRange spreadTo(const NumberRange &range, const graph::Shape &shape);

}  // namespace hone::frontend
