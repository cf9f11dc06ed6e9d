// The passes over the graph. Each keeps what the graph computes (up to rounding) and its interface, and leaves it
// well-formed; pipeline.h says in which order they run. Each works on one graph by one thread.
#pragma once

#include "absl/status/status.h"
#include "compiler/graph/graph.h"

namespace hone::graph {

/// Removes nodes and values that no output needs, and gives the others new ids. Inputs stay in the interface.
absl::Status removeDeadCode(Graph &graph);

/// Replaces nodes whose operands are all constant by constants, as long as that neither bloats the graph nor takes
/// long. Fails on what cannot be computed, which is the model's fault.
absl::Status foldConstants(Graph &graph);

/// Rewrites nodes by the rules of simplify_rules.h.
absl::Status simplify(Graph &graph);

/// Makes equal computations and equal constants one.
absl::Status mergeCommonSubexpressions(Graph &graph);

/// exp(x - max(x)) / sum(exp(x - max(x))) and its relatives become Softmax and LogSoftmax.
absl::Status recognizeSoftmax(Graph &graph);

/// (x - mean(x)) / sqrt(variance(x) + epsilon) * scale + shift and its relatives become LayerNorm.
absl::Status recognizeLayerNorm(Graph &graph);

/// Multiplications and additions by constants around convolutions and matrix products, such as batch norms leave
/// them, move into weights and biases.
absl::Status foldScales(Graph &graph);

}  // namespace hone::graph
