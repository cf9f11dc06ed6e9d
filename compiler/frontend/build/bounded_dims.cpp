#include "compiler/frontend/build/bounded_dims.h"

#include <algorithm>
#include <cmath>
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

/// Beyond this sums and products are not followed; the ends of both would be wrong.
constexpr double kLargestNumber = (int64_t{1} << 31) - 1;

double largestOf(const Constant &constant, int64_t i) { return std::fabs(graph::elementAsDouble(*constant, i)); }

/// Whether integers might leave their type, so that the ends of ranges say nothing.
bool mayWrap(const graph::Node &node, const std::vector<KnownNumbers> &known, const graph::TensorType &type) {
  if (!isInteger(type.dtype) || moves(node.op) || isSelect(node)) return false;
  if (node.op == Op::Cast) return !hasRange(type.dtype);
  if (const auto *function = std::get_if<graph::ElementwiseAttributes>(&node.attributes)) {
    if (function->op == ScalarOp::Min || function->op == ScalarOp::Max) return false;
  }
  // Those of one element, and sums and products of all.
  const auto *reduce = std::get_if<graph::ReduceAttributes>(&node.attributes);
  const bool isProduct = reduce != nullptr && reduce->kind == graph::ReduceKind::Product;
  const bool isSum = reduce != nullptr && reduce->kind == graph::ReduceKind::Sum;
  const double largest = type.dtype == DType::I64 ? kLargestNumber : hasRange(type.dtype) ? 1 << 15 : 0;
  for (const KnownNumbers &numbers : known) {
    double all = isProduct ? 1 : 0;
    for (int64_t i = 0; i < numbers.low->type.elements(); ++i) {
      const double most = std::max(largestOf(numbers.low, i), largestOf(numbers.high, i));
      all = isProduct ? all * std::max(most, 1.0) : isSum ? all + most : std::max(all, most);
    }
    if (all > largest) return true;
  }
  return false;
}

/// \p range of the elements of \p type, each by itself: of integers both of whose ends are known.
std::optional<KnownNumbers> asNumbers(const NumberRange &range, graph::ValueId value, const graph::TensorType &type) {
  if (type.dtype != DType::I64 || type.elements() > kMostNumbers) return std::nullopt;
  const auto isFinite = [](double end) { return std::isfinite(end); };
  if (!std::all_of(range.low.begin(), range.low.end(), isFinite)) return std::nullopt;
  if (!std::all_of(range.high.begin(), range.high.end(), isFinite)) return std::nullopt;
  const NumberRange all = spreadTo(range, type.shape);
  const Constant origin = graph::makeFilled({DType::I64, type.shape}, type.shape.empty() ? value : -1);
  return KnownNumbers{graph::makeConstant(type, all.low), graph::makeConstant(type, all.high), origin, true};
}

NumberRange asRange(const KnownNumbers &numbers) {
  const NumberRange low = rangeOfConstant(*numbers.low), high = rangeOfConstant(*numbers.high);
  return {low.shape, low.low, high.high};
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
  deriveNumbers(graph, node);
  if (numbers(node.output) == nullptr) deriveRange(graph, node);
}

void BoundedDims::deriveNumbers(const graph::Graph &graph, const graph::Node &node) {
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
  if (!isNews || mayWrap(node, known, type)) return;
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
  if (!result) return;
  result->isOfData =
      std::any_of(known.begin(), known.end(), [](const KnownNumbers &numbers) { return numbers.isOfData; });
  numbers_[node.output] = *std::move(result);
}

std::optional<NumberRange> BoundedDims::rangeOfValue(const graph::Graph &graph, graph::ValueId value) const {
  const auto found = ranges_.find(value);
  if (found != ranges_.end()) return found->second;
  const KnownNumbers *known = numbers(value);
  if (known != nullptr && hasRange(known->low->type.dtype)) return asRange(*known);
  const Constant &constant = graph.values[static_cast<size_t>(value)].constant;
  if (constant != nullptr && constant->type.elements() <= kMostNumbers) return rangeOfConstant(*constant);
  return std::nullopt;
}

void BoundedDims::deriveRange(const graph::Graph &graph, const graph::Node &node) {
  const graph::TensorType &type = graph.values[static_cast<size_t>(node.output)].type;
  if (!hasRange(type.dtype) || node.op == Op::Compute) return;
  std::vector<NumberRange> operands;
  std::vector<graph::TensorType> types;
  bool isNews = false;
  for (const graph::ValueId input : node.inputs) {
    types.push_back(graph.values[static_cast<size_t>(input)].type);
    std::optional<NumberRange> known = rangeOfValue(graph, input);
    isNews = isNews || known;
    operands.push_back(known ? *std::move(known) : anyNumbers(types.back()));
  }
  if (!isNews) return;
  const bool isGather = node.op == Op::Gather;
  const Constant indices = isGather ? graph.values[static_cast<size_t>(node.inputs[1])].constant : nullptr;
  std::optional<NumberRange> range = rangeOf(node, operands, types, type, indices.get());
  if (!range) return;
  if (std::optional<KnownNumbers> numbers = asNumbers(*range, node.output, type)) {
    numbers_[node.output] = *std::move(numbers);
  } else {
    ranges_[node.output] = *std::move(range);
  }
}

}  // namespace hone::frontend
