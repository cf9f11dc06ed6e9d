// Evaluation of one node on constants, in plain C++: obvious rather than fast, deterministic, and without undefined
// behaviour for any operand (integers wrap, shifts and conversions saturate). Floats are computed in double and
// rounded once. For constant folding; what depends on an input is never evaluated here. Pure functions; thread-safe.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::graph {

/// The value of \p node, whose output has type \p type, on \p inputs (of the types that the node was verified with).
/// An error only for what depends on the data: a Gather index out of range. Of a
/// loop's nodes it is what they give in the first iteration, and evaluate_graph.h runs all of them.
absl::StatusOr<Constant> evaluate(const Node &node, const std::vector<Constant> &inputs, const TensorType &type);

/// About how many elementary steps evaluate() takes; for limits. Saturates far above any sensible limit,
/// where it is for states, ends and results of loops: they don't follow from their operands alone.
double evaluationSteps(const Node &node, const std::vector<TensorType> &inputs, const TensorType &type);

}  // namespace hone::graph
