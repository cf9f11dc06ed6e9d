// TopK: a merge sort of positions whose runs are cut off after k elements.
//
// A first kernel orders blocks of a few elements by counting, for each, how many others of its block come before it.
// Each further kernel merges pairs of runs, all pairs side by side; the steps of a merge are a scan dim. Only positions
// move: values are looked up through them, and taken at the end. Equal elements keep their order.
#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/ordering.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;

// Counting costs a block's square, merging a step per element and pass: they meet about here.
constexpr int64_t kBlock = 32;

/// [rows, n] to sort along n, of which `wanted` are.
struct Rows {
  ValueId data;
  int64_t count, length, wanted;
  DType dtype;
  bool descending;
};

/// Runs of positions: run p is of elements [p * span, (p + 1) * span), of which the first `kept` are there.
struct Runs {
  Result positions;  // i32 [rows, count, kept]
  int64_t count, span, kept;
};

Scalar index(const Index &index) { return tensor::indexValue(index); }

/// What is compared instead of \p value: NaN is like the number that comes first, as numpy has it for the largest.
Scalar keyOf(const Scalar &value, bool descending) {
  if (!isFloat(value->dtype)) return value;
  const auto order = descending ? tensor::CombinerKind::Min : tensor::CombinerKind::Max;
  return tensor::select(tensor::apply(ScalarOp::IsNan, {value}), tensor::identity(order, value->dtype), value);
}

Scalar precedesByKey(const Scalar &a, const Scalar &b, bool descending) {
  return descending ? tensor::less(b, a) : tensor::less(a, b);
}

Runs sortBlocks(Builder &build, const Rows &rows) {
  const int64_t span = rows.length <= 2 * kBlock ? rows.length : kBlock;
  const int64_t count = (rows.length + span - 1) / span, kept = std::min(span, rows.wanted), last = rows.length - 1;
  KernelBuilder b("topk_blocks");
  const int x = b.input("data", {rows.count, rows.length}, rows.dtype);
  const int key = b.temporary("key", {rows.count, count, span}, rows.dtype);
  const int rank = b.temporary("rank", {rows.count, count, span}, DType::I32);
  const int y = b.output("positions", {rows.count, count, kept}, DType::I32);
  const Index r = tensor::dim(0), p = tensor::dim(1), j = tensor::dim(2), q = tensor::dim(3);
  const Index own = p * span + j;
  std::vector<tensor::Dim> dims = {tensor::parallel("r", rows.count), tensor::parallel("p", count),
                                   tensor::parallel("j", span)};
  b.begin("key", dims);
  if (rows.length % span == 0) {
    b.put(keyOf(b.get(x, {r, own}), rows.descending), key, {r, p, j});
  } else {
    // What is not there, in the last block, comes last.
    const auto order = rows.descending ? tensor::CombinerKind::Max : tensor::CombinerKind::Min;
    const Scalar isThere = tensor::less(index(own), index(tensor::constant(rows.length)));
    b.put(tensor::select(isThere, keyOf(b.get(x, {r, own}, 0), rows.descending), tensor::identity(order, rows.dtype)),
          key, {r, p, j});
  }
  dims.push_back(tensor::reduce("q", span));
  b.begin("rank", dims);
  b.fold(tensor::CombinerKind::Sum);
  const Scalar a = b.get(key, {r, p, q}), c = b.get(key, {r, p, j});
  const Scalar isEarlier = tensor::less(tensor::cast(DType::I32, index(q)), tensor::cast(DType::I32, index(j)));
  const Scalar isBefore =
      tensor::either(precedesByKey(a, c, rows.descending), tensor::both(tensor::equal(a, c), isEarlier));
  b.put(tensor::cast(DType::I32, isBefore), rank, {r, p, j});
  dims.pop_back();
  b.begin("place", dims);
  // What lies behind the data goes behind the run, as do all but the first: such writes are dropped.
  const Index beyond = tensor::clamp(own + -last, 0, 1) * span;
  b.put(tensor::cast(DType::I32, index(own)), y, {r, p, tensor::load(rank, {r, p, j}) + beyond});
  return {build.compute(b.finish(), {rows.data}), count, span, kept};
}

Runs mergePairs(Builder &build, const Rows &rows, const Runs &runs) {
  const int64_t count = (runs.count + 1) / 2, kept = std::min(2 * runs.span, rows.wanted);
  KernelBuilder b("topk_merge");
  const int x = b.input("data", {rows.count, rows.length}, rows.dtype);
  const int from = b.input("runs", {rows.count, runs.count, runs.kept}, DType::I32);
  const int left = b.temporary("left", {rows.count, count}, DType::I32);
  const int isLeft = b.temporary("is_left", {rows.count, count}, DType::I32);
  const int y = b.output("positions", {rows.count, count, kept}, DType::I32);
  b.begin("start", {tensor::parallel("r", rows.count), tensor::parallel("p", count)});
  b.put(tensor::number(0, DType::I32), left, {tensor::dim(0), tensor::dim(1)});

  const std::vector<tensor::Dim> dims = {tensor::scan("t", kept), tensor::parallel("r", rows.count),
                                         tensor::parallel("p", count)};
  const Index t = tensor::dim(0), r = tensor::dim(1), p = tensor::dim(2);
  const Index ofLeft = tensor::load(left, {r, p}), ofRight = t + ofLeft * -1;
  // Where a run is used up, or there is no right one, the nearest place is read, and not taken.
  const auto element = [&](int64_t side, const Index &place) {
    return Indices{r, tensor::clamp(p * 2 + side, 0, runs.count - 1), tensor::clamp(place, 0, runs.kept - 1)};
  };
  const auto value = [&](int64_t side, const Index &place) {
    const Index position = tensor::clamp(tensor::load(from, element(side, place)), 0, rows.length - 1);
    return keyOf(b.get(x, {r, position}), rows.descending);
  };
  const auto isLeftOver = [&](int64_t side, const Index &place) {
    const Index length = tensor::clamp((p * 2 + side) * -runs.span + rows.length, 0, runs.kept);
    return tensor::less(index(place), index(length));
  };
  b.begin("choose", dims);
  const Scalar rightWins =
      tensor::both(isLeftOver(1, ofRight), precedesByKey(value(1, ofRight), value(0, ofLeft), rows.descending));
  const Scalar leftWins = tensor::both(isLeftOver(0, ofLeft), tensor::negation(rightWins));
  b.put(tensor::cast(DType::I32, leftWins), isLeft, {r, p});
  b.begin("take", dims);
  const Scalar tookLeft = tensor::less(tensor::number(0, DType::I32), b.get(isLeft, {r, p}));
  b.put(tensor::select(tookLeft, b.get(from, element(0, ofLeft)), b.get(from, element(1, ofRight))), y, {r, p, t});
  b.begin("advance", dims);
  b.put(b.get(left, {r, p}) + b.get(isLeft, {r, p}), left, {r, p});
  return {build.compute(b.finish(), {rows.data, runs.positions}), count, 2 * runs.span, kept};
}

/// Positions i32 [rows, wanted].
Result sortedPositions(Builder &build, const Rows &rows) {
  if (rows.wanted == 1) return build.cast(extremePosition(build, rows.data, 1, rows.descending, false), DType::I32);
  Runs runs = sortBlocks(build, rows);
  while (runs.count > 1) runs = mergePairs(build, rows, runs);
  return build.reshape(runs.positions, {rows.count, rows.wanted});
}

Result valuesAt(Builder &build, const Rows &rows, const Result &positions) {
  KernelBuilder b("topk_values");
  const int x = b.input("data", {rows.count, rows.length}, rows.dtype);
  const int places = b.input("positions", {rows.count, rows.wanted}, DType::I32);
  const int y = b.output("values", {rows.count, rows.wanted}, rows.dtype);
  b.begin("take", {tensor::parallel("r", rows.count), tensor::parallel("j", rows.wanted)});
  const Index r = tensor::dim(0), j = tensor::dim(1);
  b.put(b.get(x, {r, tensor::clamp(tensor::load(places, {r, j}), 0, rows.length - 1)}), y, {r, j});
  return build.compute(b.finish(), {rows.data, positions});
}

/// How many elements TopK gives, as a scalar: no more than there are.
Result numberWanted(NodeContext &node, int64_t axis) {
  Builder &build = node.build;
  if (node.version() < 10) {
    HONE_ASSIGN_OR_RETURN(int64_t k, node.integer("k"));
    return build.integer(DType::I64, k);
  }
  if (build.constant(node.input(1)) != nullptr && !build.isBounded(node.input(0), axis)) {
    HONE_ASSIGN_OR_RETURN(int64_t k, node.constantInteger(1, "k"));
    return build.integer(DType::I64, k);
  }
  if (!isInteger(node.dtype(1)) || build.type(node.input(1)).elements() != 1) {
    return invalid("operand 1 (k) is ", graph::typeText(build.type(node.input(1))), ", not one integer");
  }
  HONE_ASSIGN_OR_RETURN(std::vector<ValueId> k, elementsOf(build, node.input(1)));
  const Result most = build.apply(ScalarOp::Min, {k[0], sizeOf(build, node.input(0), axis)});
  return build.apply(ScalarOp::Max, {most, build.integer(DType::I64, 0)});
}

}  // namespace

Result sortedPositions(Builder &build, const Result &rows, bool descending) {
  if (!rows.ok()) return rows;
  const Shape shape = build.shape(*rows);
  return sortedPositions(build, Rows{*rows, shape[0], shape[1], shape[1], build.dtype(*rows), descending});
}

Result importTopK(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", -1));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  HONE_ASSIGN_OR_RETURN(int64_t isLargest, node.integer("largest", 1));
  Shape shape = node.shape(0);
  const auto along = static_cast<size_t>(axis);
  if (node.dtype(0) == DType::Bool) return invalid("does not take bool");
  HONE_ASSIGN_OR_RETURN(ValueId k, numberWanted(node, axis));
  // Of a number that is known at run time only, all are sorted that there may be.
  const bool isKnown = build.constant(k) != nullptr;
  const int64_t wanted = isKnown ? highest(build, k).value_or(0)
                                 : std::clamp<int64_t>(highest(build, k).value_or(shape[along]), 0, shape[along]);
  if (wanted < 0 || wanted > shape[along]) return invalid("k is ", wanted, " of ", shape[along], " elements");
  Shape result = shape;
  result[along] = wanted;
  if (graph::TensorType{node.dtype(0), result}.elements() == 0) {
    HONE_ASSIGN_OR_RETURN(ValueId nothing, build.broadcast(build.integer(DType::I64, 0), result));
    node.addOutput(nothing);
    return build.broadcast(build.number(node.dtype(0), 0), result);
  }

  // The axis goes to the end, and comes back.
  std::vector<int64_t> forth(shape.size()), back(shape.size());
  std::iota(forth.begin(), forth.end(), 0);
  std::rotate(forth.begin() + axis, forth.begin() + axis + 1, forth.end());
  for (size_t i = 0; i < forth.size(); ++i) back[static_cast<size_t>(forth[i])] = static_cast<int64_t>(i);
  const int64_t length = shape[along], count = build.type(node.input(0)).elements() / length;
  if (length > (int64_t{1} << 30)) return unsupported("sorting ", length, " elements");
  const Scalar least =
      tensor::identity(isLargest != 0 ? tensor::CombinerKind::Max : tensor::CombinerKind::Min, node.dtype(0));
  const Result fill = isFloat(node.dtype(0)) ? build.number(node.dtype(0), least->number)
                                             : build.integer(node.dtype(0), least->integer);
  Extents extents = build.allExtents(node.input(0));
  if (!isKnown || extents[along] >= 0) extents[along] = k;
  HONE_ASSIGN_OR_RETURN(ValueId moved, build.transpose(build.withoutPadding(node.input(0), {axis}, fill), forth));
  HONE_ASSIGN_OR_RETURN(ValueId flat, build.asBounds(moved, {count, length}));
  const Rows rows{flat, count, length, wanted, node.dtype(0), isLargest != 0};
  shape.erase(shape.begin() + axis);
  shape.push_back(wanted);
  const auto restored = [&](const Result &data) {
    return build.bounded(build.transpose(build.reshape(data, shape), back), extents);
  };
  Result positions = sortedPositions(build, rows);
  HONE_ASSIGN_OR_RETURN(ValueId values, restored(valuesAt(build, rows, positions)));
  HONE_ASSIGN_OR_RETURN(ValueId indices, restored(build.cast(positions, DType::I64)));
  node.addOutput(indices);
  return values;
}

}  // namespace hone::frontend
