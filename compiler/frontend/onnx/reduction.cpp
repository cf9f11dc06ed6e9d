// Reductions over axes.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;
using graph::ReduceKind;

struct Reduction {
  std::vector<int64_t> axes;  ///< sorted; empty when the operator does not reduce at all
  bool keepDims = true;
};

/// The axes are an attribute, or from some version on the second operand; without any, all dims are reduced, unless
/// `noop_with_empty_axes` says that none is.
absl::StatusOr<Reduction> readReduction(const NodeContext &node) {
  Reduction result;
  HONE_ASSIGN_OR_RETURN(int64_t keepDims, node.integer("keepdims", 1));
  HONE_ASSIGN_OR_RETURN(int64_t isNoop, node.integer("noop_with_empty_axes", 0));
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> axes, node.listFrom("axes", 1));
  result.keepDims = keepDims != 0;
  if (axes && !axes->empty()) {
    HONE_ASSIGN_OR_RETURN(result.axes, normalizeAxes(*axes, node.rank(0)));
  } else if (isNoop == 0) {
    result.axes.resize(static_cast<size_t>(node.rank(0)));
    std::iota(result.axes.begin(), result.axes.end(), 0);
  }
  return result;
}

Result reduce(NodeContext &node, ReduceKind kind, Result data) {
  HONE_ASSIGN_OR_RETURN(Reduction reduction, readReduction(node));
  return node.build.reduce(kind, data, reduction.axes, reduction.keepDims);
}

/// The largest or smallest element; true is larger than false.
Result reduceToExtreme(NodeContext &node, ReduceKind kind) {
  if (node.dtype(0) != DType::Bool) return reduce(node, kind, node.input(0));
  return node.build.cast(reduce(node, kind, node.build.cast(node.input(0), DType::U8)), DType::Bool);
}

Result square(NodeContext &node) { return node.build.apply(Op::Mul, {node.input(0), node.input(0)}); }

}  // namespace

Result importReduceMax(NodeContext &node) { return reduceToExtreme(node, ReduceKind::Max); }
Result importReduceMin(NodeContext &node) { return reduceToExtreme(node, ReduceKind::Min); }
Result importReduceProd(NodeContext &node) { return reduce(node, ReduceKind::Product, node.input(0)); }
Result importReduceSum(NodeContext &node) { return reduce(node, ReduceKind::Sum, node.input(0)); }
Result importReduceMean(NodeContext &node) { return reduce(node, ReduceKind::Mean, node.input(0)); }
Result importReduceSumSquare(NodeContext &node) { return reduce(node, ReduceKind::Sum, square(node)); }

Result importReduceL1(NodeContext &node) {
  return reduce(node, ReduceKind::Sum, node.build.apply(Op::Abs, {node.input(0)}));
}

Result importReduceL2(NodeContext &node) {
  return node.build.apply(Op::Sqrt, {reduce(node, ReduceKind::Sum, square(node))});
}

Result importReduceLogSum(NodeContext &node) {
  return node.build.apply(Op::Log, {reduce(node, ReduceKind::Sum, node.input(0))});
}

// The maximum is taken out first, so that exp cannot overflow.
Result importReduceLogSumExp(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(Reduction reduction, readReduction(node));
  Result maximum = build.reduce(ReduceKind::Max, node.input(0), reduction.axes, true);
  Result exponentials = build.apply(Op::Exp, {build.apply(Op::Sub, {node.input(0), maximum})});
  Result sum = build.reduce(ReduceKind::Sum, exponentials, reduction.axes, true);
  HONE_ASSIGN_OR_RETURN(ValueId result, build.apply(Op::Add, {build.apply(Op::Log, {sum}), maximum}));
  if (reduction.keepDims) return result;
  Shape shape;
  for (int64_t i = 0; i < build.rank(result); ++i) {
    bool isReduced = std::binary_search(reduction.axes.begin(), reduction.axes.end(), i);
    if (!isReduced) shape.push_back(build.shape(result)[static_cast<size_t>(i)]);
  }
  return build.reshape(result, shape);
}

}  // namespace hone::frontend
