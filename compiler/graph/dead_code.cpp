#include <utility>
#include <vector>

#include "compiler/graph/passes.h"
#include "compiler/graph/rewriter.h"

namespace hone::graph {

absl::Status removeDeadCode(Graph &graph) {
  removeDeadNodes(graph);
  std::vector<ValueId> ids(graph.values.size(), -1);
  std::vector<Value> values;
  auto keep = [&](ValueId &value) {
    ValueId &id = ids[static_cast<size_t>(value)];
    if (id < 0) {
      id = static_cast<ValueId>(values.size());
      values.push_back(std::move(graph.values[static_cast<size_t>(value)]));
    }
    value = id;
  };
  for (Port &port : graph.inputs) keep(port.value);
  for (Node &node : graph.nodes) {
    for (ValueId &input : node.inputs) keep(input);
    keep(node.output);
  }
  for (Port &port : graph.outputs) keep(port.value);
  graph.values = std::move(values);
  return absl::OkStatus();
}

}  // namespace hone::graph
