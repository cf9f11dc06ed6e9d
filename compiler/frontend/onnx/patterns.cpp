// Operators whose results follow a pattern of positions: ones on a diagonal, triangles, one-hot rows.
#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

// No extent is larger, so that diagonals beyond mean the same as these; it keeps sums from overflowing.
constexpr int64_t kFarAway = int64_t{1} << 40;

Result truth(Builder &build, Op op, const Result &a, const Result &b) { return build.apply(op, {a, b}); }

}  // namespace

Result importEyeLike(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t diagonal, node.integer("k", 0));
  DType dtype = node.dtype(0);
  if (node.hasAttribute("dtype")) {
    HONE_ASSIGN_OR_RETURN(int64_t code, node.integer("dtype"));
    HONE_ASSIGN_OR_RETURN(dtype, readDType(code));
  }
  const Shape shape = node.shape(0);
  if (shape.size() != 2) return invalid("takes 2 dims, not shape ", graph::shapeText(shape));
  diagonal = std::clamp(diagonal, -kFarAway, kFarAway);
  Result rows = build.apply(Op::Add, {positions(build, DType::I64, shape[0], 1), build.integer(DType::I64, diagonal)});
  return build.cast(truth(build, Op::Equal, rows, positions(build, DType::I64, shape[1], 0)), dtype);
}

// The diagonal may be known at run time only: the positions are compared with it there. Where a triangle is follows
// from its first row and column, whatever the extents are.
Result importTrilu(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t isUpper, node.integer("upper", 1));
  const Shape shape = node.shape(0);
  if (shape.size() < 2) return invalid("takes 2 dims or more, not shape ", graph::shapeText(shape));
  Result diagonal = build.integer(DType::I64, 0);
  if (node.has(1)) {
    if (build.type(node.input(1)).elements() != 1) return invalid("operand 1 (k) is not a scalar");
    diagonal = build.cast(build.reshape(node.input(1), {}), DType::I64);
    diagonal = build.apply(Op::Min, {diagonal, build.integer(DType::I64, kFarAway)});
    diagonal = build.apply(Op::Max, {diagonal, build.integer(DType::I64, -kFarAway)});
  }
  Result rows = build.apply(Op::Add, {positions(build, DType::I64, shape[shape.size() - 2], 1), diagonal});
  Result columns = positions(build, DType::I64, shape.back(), 0);
  Result isKept =
      isUpper != 0 ? truth(build, Op::LessEqual, rows, columns) : truth(build, Op::LessEqual, columns, rows);
  const Extents extents = build.allExtents(node.input(0));
  isKept = build.bounded(isKept, Extents(extents.end() - 2, extents.end()));
  return build.apply(Op::Select, {isKept, node.input(0), build.number(node.dtype(0), 0)});
}

// Indices from -depth to depth - 1 have a row with one `on`; all others have none.
Result importOneHot(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", -1));
  HONE_ASSIGN_OR_RETURN(double depth, node.constantNumber(1, "depth"));
  const int64_t rank = node.rank(0);
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, rank + 1));
  if (!(depth >= 1 && depth <= static_cast<double>(kFarAway))) return invalid("depth is ", depth);
  const auto extent = static_cast<int64_t>(depth);
  if (node.shape(2) != Shape{2}) {
    return invalid("operand 2 (values) is ", graph::shapeText(node.shape(2)), ", not off and on");
  }
  Shape shape = node.shape(0);
  shape.insert(shape.begin() + axis, extent);
  HONE_RETURN_IF_ERROR(build.checkSize({node.dtype(2), shape}));
  shape[static_cast<size_t>(axis)] = 1;
  Result indices = build.reshape(build.cast(node.input(0), DType::I64), shape);
  Result isNegative = truth(build, Op::Less, indices, build.integer(DType::I64, 0));
  Result fromEnd = build.apply(Op::Add, {indices, build.integer(DType::I64, extent)});
  indices = build.apply(Op::Select, {isNegative, fromEnd, indices});
  Result isOn = truth(build, Op::Equal, indices, positions(build, DType::I64, extent, rank - axis));
  const auto value = [&](int64_t position) {
    return build.reshape(build.slice(node.input(2), {position}, {1}, {1}), {});
  };
  Result off = value(0), on = value(1);
  return build.apply(Op::Select, {isOn, on, off});
}

}  // namespace hone::frontend
