// What operators on quantised numbers share: real = (integer - zero) * scale. Pure functions on a builder.
#pragma once

#include <optional>

#include "compiler/frontend/build/conversion.h"
#include "compiler/frontend/onnx/node.h"

namespace hone::frontend {

/// A scale or a zero point: one element, or one for each of \p extent elements of dim \p axis, in a shape that
/// broadcasts to \p rank dims.
Result alongAxis(NodeContext &node, int position, int64_t axis, int64_t rank, int64_t extent);

/// An error unless operand \p position holds 8- or 16-bit integers.
absl::Status checkSmall(NodeContext &node, int position);

/// \p data - \p zero as int32.
Result centred(Builder &build, Result data, const std::optional<Result> &zero);

/// \p quotient rounded half to even, with \p zero added, as \p type; what is too large saturates.
Result quantised(Builder &build, Result quotient, const std::optional<Result> &zero, ElementType type,
                 Narrowing narrowing = {});

/// Small integers with the ratio of their scale to that of the sum they go into, and their zero point as float.
struct QuantisedSummand {
  ValueId integers;
  Result ratio, zero;
};
/// The sum, with \p zero, a float, as zero point of \p type: to the last bit as ONNX Runtime computes it.
Result quantisedSum(Builder &build, const QuantisedSummand &a, const QuantisedSummand &b, const Result &zero,
                    DType type);

/// Floats as 8-bit integers, with the scale that their range asks for.
struct DynamicallyQuantised {
  ValueId integers, scale, zero;
};
absl::StatusOr<DynamicallyQuantised> quantisedDynamically(Builder &build, ValueId x);

}  // namespace hone::frontend
