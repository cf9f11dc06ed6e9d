#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/graph/passes.h"
#include "compiler/graph/print.h"
#include "compiler/graph/rewriter.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::graph {
namespace {

/// Orders constants by type, then by bytes, so that equal ones meet; different weights differ early.
struct ByContent {
  bool operator()(const ConstantData *a, const ConstantData *b) const {
    auto key = [](const ConstantData *data) { return std::tie(data->type.dtype, data->type.shape); };
    if (key(a) != key(b)) return key(a) < key(b);
    return a->bytes.text() < b->bytes.text();
  }
};

/// The op and its attributes; of a kernel without the names that people gave to its parts.
std::string computationOf(const Node &node) {
  const auto *compute = std::get_if<ComputeAttributes>(&node.attributes);
  if (compute != nullptr) return tensor::print(tensor::canonical(*compute->kernel));
  return absl::StrCat(opName(node), attributesText(node));
}

/// Equal for two nodes exactly when they compute the same.
std::string keyOf(const Graph &graph, const Node &node) {
  std::vector<ValueId> inputs = node.inputs;
  bool commutes = node.op == Op::Elementwise && isCommutative(std::get<ElementwiseAttributes>(node.attributes).op);
  if (commutes) std::sort(inputs.begin(), inputs.end());
  return absl::StrCat(computationOf(node), "(", absl::StrJoin(inputs, ","), ")",
                      typeText(graph.values[static_cast<size_t>(node.output)].type));
}

}  // namespace

absl::Status mergeCommonSubexpressions(Graph &graph) {
  std::vector<ValueId> same(graph.values.size());
  std::map<const ConstantData *, ValueId, ByContent> constants;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    auto id = static_cast<ValueId>(i);
    const Constant &constant = graph.values[i].constant;
    same[i] = constant ? constants.emplace(constant.get(), id).first->second : id;
  }
  std::map<std::string, ValueId> computed;
  for (Node &node : graph.nodes) {
    for (ValueId &input : node.inputs) input = same[static_cast<size_t>(input)];
    same[static_cast<size_t>(node.output)] = computed.emplace(keyOf(graph, node), node.output).first->second;
  }
  for (Port &port : graph.outputs) port.value = same[static_cast<size_t>(port.value)];
  removeDeadNodes(graph);
  return absl::OkStatus();
}

}  // namespace hone::graph
