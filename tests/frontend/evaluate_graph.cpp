#include "tests/frontend/evaluate_graph.h"

#include <vector>

#include "compiler/base/status.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate_graph.h"

namespace hone::test {

absl::StatusOr<std::map<std::string, graph::Constant>> evaluateGraph(
    const graph::Graph &graph, const std::map<std::string, graph::Constant> &inputs) {
  std::vector<graph::Constant> operands;
  for (const graph::Port &port : graph.inputs) operands.push_back(inputs.at(port.name));
  HONE_ASSIGN_OR_RETURN(const std::vector<graph::Constant> results, graph::evaluateOutputs(graph, operands));
  std::map<std::string, graph::Constant> outputs;
  for (size_t i = 0; i < results.size() && !graph.outputs[i].isExtent; ++i) {
    const graph::Port &port = graph.outputs[i];
    graph::ConstantData truly = *results[i];
    for (size_t dim = 0; dim < port.extents.size(); ++dim) {
      if (port.extents[dim] < 0) continue;
      truly.type.shape[dim] = graph::elementAsInteger(*results[static_cast<size_t>(port.extents[dim])], 0);
    }
    // What is true comes first.
    truly.bytes.resize(static_cast<size_t>(truly.type.elements() * sizeOf(truly.type.dtype)));
    outputs[port.name] = std::make_shared<const graph::ConstantData>(std::move(truly));
  }
  return outputs;
}

}  // namespace hone::test
