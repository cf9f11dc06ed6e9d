#include "compiler/frontend/build/bounded_dims.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"

namespace hone::frontend {
namespace {

using graph::Constant;
using graph::Op;

// Shapes are short; longer lists are data.
constexpr int64_t kMostNumbers = 64;

/// Ops that only move elements: what is known moves with them.
bool moves(Op op) {
  return op == Op::Reshape || op == Op::Transpose || op == Op::Broadcast || op == Op::Concat || op == Op::Slice ||
         op == Op::Gather;
}

bool isNeverBelow(const Constant &constant, double least) {
  for (int64_t i = 0; i < constant->type.elements(); ++i) {
    if (graph::elementAsDouble(*constant, i) < least) return false;
  }
  return true;
}

std::optional<Constant> evaluated(const graph::Node &node, const std::vector<Constant> &inputs,
                                  const graph::TensorType &type) {
  absl::StatusOr<Constant> result = graph::evaluate(node, inputs, type);
  if (!result.ok()) return std::nullopt;
  return *std::move(result);
}

std::optional<Constant> elementwise(ScalarOp op, const std::vector<Constant> &inputs, const graph::TensorType &type) {
  graph::Node node;
  node.op = Op::Elementwise;
  node.attributes = graph::ElementwiseAttributes{op};
  return evaluated(node, inputs, type);
}

std::optional<KnownNumbers> moved(const graph::Node &node, const std::vector<KnownNumbers> &known,
                                  const graph::TensorType &type) {
  std::vector<Constant> low, high, origin;
  for (const KnownNumbers &numbers : known) {
    low.push_back(numbers.low);
    high.push_back(numbers.high);
    origin.push_back(numbers.origin);
  }
  if (node.op == Op::Gather) {
    if (known[1].low->bytes != known[1].high->bytes) return std::nullopt;
    origin[1] = low[1];
  }
  const auto lows = evaluated(node, low, type), highs = evaluated(node, high, type);
  const auto origins = evaluated(node, origin, {DType::I64, type.shape});
  if (!lows || !highs || !origins) return std::nullopt;
  return KnownNumbers{*lows, *highs, *origins};
}

/// Of functions that are monotone in each operand the extremes are at the ends of the ranges.
std::optional<KnownNumbers> atEnds(const graph::Node &node, const std::vector<KnownNumbers> &known,
                                   const graph::TensorType &type) {
  std::optional<Constant> low, high;
  for (size_t ends = 0; ends < (size_t{1} << known.size()); ++ends) {
    std::vector<Constant> inputs;
    for (size_t i = 0; i < known.size(); ++i) inputs.push_back((ends >> i & 1) != 0 ? known[i].high : known[i].low);
    const std::optional<Constant> value = evaluated(node, inputs, type);
    if (!value) return std::nullopt;
    low = low ? elementwise(ScalarOp::Min, {*low, *value}, type) : value;
    high = high ? elementwise(ScalarOp::Max, {*high, *value}, type) : value;
  }
  if (!low || !high) return std::nullopt;
  return KnownNumbers{*low, *high, graph::makeFilled({DType::I64, type.shape}, -1)};
}

bool isMonotone(const graph::Node &node, const std::vector<KnownNumbers> &known) {
  if (const auto *reduce = std::get_if<graph::ReduceAttributes>(&node.attributes)) {
    if (reduce->kind == graph::ReduceKind::Product) return isNeverBelow(known[0].low, 0);
    return reduce->kind != graph::ReduceKind::Mean;
  }
  const auto *function = std::get_if<graph::ElementwiseAttributes>(&node.attributes);
  if (function == nullptr) return false;
  switch (function->op) {
    case ScalarOp::Add:
    case ScalarOp::Sub:
    case ScalarOp::Mul:
    case ScalarOp::Min:
    case ScalarOp::Max:
    case ScalarOp::Neg:
    case ScalarOp::Floor:
    case ScalarOp::Ceil:
    case ScalarOp::Round:
      return true;
    case ScalarOp::Div:
      return isNeverBelow(known[1].low, 1);
    default:
      return false;
  }
}

bool isSelect(const graph::Node &node) {
  const auto *function = std::get_if<graph::ElementwiseAttributes>(&node.attributes);
  return function != nullptr && function->op == ScalarOp::Select;
}

}  // namespace

const Extents &BoundedDims::extents(graph::ValueId value) const {
  static const Extents kNone;
  const auto found = extents_.find(value);
  return found == extents_.end() ? kNone : found->second;
}

void BoundedDims::setExtents(graph::ValueId value, Extents extents) { extents_[value] = std::move(extents); }

const KnownNumbers *BoundedDims::numbers(graph::ValueId value) const {
  const auto found = numbers_.find(value);
  return found == numbers_.end() ? nullptr : &found->second;
}

void BoundedDims::setNumbers(graph::ValueId value, KnownNumbers numbers) { numbers_[value] = std::move(numbers); }

void BoundedDims::boundCounts(graph::ValueId value, const graph::TensorType &type, int64_t most) {
  if (type.elements() > kMostNumbers || numbers(value) != nullptr) return;
  const auto filled = [&](int64_t number) {
    return graph::makeConstant(type, std::vector<int64_t>(static_cast<size_t>(type.elements()), number));
  };
  setNumbers(value, {filled(0), filled(most), graph::makeFilled({DType::I64, type.shape}, -1)});
}

void BoundedDims::derive(const graph::Graph &graph, const graph::Node &node) {
  const graph::TensorType &type = graph.values[static_cast<size_t>(node.output)].type;
  if (type.elements() > kMostNumbers || type.dtype == DType::Bool || numbers_.empty()) return;
  std::vector<KnownNumbers> known;
  bool isNews = false;
  for (size_t i = isSelect(node) ? 1 : 0; i < node.inputs.size(); ++i) {
    const graph::Value &input = graph.values[static_cast<size_t>(node.inputs[i])];
    if (const KnownNumbers *numbers = this->numbers(node.inputs[i])) {
      known.push_back(*numbers);
      isNews = true;
    } else if (input.constant != nullptr && input.type.elements() <= kMostNumbers) {
      const Constant none = graph::makeFilled({DType::I64, input.type.shape}, -1);
      known.push_back({input.constant, input.constant, none});
    } else {
      return;
    }
  }
  if (!isNews) return;
  std::optional<KnownNumbers> result;
  if (moves(node.op)) {
    result = moved(node, known, type);
  } else if (node.op == Op::Cast) {
    result = atEnds(node, known, type);
    if (result && isInteger(type.dtype)) result->origin = known[0].origin;
  } else if (isSelect(node)) {
    graph::Node broadcast;
    broadcast.op = Op::Broadcast;
    for (KnownNumbers &numbers : known) {
      const auto low = evaluated(broadcast, {numbers.low}, type), high = evaluated(broadcast, {numbers.high}, type);
      if (!low || !high) return;
      numbers.low = *low;
      numbers.high = *high;
    }
    const auto low = elementwise(ScalarOp::Min, {known[0].low, known[1].low}, type);
    const auto high = elementwise(ScalarOp::Max, {known[0].high, known[1].high}, type);
    if (low && high) result = KnownNumbers{*low, *high, graph::makeFilled({DType::I64, type.shape}, -1)};
  } else if (isMonotone(node, known)) {
    result = atEnds(node, known, type);
  }
  if (result) numbers_[node.output] = *std::move(result);
}

}  // namespace hone::frontend
