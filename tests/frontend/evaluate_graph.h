// Evaluates whole graphs with the graph's own evaluator, node by node: for tests of small models. Thread-safe.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::test {

/// Outputs by name, with their true shapes, of \p graph for \p inputs by name (of the graph's own types).
absl::StatusOr<std::map<std::string, graph::Constant>> evaluateGraph(
    const graph::Graph &graph, const std::map<std::string, graph::Constant> &inputs);

}  // namespace hone::test
