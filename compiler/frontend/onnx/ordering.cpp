// Operators that compare or add up the elements along an axis: cumulative sums and products, positions of extremes.
#include "compiler/frontend/onnx/ordering.h"

#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::KernelBuilder;
using tensor::Scalar;

// Totals along this many axes at most are computed to choose one at run time.
constexpr int64_t kMostChoices = 4;

Scalar integer(int64_t value, DType dtype) { return tensor::number(static_cast<double>(value), dtype); }

/// What is accumulated along an axis, and how.
struct Accumulation {
  ScalarOp op = ScalarOp::Add;  ///< or Mul
  bool exclusive = false, reverse = false;
};

// The axis is a scan dim; the total so far is kept beside the result, in float where elements are shorter.
Result accumulated(Builder &build, ValueId data, int64_t axis, const Accumulation &how) {
  const DType dtype = build.dtype(data), accumulator = accumulatorOf(dtype);
  const Shape shape = build.shape(data);
  const auto along = static_cast<size_t>(axis);
  const Shape rows = withoutAxis(shape, along);

  const bool isSum = how.op == ScalarOp::Add;
  KernelBuilder b(isSum ? "cumsum" : "cumprod");
  const int x = b.input("data", shape, dtype), total = b.temporary("total", rows, accumulator);
  const int y = b.output("result", shape, dtype);
  const StageDims start = dimsOver(rows, "r"), all = dimsOver(shape, "i", {along});
  const Indices row = withoutAxis(all.at, along);
  const tensor::Index step = !how.reverse ? all.at[along] : all.at[along] * -1 + (shape[along] - 1);
  const Indices element = withIndex(all.at, along, step);
  b.begin("start", start.dims);
  b.put(integer(isSum ? 0 : 1, accumulator), total, start.at);
  const auto add = [&] {
    b.begin("add", all.dims);
    const Scalar sofar = b.get(total, row), next = tensor::cast(accumulator, b.get(x, element));
    b.put(tensor::apply(how.op, {sofar, next}), total, row);
  };
  const auto keep = [&] {
    b.begin("keep", all.dims);
    b.put(b.get(total, row), y, element);
  };
  if (!how.exclusive) add();
  keep();
  if (how.exclusive) add();
  // Behind the true elements is what changes no total: it comes first when the axis is taken backwards.
  HONE_ASSIGN_OR_RETURN(ValueId filled, build.withoutPadding(data, {axis}, build.number(dtype, isSum ? 0 : 1)));
  return build.computeBounded(b.finish(), {filled}, build.allExtents(data));
}

Result importExtremePosition(NodeContext &node, bool isMaximum) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 0));
  HONE_ASSIGN_OR_RETURN(int64_t keepDims, node.integer("keepdims", 1));
  HONE_ASSIGN_OR_RETURN(int64_t isLast, node.integer("select_last_index", 0));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  const Shape shape = node.shape(0);
  Result place = extremePosition(node.build, node.input(0), axis, isMaximum, isLast != 0);
  return keepDims != 0 ? place : node.build.reshape(place, withoutAxis(shape, static_cast<size_t>(axis)));
}

}  // namespace

Result cumulativeSum(Builder &build, ValueId data, int64_t axis) { return accumulated(build, data, axis, {}); }

Scalar precedes(const Scalar &a, const Scalar &b, bool descending) {
  const Scalar better = descending ? tensor::less(b, a) : tensor::less(a, b);
  if (!isFloat(a->dtype)) return better;
  const Scalar aIsNan = tensor::apply(ScalarOp::IsNan, {a}), bIsNan = tensor::apply(ScalarOp::IsNan, {b});
  return tensor::either(better, tensor::both(aIsNan, tensor::negation(bIsNan)));
}

Scalar ties(const Scalar &a, const Scalar &b) {
  if (!isFloat(a->dtype)) return tensor::equal(a, b);
  const Scalar areNan = tensor::both(tensor::apply(ScalarOp::IsNan, {a}), tensor::apply(ScalarOp::IsNan, {b}));
  return tensor::either(tensor::equal(a, b), areNan);
}

Result extremePosition(Builder &build, ValueId data, int64_t axis, bool isMaximum, bool isLast) {
  const DType dtype = build.dtype(data);
  if (dtype == DType::Bool) return invalid("does not take bool");
  const Shape &shape = build.shape(data);
  const auto along = static_cast<size_t>(axis);
  Shape kept = shape;
  kept[along] = 1;
  if (shape[along] == 0 && graph::TensorType{dtype, kept}.elements() > 0) {
    return invalid("axis ", axis, " of ", graph::typeText(build.type(data)), " has no elements to compare");
  }
  const DType counted = shape[along] <= std::numeric_limits<int32_t>::max() ? DType::I32 : DType::I64;

  KernelBuilder b(isMaximum ? "argmax" : "argmin");
  const int x = b.input("data", shape, dtype);
  const int best = b.temporary("best", kept, dtype), place = b.output("place", kept, DType::I64);
  const StageDims all = dimsOver(shape, "i", {}, {along});
  b.begin("extreme", all.dims);
  const tensor::CombinerKind order = isMaximum ? tensor::CombinerKind::Max : tensor::CombinerKind::Min;
  const Scalar oldValue = tensor::accumulator(0, dtype), newValue = tensor::element(0, dtype);
  const Scalar oldPlace = tensor::accumulator(1, counted), newPlace = tensor::element(1, counted);
  const Scalar winsTie = isLast ? tensor::less(oldPlace, newPlace) : tensor::less(newPlace, oldPlace);
  const Scalar wins =
      tensor::either(precedes(newValue, oldValue, isMaximum), tensor::both(ties(newValue, oldValue), winsTie));
  const Scalar none = isLast ? integer(-1, counted) : tensor::identity(tensor::CombinerKind::Min, counted);
  b.fold({tensor::select(wins, newValue, oldValue), tensor::select(wins, newPlace, oldPlace)},
         {tensor::identity(order, dtype), none});
  const Indices target = withIndex(all.at, along, tensor::constant(0));
  b.put(b.get(x, all.at), best, target);
  b.put(tensor::cast(counted, tensor::indexValue(all.at[along])), place, target);
  const Scalar last = tensor::identity(order, dtype);
  const Result fill = isFloat(dtype) ? build.number(dtype, last->number) : build.integer(dtype, last->integer);
  HONE_ASSIGN_OR_RETURN(ValueId filled, build.withoutPadding(data, {axis}, fill));
  Extents extents = build.allExtents(data);
  extents[along] = -1;
  return build.computeBounded(b.finish(), {filled}, std::move(extents));
}

Result importArgMax(NodeContext &node) { return importExtremePosition(node, true); }
Result importArgMin(NodeContext &node) { return importExtremePosition(node, false); }

// 1 at the first of the largest elements. Before version 13 all dims from the axis on are one. What is beyond true
// extents is never larger than the first element, which is true.
Result importHardmax(NodeContext &node) {
  Builder &build = node.build;
  const bool isFlattening = node.version() < 13;
  const int64_t rank = node.rank(0);
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", isFlattening ? 1 : -1));
  const Shape shape = node.shape(0);
  if (isFlattening && axis == rank) return invalid("axis ", axis, " leaves nothing to compare");
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, rank));
  if (!isFloat(node.dtype(0))) return invalid("takes floats");
  if (build.type(node.input(0)).elements() == 0) return node.input(0);
  const Extents extents = build.allExtents(node.input(0));
  std::vector<int64_t> compared(static_cast<size_t>(isFlattening ? rank - axis : 1));
  std::iota(compared.begin(), compared.end(), axis);
  const Result least = build.number(node.dtype(0), -std::numeric_limits<double>::infinity());
  Result data = build.asBounds(build.withoutPadding(node.input(0), compared, least), shape);
  if (isFlattening) {
    const auto multiply = std::multiplies<int64_t>();
    const int64_t outer = std::accumulate(shape.begin(), shape.begin() + axis, int64_t{1}, multiply);
    const int64_t inner = std::accumulate(shape.begin() + axis, shape.end(), int64_t{1}, multiply);
    data = build.reshape(data, {outer, inner});
    axis = 1;
  }
  HONE_ASSIGN_OR_RETURN(ValueId flat, data);
  const int64_t extent = build.shape(flat)[static_cast<size_t>(axis)];
  Result place = extremePosition(build, flat, axis, true, false);
  Result all = positions(build, DType::I64, extent, build.rank(flat) - axis - 1);
  Result result = build.cast(build.apply(ScalarOp::Equal, {place, all}), node.dtype(0));
  return build.bounded(build.reshape(result, shape), extents);
}

namespace {

Result importAccumulation(NodeContext &node, ScalarOp op) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t exclusive, node.integer("exclusive", 0));
  HONE_ASSIGN_OR_RETURN(int64_t reverse, node.integer("reverse", 0));
  const Accumulation how = {op, exclusive != 0, reverse != 0};
  if (node.dtype(0) == DType::Bool) return invalid("does not take bool");
  const int64_t rank = node.rank(0);
  if (!isInteger(node.dtype(1)) || build.type(node.input(1)).elements() != 1) {
    return invalid("operand 1 (axis) is ", graph::typeText(build.type(node.input(1))), ", not one integer");
  }
  if (build.constant(node.input(1)) != nullptr) {
    HONE_ASSIGN_OR_RETURN(int64_t axis, node.constantInteger(1, "axis"));
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, rank));
    return accumulated(build, node.input(0), axis, how);
  }
  // Which axis it is shows at run time only: the totals along all of them are there to choose from.
  if (rank < 1 || rank > kMostChoices) return unsupported("an axis that is computed, among ", rank);
  Result axis = build.cast(build.reshape(node.input(1), {}), DType::I64);
  axis = build.apply(ScalarOp::FloorMod, {axis, build.integer(DType::I64, rank)});
  Result chosen = accumulated(build, node.input(0), 0, how);
  for (int64_t i = 1; i < rank; ++i) {
    Result isThis = build.apply(ScalarOp::Equal, {axis, build.integer(DType::I64, i)});
    chosen = build.apply(ScalarOp::Select, {isThis, accumulated(build, node.input(0), i, how), chosen});
  }
  return chosen;
}

}  // namespace

Result importCumSum(NodeContext &node) { return importAccumulation(node, ScalarOp::Add); }
Result importCumProd(NodeContext &node) { return importAccumulation(node, ScalarOp::Mul); }

}  // namespace hone::frontend
