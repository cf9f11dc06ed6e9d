// Numbers as small integers with a scale and a zero point: real = (integer - zero) * scale. Products are accumulated in
// int32 and exact; results are rounded half to even and saturate.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/conversion.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/wide_unary.h"
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

/// What quantisation gives: integers of up to 16 bits, and floats of up to 8.
bool isQuantised(ElementType type) { return type.narrow.has_value() || isSmallInteger(type.dtype); }

/// The part of the data that has a scale and a zero point of its own: all of it, a place along an axis, or a block of
/// places along it.
struct Spread {
  int64_t axis = 0, block = 0;  ///< block is 0 where there are none
};

absl::StatusOr<Spread> readSpread(NodeContext &node) {
  Spread spread;
  if (node.build.type(node.input(1)).elements() == 1 && node.rank(1) <= 1) return spread;
  HONE_ASSIGN_OR_RETURN(spread.axis, node.integer("axis", 1));
  HONE_ASSIGN_OR_RETURN(spread.block, node.integer("block_size", 0));
  // With one dim there is nothing to choose, whatever the attribute's default says.
  if (node.rank(0) == 1) spread.axis = 0;
  HONE_ASSIGN_OR_RETURN(spread.axis, normalizeAxis(spread.axis, node.rank(0)));
  if (spread.block < 0) return invalid("attribute 'block_size' is ", spread.block);
  return spread;
}

/// Operand \p position, a scale or a zero point, in a shape that broadcasts to the data's.
Result spreadOver(NodeContext &node, int position, const Spread &spread) {
  Builder &build = node.build;
  const Shape data = node.shape(0), shape = node.shape(position);
  const auto axis = static_cast<size_t>(spread.axis);
  if (spread.block == 0) {
    const int64_t extent = data.empty() ? 1 : data[axis];
    return alongAxis(node, position, spread.axis, node.rank(0), extent);
  }
  Shape blocks = data;
  blocks[axis] = (data[axis] + spread.block - 1) / spread.block;
  if (shape != blocks) {
    return invalid("operand ", position, " has shape ", graph::shapeText(shape), "; with blocks of ", spread.block,
                   " along axis ", spread.axis, " of ", graph::shapeText(data), " it is ", graph::shapeText(blocks));
  }
  // Each element is repeated along a new dim, which then joins the axis; the last block may be cut.
  Shape apart = blocks, repeated = blocks, joined = blocks;
  apart.insert(apart.begin() + spread.axis + 1, 1);
  repeated.insert(repeated.begin() + spread.axis + 1, spread.block);
  if (__builtin_mul_overflow(joined[axis], spread.block, &joined[axis])) {
    return invalid("attribute 'block_size' is ", spread.block);
  }
  Result whole = build.reshape(build.broadcast(build.reshape(node.input(position), apart), repeated), joined);
  return build.slice(whole, Shape(data.size(), 0), Shape(data.size(), 1), data);
}

/// \p quotient rounded, with \p zero added, as \p type; what is too large saturates.
Result quantised(Builder &build, Result quotient, const std::optional<Result> &zero, ElementType type,
                 Narrowing narrowing = {}) {
  if (!isFloat(type)) quotient = build.apply(Op::Round, {quotient});
  Result value = build.cast(std::move(quotient), DType::F32);
  if (zero) value = build.apply(Op::Add, {value, converted(build, *zero, DType::F32)});
  if (type.narrow && !isFloat(type)) {
    const int bits = bitsOf(type), lost = isSigned(type.dtype) ? 1 : 0;
    const double most = (1 << (bits - lost)) - 1, least = lost == 0 ? 0 : -most - 1;
    value = build.apply(Op::Min, {value, build.number(DType::F32, most)});
    value = build.apply(Op::Max, {value, build.number(DType::F32, least)});
  }
  return converted(build, value, type, narrowing);
}

/// \p data - \p zero as int32, which holds the difference of any two 16-bit integers.
Result centred(Builder &build, Result data, const std::optional<Result> &zero) {
  Result wide = build.cast(std::move(data), DType::I32);
  return zero ? build.apply(Op::Sub, {wide, build.cast(*zero, DType::I32)}) : wide;
}

absl::Status checkSmall(NodeContext &node, int position) {
  const ElementType type = node.elementType(position);
  if (!type.narrow && isSmallInteger(type.dtype)) return absl::OkStatus();
  return unsupported("operand ", position, " is ", std::string(name(type)), graph::shapeText(node.shape(position)),
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

// The quotient is rounded once, in the precision that the operator is asked for; what follows is exact in float32.
Result importQuantizeLinear(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ElementType type, node.elementType("output_dtype", DType::U8));
  if (node.has(2)) {
    if (node.hasAttribute("output_dtype") && type != node.elementType(2)) {
      return invalid("operand 2 (y_zero_point) is ", std::string(name(node.elementType(2))),
                     ", but attribute 'output_dtype' says ", std::string(name(type)));
    }
    type = node.elementType(2);
  }
  if (!isQuantised(type)) return invalid("does not give ", std::string(name(type)));
  const ElementType scaleType = node.elementType(1);
  HONE_ASSIGN_OR_RETURN(ElementType precision, node.elementType("precision", scaleType));
  if (precision.narrow || !isFloat(precision.dtype)) precision = DType::F32;
  HONE_ASSIGN_OR_RETURN(int64_t saturates, node.integer("saturate", 1));
  HONE_ASSIGN_OR_RETURN(Spread spread, readSpread(node));
  Result scale = spreadOver(node, 1, spread);
  Result quotient =
      build.apply(Op::Div, {build.cast(node.input(0), precision.dtype), converted(build, scale, precision.dtype)});
  std::optional<Result> zero;
  if (node.has(2)) zero = spreadOver(node, 2, spread);
  Narrowing narrowing;
  narrowing.saturates = saturates != 0;
  return quantised(build, quotient, zero, type, narrowing);
}

// Small integers and narrow floats are exact in float32, so that one rounding gives the result.
Result importDequantizeLinear(NodeContext &node) {
  Builder &build = node.build;
  const ElementType type = node.elementType(0);
  if (!isQuantised(type) && !isInteger(type.dtype)) return invalid("takes integers, not ", std::string(name(type)));
  HONE_ASSIGN_OR_RETURN(ElementType result, node.elementType("output_dtype", node.elementType(1)));
  if (result.narrow || !isFloat(result.dtype)) {
    return invalid("does not give ", std::string(name(result)), "; set the attribute 'output_dtype'");
  }
  HONE_ASSIGN_OR_RETURN(Spread spread, readSpread(node));
  const DType wide = widened(result.dtype);
  Result scale = converted(build, spreadOver(node, 1, spread), wide);
  Result data = plainNumbers(build, node.input(0), wide);
  if (node.has(2)) {
    if (node.elementType(2) != type) {
      return invalid("operand 2 (x_zero_point) is ", std::string(name(node.elementType(2))), ", but the data ",
                     std::string(name(type)));
    }
    Result zero = plainNumbers(build, spreadOver(node, 2, spread), wide);
    // The difference of two int32 has 33 bits.
    const DType exact = isFloat(type) ? wide : sizeOf(type.dtype) <= 2 ? DType::I32 : DType::I64;
    data = build.apply(Op::Sub, {build.cast(data, exact), build.cast(zero, exact)});
  }
  return build.cast(build.apply(Op::Mul, {build.cast(data, wide), scale}), result.dtype);
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
  // Scales may be shorter floats.
  Result rows = build.cast(alongMatrix(node, 1, true), DType::F32);
  Result columns = build.cast(alongMatrix(node, 4, false), DType::F32);
  Result resultScale = build.cast(alongAxis(node, 6, 0, 1, 1), DType::F32);
  Result scale = build.apply(Op::Div, {build.apply(Op::Mul, {rows, columns}), resultScale});
  return requantised(node, sum, scale, 7);
}

}  // namespace hone::frontend
