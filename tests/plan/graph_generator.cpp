#include "tests/plan/graph_generator.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/graph/infer.h"

namespace hone::plan {

graph::Graph GraphGenerator::run(int nodes) {
  graph_.name = "random";
  const int inputs = below(2) + 1;
  for (int i = 0; i < inputs; ++i) addInput({DType::F32, i == 0 ? imageShape() : anyShape()});
  indices_ = graph_.addValue("indices", {DType::I64, {2, 3}});
  graph_.inputs.push_back({"indices", indices_});
  for (int tries = 0; static_cast<int>(graph_.nodes.size()) < nodes && tries < 20 * nodes; ++tries) addNode();
  chooseOutputs();
  return std::move(graph_);
}

void GraphGenerator::addInput(TensorType type) {
  const std::string name = absl::StrCat("x", graph_.inputs.size());
  const ValueId value = graph_.addValue(name, std::move(type));
  graph_.inputs.push_back({name, value});
  pool_.push_back(value);
}

graph::Shape GraphGenerator::imageShape() {
  static const int64_t kChannels[] = {2, 3, 6, 8, 10};
  return {1 + below(2), kChannels[below(5)], 3 + below(4), 3 + below(4)};
}

graph::Shape GraphGenerator::anyShape() {
  Shape result;
  const int rank = 1 + below(4);
  for (int i = 0; i < rank; ++i) result.push_back(1 + below(5));
  return result;
}

graph::ValueId GraphGenerator::constant(const Shape &shape) {
  std::vector<double> data(static_cast<size_t>(elements(shape)));
  for (double &element : data) element = (below(2001) - 1000) / 1000.0;
  return graph_.addConstant(absl::StrCat("c", constants_++), graph::makeConstant({DType::F32, shape}, data));
}

graph::ValueId GraphGenerator::pick() {
  if (chance(50)) return pool_[pool_.size() - 1 - static_cast<size_t>(below(std::min<int64_t>(3, std::ssize(pool_))))];
  return pool_[static_cast<size_t>(below(std::ssize(pool_)))];
}

void GraphGenerator::add(Op op, std::vector<ValueId> inputs, graph::Attributes attributes,
                         const std::optional<TensorType> &type) {
  std::vector<TensorType> types;
  for (ValueId input : inputs) types.push_back(graph_.values[static_cast<size_t>(input)].type);
  const auto inferred = graph::inferType(op, attributes, types, type);
  if (!inferred.ok() || inferred->elements() > kMaxElements || inferred->elements() == 0) return;
  const ValueId value =
      graph_.add(op, std::move(inputs), std::move(attributes), absl::StrCat("node", graph_.nodes.size()), type);
  if (inferred->dtype == DType::F32) pool_.push_back(value);
}

void GraphGenerator::addNode() {
  if (mayLoop_ && depth_ < 2 && chance(15)) return addLoop();
  const ValueId x = pick();
  switch (below(20)) {
    case 0:
    case 1:
    case 2:
      return addBinary(x);
    case 3:
      return addUnary(x);
    case 4:
      return addSelect(x);
    case 5:
    case 6:
      return addConv(x);
    case 7:
      return addPool(x);
    case 8:
    case 9:
      return addMatMul(x);
    case 10:
      return addReduce(x);
    case 11:
      return addNorm(x);
    case 12:
      return addReshape(x);
    case 13:
      return addTranspose(x);
    case 14:
      return addSlice(x);
    case 15:
      return addPad(x);
    case 16:
      return addGather(x);
    case 17:
    case 18:
      return addCompute(x);
    default:
      return chance(50) ? addConcat(x) : addBroadcast(x);
  }
}

void GraphGenerator::chooseOutputs() {
  std::vector<bool> used(graph_.values.size(), false);
  for (const graph::Node &node : graph_.nodes) {
    for (ValueId input : node.inputs) used[static_cast<size_t>(input)] = true;
  }
  const auto addOutput = [&](ValueId value) {
    graph_.outputs.push_back({absl::StrCat("y", graph_.outputs.size()), value});
  };
  for (const graph::Node &node : graph_.nodes) {
    if (hidden_.count(node.output) != 0) continue;
    // Near a tie rounding decides a comparison; what is selected by it does not jump.
    if (graph_.values[static_cast<size_t>(node.output)].type.dtype == DType::Bool) continue;
    if (!used[static_cast<size_t>(node.output)] || chance(10)) addOutput(node.output);
  }
  if (graph_.outputs.empty() || chance(10)) addOutput(pool_[0]);
  if (chance(10)) addOutput(graph_.outputs[0].value);
}

}  // namespace hone::plan
