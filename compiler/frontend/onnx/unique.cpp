// Unique: the elements are sorted, and those that differ from the one in front of them are the unique ones.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/ordering.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::KernelBuilder;
using tensor::Scalar;

// Rows are sorted by comparing each with each.
constexpr int64_t kMostRows = 4096;

Result one(Builder &build) { return build.integer(DType::I64, 1); }

/// Positions of the rows of \p rows, [n, m], in their order element by element; equal ones stay as they are: i64 [n].
Result orderOfRows(Builder &build, ValueId rows) {
  const int64_t n = build.shape(rows)[0], m = build.shape(rows)[1];
  if (n > kMostRows) return unsupported("sorting ", n, " rows; at most ", kMostRows);
  const DType dtype = build.dtype(rows);
  KernelBuilder b("order_of_rows");
  const int x = b.input("rows", {n, m}, dtype);
  const int before = b.temporary("before", {n, n}, DType::I32), rank = b.temporary("rank", {n}, DType::I64);
  const int y = b.output("order", {n}, DType::I64);
  const tensor::Index i = tensor::dim(1), j = tensor::dim(2), k = tensor::dim(0);
  const auto integer = [](double value) { return tensor::number(value, DType::I32); };
  b.begin("start", {tensor::parallel("i", n), tensor::parallel("j", n)});
  b.put(integer(0), before, {tensor::dim(0), tensor::dim(1)});
  // 1 where row j comes before row i, -1 where after it: the first elements that differ decide.
  b.begin("compare", {tensor::scan("k", m), tensor::parallel("i", n), tensor::parallel("j", n)});
  const Scalar own = b.get(x, {i, k}), other = b.get(x, {j, k}), known = b.get(before, {i, j});
  const Scalar sign = tensor::select(tensor::less(other, own), integer(1),
                                     tensor::select(tensor::less(own, other), integer(-1), integer(0)));
  b.put(tensor::select(tensor::equal(known, integer(0)), sign, known), before, {i, j});
  b.begin("rank", {tensor::parallel("i", n), tensor::reduce("j", n)});
  b.fold(tensor::CombinerKind::Sum);
  const Scalar found = b.get(before, {tensor::dim(0), tensor::dim(1)});
  const Scalar isEarlier = tensor::less(tensor::indexValue(tensor::dim(1)), tensor::indexValue(tensor::dim(0)));
  const Scalar isBefore =
      tensor::either(tensor::equal(found, integer(1)), tensor::both(tensor::equal(found, integer(0)), isEarlier));
  b.put(tensor::cast(DType::I64, isBefore), rank, {tensor::dim(0)});
  b.begin("place", {tensor::parallel("i", n)});
  b.put(tensor::indexValue(tensor::dim(0)), y, {tensor::load(rank, {tensor::dim(0)})});
  return build.compute(b.finish(), {rows});
}

/// Element t of \p values at place \p order[t].
Result putBack(Builder &build, ValueId values, ValueId order) {
  const int64_t n = build.shape(order)[0];
  KernelBuilder b("put_back");
  const int from = b.input("values", {n}, build.dtype(values)), at = b.input("order", {n}, DType::I64);
  const int to = b.output("result", {n}, build.dtype(values));
  b.begin("put", {tensor::parallel("t", n)});
  b.put(b.get(from, {tensor::dim(0)}), to, {tensor::load(at, {tensor::dim(0)})});
  return build.compute(b.finish(), {values, order});
}

/// How many trues there are up to each place, without the first of them: which group each place is in.
Result groupsOf(Builder &build, ValueId isFirst) {
  HONE_ASSIGN_OR_RETURN(ValueId counted, build.cast(isFirst, DType::I64));
  return build.apply(ScalarOp::Sub, {cumulativeSum(build, counted, 0), one(build)});
}

Result largest(Builder &build, DType dtype) {
  const Scalar last = tensor::identity(tensor::CombinerKind::Min, dtype);
  return isFloat(dtype) ? build.number(dtype, last->number) : build.integer(dtype, last->integer);
}

/// Which of the sorted rows differ from the one in front of them: bool [n].
Result startsOf(Builder &build, ValueId sorted) {
  const int64_t n = build.shape(sorted)[0], m = build.shape(sorted)[1];
  const Result isLeading = build.apply(ScalarOp::Equal, {count(build, n), build.integer(DType::I64, 0)});
  const Result before =
      build.concat({build.slice(sorted, {0, 0}, {1, 1}, {1, m}), build.slice(sorted, {0, 0}, {1, 1}, {n - 1, m})}, 0);
  const Result differs =
      build.cast(build.apply(ScalarOp::Not, {build.apply(ScalarOp::Equal, {sorted, before})}), DType::I32);
  const Result any = build.cast(build.reduce(graph::ReduceKind::Max, differs, {1}, false), DType::Bool);
  return build.apply(ScalarOp::Or, {isLeading, any});
}

}  // namespace

Result importUnique(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t isSorted, node.integer("sorted", 1));
  if (node.dtype(0) == DType::Bool) return unsupported("bools; cast them to integers");
  ValueId data = node.input(0);
  int64_t axis = 0;
  if (node.hasAttribute("axis")) {
    HONE_ASSIGN_OR_RETURN(axis, node.integer("axis"));
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  } else {
    HONE_ASSIGN_OR_RETURN(data, build.reshape(data, {build.type(data).elements()}));
  }
  std::vector<int64_t> forth(build.shape(data).size());
  std::iota(forth.begin(), forth.end(), 0);
  std::rotate(forth.begin(), forth.begin() + axis, forth.begin() + axis + 1);
  const int64_t n = build.shape(data)[static_cast<size_t>(axis)], all = build.type(data).elements();
  if (all == 0) return unsupported("a tensor without elements");
  for (int64_t other = 0; other < build.rank(data); ++other) {
    if (other == axis || !build.isBounded(data, other)) continue;
    return unsupported("unique along axis ", axis, " of rows whose size depends on data");
  }
  // What is there, in front of padding that comes last in every order.
  const Extents among = {build.allExtents(data)[static_cast<size_t>(axis)]};
  const Result size = sizeOf(build, data, axis);
  HONE_ASSIGN_OR_RETURN(ValueId filled, build.withoutPadding(data, {axis}, largest(build, build.dtype(data))));
  HONE_ASSIGN_OR_RETURN(filled, build.asBounds(filled, build.shape(data)));
  HONE_ASSIGN_OR_RETURN(ValueId rows, build.reshape(build.transpose(filled, forth), {n, all / n}));
  const Result sorting =
      all == n ? sortedPositions(build, build.reshape(rows, {1, n}), false) : orderOfRows(build, rows);
  HONE_ASSIGN_OR_RETURN(ValueId order, build.reshape(build.cast(sorting, DType::I64), {n}));
  HONE_ASSIGN_OR_RETURN(ValueId sorted, build.gather(rows, order, 0));
  const Result isThere = build.apply(ScalarOp::Less, {count(build, n), size});
  HONE_ASSIGN_OR_RETURN(ValueId isStart, build.apply(ScalarOp::And, {startsOf(build, sorted), isThere}));
  HONE_ASSIGN_OR_RETURN(ValueId starts, chosenPlaces(build, isStart));
  HONE_ASSIGN_OR_RETURN(ValueId groups, groupsOf(build, isStart));
  HONE_ASSIGN_OR_RETURN(ValueId inverse, putBack(build, groups, order));
  HONE_ASSIGN_OR_RETURN(ValueId first, build.gather(order, starts, 0));
  // A group ends where the next one starts, the last one at the end.
  const Result next = build.apply(ScalarOp::Add, {count(build, n), one(build)});
  const Result nextStart = build.gather(build.asBounds(starts, {n}),
                                        build.apply(ScalarOp::Min, {next, build.integer(DType::I64, n - 1)}), 0);
  const Result isLast = build.apply(ScalarOp::LessEqual, {sizeOf(build, starts, 0), next});
  const Result ends = build.apply(ScalarOp::Select, {isLast, size, nextStart});
  HONE_ASSIGN_OR_RETURN(ValueId counts,
                        build.apply(ScalarOp::Sub, {build.bounded(ends, build.allExtents(starts)), starts}));
  if (isSorted == 0) {
    // By their first places instead: which those are, and in which group the element there is.
    HONE_ASSIGN_OR_RETURN(ValueId isFirst, putBack(build, isStart, order));
    HONE_ASSIGN_OR_RETURN(ValueId places, chosenPlaces(build, isFirst));
    const Result seen = groupsOf(build, isFirst), firstOfAll = build.gather(build.asBounds(first, {n}), inverse, 0);
    const Result group = build.gather(inverse, build.asBounds(places, {n}), 0);
    HONE_ASSIGN_OR_RETURN(counts,
                          build.bounded(build.gather(build.asBounds(counts, {n}), group, 0), build.allExtents(starts)));
    HONE_ASSIGN_OR_RETURN(inverse, build.gather(seen, firstOfAll, 0));
    HONE_ASSIGN_OR_RETURN(first, build.bounded(build.asBounds(places, {n}), build.allExtents(starts)));
  }
  HONE_ASSIGN_OR_RETURN(inverse, build.bounded(inverse, among));
  for (ValueId output : {first, inverse, counts}) node.addOutput(output);
  return build.gather(build.asBounds(data, build.shape(data)), first, axis);
}

}  // namespace hone::frontend
