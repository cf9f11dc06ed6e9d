// Convolutions, matrix products and sums of dequantised operands, computed from the integers that these have been. Pure
// functions on a builder.
#pragma once

#include <optional>
#include <vector>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// No value where the operands are not known to be scaled integers, or have scales that cannot be taken out of the sum.
using OptionalValue = absl::StatusOr<std::optional<ValueId>>;

/// \p bias: none or one element for each output channel.
OptionalValue convOfIntegers(Builder &build, ValueId data, ValueId weight, const std::vector<Result> &bias,
                             const graph::ConvAttributes &attributes);

/// The product of \p a and \p b, of at least two dims each, plus \p bias where there is one, which broadcasts to it.
OptionalValue matMulOfIntegers(Builder &build, ValueId a, ValueId b, const std::vector<Result> &bias,
                               const graph::MatMulAttributes &attributes);

/// \p value / \p scale, where \p value is such a product and \p scale a constant number: the integers times one ratio
/// of scales.
OptionalValue quotientOfSum(Builder &build, ValueId value, ValueId scale);

/// \p value, the sum of two values that were uint8, as uint8 again, with the constants \p scale and \p zero.
OptionalValue sumOfBytes(Builder &build, ValueId value, ValueId scale, ValueId zero);

}  // namespace hone::frontend
