// Type inference: the type of an op's output from its inputs' types and its attributes. The one place that knows
// which operands an op accepts: Graph::add, the verifier and frontends (for models that may be wrong) all ask here.
// Pure functions; thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::graph {

/// Tensors are refused beyond this size, so that products of extents cannot overflow.
inline constexpr int64_t kMaximumElements = int64_t{1} << 40;

/// \p given is the wanted type for Cast, Reshape, Broadcast, Slice and LoopState, which cannot do without, and must
/// agree with what is inferred for all others. The error is a sentence about the operands, beginning with the op's
/// name.
absl::StatusOr<TensorType> inferType(Op op, const Attributes &attributes, const std::vector<TensorType> &inputs,
                                     const std::optional<TensorType> &given = std::nullopt);

/// Extents not negative and no more than kMaximumElements elements; for types that come from outside.
absl::Status checkType(const TensorType &type);

/// Numpy's rule for two operands; empty when they do not fit.
std::optional<Shape> broadcastShapes(const Shape &a, const Shape &b);
/// Whether a tensor of shape \p from fits where one of shape \p to is wanted.
bool broadcastsTo(const Shape &from, const Shape &to);

}  // namespace hone::graph
