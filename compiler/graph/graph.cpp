#include "compiler/graph/graph.h"

#include <array>
#include <cassert>
#include <string_view>
#include <utility>

#include "compiler/graph/infer.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::graph {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, static_cast<size_t>(Op::LoopResult) + 1> kOpNames = {
    "elementwise", "cast",      "conv",    "pool",       "matmul",       "reduce",   "softmax",
    "logsoftmax",  "layernorm", "reshape", "transpose",  "broadcast",    "concat",   "slice",
    "pad",         "gather",    "compute", "loop_state", "loop_collect", "loop_end", "loop_result"};

}  // namespace

bool ComputeAttributes::operator==(const ComputeAttributes &other) const {
  if (kernel == nullptr || other.kernel == nullptr || kernel == other.kernel) return kernel == other.kernel;
  return tensor::print(tensor::canonical(*kernel)) == tensor::print(tensor::canonical(*other.kernel));
}

int64_t TensorType::elements() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

ValueId Graph::addValue(std::string name, TensorType type) {
  values.push_back({std::move(name), std::move(type), nullptr});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::addConstant(std::string name, Constant constant) {
  TensorType type = constant->type;
  values.push_back({std::move(name), std::move(type), std::move(constant)});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add(Op op, std::vector<ValueId> inputs, Attributes attributes, std::string name,
                   std::optional<TensorType> type) {
  std::vector<TensorType> types;
  types.reserve(inputs.size());
  for (ValueId input : inputs) types.push_back(values.at(static_cast<size_t>(input)).type);
  absl::StatusOr<TensorType> inferred = inferType(op, attributes, types, type);
  assert(inferred.ok() && "the inputs do not fit the op");
  // In release builds, too, a caller's mistake ends here: dereferencing an error aborts with its message.
  ValueId output = addValue("", *std::move(inferred));
  nodes.push_back({op, std::move(inputs), output, std::move(attributes), std::move(name)});
  return output;
}

std::string opName(const Node &node) {
  const auto *elementwise = std::get_if<ElementwiseAttributes>(&node.attributes);
  if (node.op == Op::Elementwise && elementwise != nullptr) {
    return std::string(hone::name(elementwise->op));
  }
  const auto *compute = std::get_if<ComputeAttributes>(&node.attributes);
  if (compute != nullptr && compute->kernel != nullptr) return compute->kernel->name;
  return std::string(kOpNames.at(static_cast<size_t>(node.op)));
}

}  // namespace hone::graph
