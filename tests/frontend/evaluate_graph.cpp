#include "tests/frontend/evaluate_graph.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"

namespace hone::test {

absl::StatusOr<std::map<std::string, graph::Constant>> evaluateGraph(
    const graph::Graph &graph, const std::map<std::string, graph::Constant> &inputs) {
  std::vector<graph::Constant> values;
  for (const graph::Value &value : graph.values) values.push_back(value.constant);
  for (const graph::Port &port : graph.inputs) {
    const graph::Constant &input = inputs.at(port.name);
    if (input->type != graph.values[static_cast<size_t>(port.value)].type) {
      return absl::InvalidArgumentError(absl::StrCat("input '", port.name, "' has another type than the graph's"));
    }
    values[static_cast<size_t>(port.value)] = input;
  }
  for (const graph::Node &node : graph.nodes) {
    std::vector<graph::Constant> operands;
    for (graph::ValueId operand : node.inputs) operands.push_back(values[static_cast<size_t>(operand)]);
    const graph::TensorType &type = graph.values[static_cast<size_t>(node.output)].type;
    HONE_ASSIGN_OR_RETURN(values[static_cast<size_t>(node.output)], graph::evaluate(node, operands, type));
  }
  std::map<std::string, graph::Constant> outputs;
  for (const graph::Port &port : graph.outputs) {
    if (port.isExtent) continue;
    graph::ConstantData truly = *values[static_cast<size_t>(port.value)];
    for (size_t dim = 0; dim < port.extents.size(); ++dim) {
      if (port.extents[dim] < 0) continue;
      const graph::ValueId extent = graph.outputs[static_cast<size_t>(port.extents[dim])].value;
      truly.type.shape[dim] = graph::elementAsInteger(*values[static_cast<size_t>(extent)], 0);
    }
    // What is true comes first.
    truly.bytes.resize(static_cast<size_t>(truly.type.elements() * sizeOf(truly.type.dtype)));
    outputs[port.name] = std::make_shared<const graph::ConstantData>(std::move(truly));
  }
  return outputs;
}

}  // namespace hone::test
