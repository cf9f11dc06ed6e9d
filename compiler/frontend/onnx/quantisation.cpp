// Numbers as small integers with a scale and a zero point: real = (integer - zero) * scale. Products are accumulated in
// int32 and exact; results are rounded half to even and saturate.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

bool isSmallInteger(DType dtype) { return isInteger(dtype) && sizeOf(dtype) <= 2; }

/// A scale or a zero point: one element, or one for each of \p extent elements of dim \p axis, in a shape that
/// broadcasts to \p rank dims.
Result alongAxis(NodeContext &node, int position, int64_t axis, int64_t rank, int64_t extent) {
  Builder &build = node.build;
  ValueId value = node.input(position);
  if (build.type(value).elements() == 1) return build.reshape(value, {});
  if (build.shape(value) != Shape{extent}) {
    return invalid("operand ", position, " has shape ", graph::shapeText(build.shape(value)),
                   ", neither one element nor one for each of the ", extent, " of axis ", axis);
  }
  Shape shape(static_cast<size_t>(rank - axis), 1);
  shape[0] = extent;
  return build.reshape(value, shape);
}

/// round(\p quotient) + \p zero as \p dtype; a cast saturates.
Result quantised(Builder &build, Result quotient, const std::optional<Result> &zero, DType dtype) {
  Result rounded = build.apply(Op::Round, {std::move(quotient)});
  if (zero) rounded = build.apply(Op::Add, {rounded, build.cast(*zero, DType::F32)});
  return build.cast(rounded, dtype);
}

/// \p data - \p zero as int32, which holds the difference of any two 16-bit integers.
Result centred(Builder &build, Result data, const std::optional<Result> &zero) {
  Result wide = build.cast(std::move(data), DType::I32);
  return zero ? build.apply(Op::Sub, {wide, build.cast(*zero, DType::I32)}) : wide;
}

absl::Status checkSmall(NodeContext &node, int position) {
  if (isSmallInteger(node.dtype(position))) return absl::OkStatus();
  return unsupported("operand ", position, " is ", graph::typeText(node.build.type(node.input(position))),
                     "; 8- and 16-bit integers are supported");
}

/// What a quantised product is made of: operands \p data and \p weight with their zero points.
struct Operands {
  int data, dataZero, weight, weightZero;
};

absl::StatusOr<std::optional<Result>> optionalZero(NodeContext &node, int position, int64_t axis, int64_t rank,
                                                   int64_t extent) {
  if (!node.has(position)) return std::optional<Result>();
  HONE_RETURN_IF_ERROR(checkSmall(node, position));
  HONE_ASSIGN_OR_RETURN(ValueId zero, alongAxis(node, position, axis, rank, extent));
  return std::optional<Result>(zero);
}

/// The convolution in int32. Padding is the zero point, thus 0.
Result integerConv(NodeContext &node, const Operands &operands, const std::vector<Result> &bias) {
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(checkSmall(node, operands.data));
  HONE_RETURN_IF_ERROR(checkSmall(node, operands.weight));
  const Shape data = node.shape(operands.data), weight = node.shape(operands.weight);
  if (weight.size() != data.size() || weight.size() < 3) {
    return invalid("data of shape ", graph::shapeText(data), " does not go with weights of shape ",
                   graph::shapeText(weight));
  }
  const auto rank = static_cast<int64_t>(data.size());
  HONE_ASSIGN_OR_RETURN(std::optional<Result> dataZero, optionalZero(node, operands.dataZero, 0, rank, 1));
  HONE_ASSIGN_OR_RETURN(std::optional<Result> weightZero, optionalZero(node, operands.weightZero, 0, rank, weight[0]));
  HONE_ASSIGN_OR_RETURN(Window window, readWindow(node, data, Shape(weight.begin() + 2, weight.end())));
  HONE_ASSIGN_OR_RETURN(int64_t groups, node.integer("group", 1));
  return build.conv(centred(build, node.input(operands.data), dataZero),
                    centred(build, node.input(operands.weight), weightZero), bias,
                    {window.strides, window.dilations, window.pads, groups});
}

/// A scale or zero point of a matrix product: one element, one per row or column as a list, or a shape that broadcasts.
Result alongMatrix(NodeContext &node, int position, bool isRows) {
  Builder &build = node.build;
  ValueId value = node.input(position);
  if (build.type(value).elements() == 1) return build.reshape(value, {});
  if (isRows && build.rank(value) == 1) return build.reshape(value, {build.shape(value)[0], 1});
  return value;
}

/// The matrix product in int32.
Result integerMatMul(NodeContext &node, const Operands &operands) {
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(checkSmall(node, operands.data));
  HONE_RETURN_IF_ERROR(checkSmall(node, operands.weight));
  std::optional<Result> dataZero, weightZero;
  if (node.has(operands.dataZero)) dataZero = alongMatrix(node, operands.dataZero, true);
  if (node.has(operands.weightZero)) weightZero = alongMatrix(node, operands.weightZero, false);
  return matMulOfAnyRank(build, centred(build, node.input(operands.data), dataZero),
                         centred(build, node.input(operands.weight), weightZero));
}

/// \p sum (int32) times \p scale as \p dtype.
Result requantised(NodeContext &node, Result sum, Result scale, int zeroPosition) {
  Builder &build = node.build;
  DType dtype = node.dtype(zeroPosition);
  HONE_RETURN_IF_ERROR(checkSmall(node, zeroPosition));
  Result real = build.apply(Op::Mul, {build.cast(std::move(sum), DType::F32), std::move(scale)});
  return quantised(build, real, alongAxis(node, zeroPosition, 0, 1, 1), dtype);
}

}  // namespace

Result importQuantizeLinear(NodeContext &node) {
  Builder &build = node.build;
  const int64_t rank = node.rank(0);
  const bool isPerAxis = build.type(node.input(1)).elements() != 1;
  int64_t axis = 0, extent = 1;
  if (isPerAxis) {
    HONE_ASSIGN_OR_RETURN(axis, node.integer("axis", 1));
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, rank));
    extent = node.shape(0)[static_cast<size_t>(axis)];
  }
  HONE_ASSIGN_OR_RETURN(ValueId scale, alongAxis(node, 1, axis, rank, extent));
  std::optional<Result> zero;
  if (node.has(2)) {
    HONE_RETURN_IF_ERROR(checkSmall(node, 2));
    zero = alongAxis(node, 2, axis, rank, extent);
  }
  Result data = build.cast(node.input(0), DType::F32);
  Result quotient = build.apply(Op::Div, {data, build.cast(scale, DType::F32)});
  return quantised(build, quotient, zero, node.has(2) ? node.dtype(2) : DType::U8);
}

Result importDequantizeLinear(NodeContext &node) {
  Builder &build = node.build;
  const int64_t rank = node.rank(0);
  int64_t axis = 0, extent = 1;
  if (build.type(node.input(1)).elements() != 1) {
    HONE_ASSIGN_OR_RETURN(axis, node.integer("axis", 1));
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, rank));
    extent = node.shape(0)[static_cast<size_t>(axis)];
  }
  if (!isInteger(node.dtype(0))) return invalid("takes integers, not ", graph::typeText(build.type(node.input(0))));
  HONE_ASSIGN_OR_RETURN(ValueId scale, alongAxis(node, 1, axis, rank, extent));
  Result data = node.input(0);
  if (node.has(2)) {
    // The difference of two int32 has 33 bits.
    DType wide = isSmallInteger(node.dtype(0)) ? DType::I32 : DType::I64;
    Result zero = build.cast(alongAxis(node, 2, axis, rank, extent), wide);
    data = build.apply(Op::Sub, {build.cast(data, wide), zero});
  }
  return build.apply(Op::Mul, {build.cast(data, build.dtype(scale)), scale});
}

// The scale maps the range of the data, which always includes 0, onto 0 to 255. Data that is 0 throughout has scale 1.
Result importDynamicQuantizeLinear(NodeContext &node) {
  Builder &build = node.build;
  ValueId x = node.input(0);
  if (node.dtype(0) != DType::F32) return invalid("takes float32, not ", graph::typeText(build.type(x)));
  std::vector<int64_t> axes(static_cast<size_t>(node.rank(0)));
  std::iota(axes.begin(), axes.end(), 0);
  auto number = [&](double value) { return build.number(DType::F32, value); };
  Result highest = build.apply(Op::Max, {build.reduce(graph::ReduceKind::Max, x, axes, false), number(0)});
  Result lowest = build.apply(Op::Min, {build.reduce(graph::ReduceKind::Min, x, axes, false), number(0)});
  Result range = build.apply(Op::Sub, {highest, lowest});
  Result isNothing = build.apply(Op::Equal, {range, number(0)});
  Result quotient = build.apply(Op::Div, {range, number(255)});
  HONE_ASSIGN_OR_RETURN(ValueId scale, build.apply(Op::Select, {isNothing, number(1), quotient}));
  Result offset = build.apply(Op::Neg, {build.apply(Op::Div, {lowest, scale})});
  HONE_ASSIGN_OR_RETURN(ValueId zero, build.cast(build.apply(Op::Round, {offset}), DType::U8));
  HONE_ASSIGN_OR_RETURN(ValueId result, quantised(build, build.apply(Op::Div, {x, scale}), Result(zero), DType::U8));
  node.addOutput(scale);
  node.addOutput(zero);
  return result;
}

Result importConvInteger(NodeContext &node) { return integerConv(node, {0, 2, 1, 3}, {}); }

Result importMatMulInteger(NodeContext &node) { return integerMatMul(node, {0, 2, 1, 3}); }

// The scale of the sums is the product of the scales of what is multiplied; the bias has it already.
Result importQLinearConv(NodeContext &node) {
  Builder &build = node.build;
  std::vector<Result> bias;
  if (node.has(8)) bias.emplace_back(build.cast(node.input(8), DType::I32));
  HONE_ASSIGN_OR_RETURN(ValueId sum, integerConv(node, {0, 2, 3, 5}, bias));
  const int64_t rank = node.rank(0);
  Result dataScale = alongAxis(node, 1, 0, 1, 1), resultScale = alongAxis(node, 6, 0, 1, 1);
  Result weightScale = alongAxis(node, 4, 1, rank, node.shape(3)[0]);
  Result scale = build.apply(Op::Div, {build.apply(Op::Mul, {dataScale, weightScale}), resultScale});
  return requantised(node, sum, scale, 7);
}

Result importQLinearMatMul(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ValueId sum, integerMatMul(node, {0, 2, 3, 5}));
  Result rows = alongMatrix(node, 1, true), columns = alongMatrix(node, 4, false);
  Result resultScale = alongAxis(node, 6, 0, 1, 1);
  Result scale = build.apply(Op::Div, {build.apply(Op::Mul, {rows, columns}), resultScale});
  return requantised(node, sum, scale, 7);
}

}  // namespace hone::frontend
