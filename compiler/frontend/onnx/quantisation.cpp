// Numbers as small integers with a scale and a zero point: real = (integer - zero) * scale. Products are accumulated in
// int32 and exact; results are rounded half to even and saturate.
#include "compiler/frontend/onnx/quantisation.h"

#include <limits>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/conversion.h"
#include "compiler/frontend/onnx/exact_sums.h"
#include "compiler/frontend/onnx/integer_products.h"
#include "compiler/frontend/onnx/microsoft_operators.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/wide_unary.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

bool isSmallInteger(DType dtype) { return isInteger(dtype) && sizeOf(dtype) <= 2; }

}  // namespace

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

namespace {

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

}  // namespace

Result quantised(Builder &build, Result quotient, const std::optional<Result> &zero, ElementType type,
                 Narrowing narrowing) {
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

// int32 holds the difference of any two 16-bit integers.
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

namespace {

/// The position of an operand that the operator does not have.
constexpr int kNowhere = std::numeric_limits<int>::max();

/// What a quantised product is made of: operands \p data and \p weight with their zero points, and an int32 bias.
struct Operands {
  int data, dataZero, weight, weightZero, bias = kNowhere;
};

absl::StatusOr<std::optional<Result>> optionalZero(NodeContext &node, int position, int64_t axis, int64_t rank,
                                                   int64_t extent) {
  if (!node.has(position)) return std::optional<Result>();
  HONE_RETURN_IF_ERROR(checkSmall(node, position));
  HONE_ASSIGN_OR_RETURN(ValueId zero, alongAxis(node, position, axis, rank, extent));
  return std::optional<Result>(zero);
}

std::optional<ValueId> operandAt(NodeContext &node, int position) {
  return node.has(position) ? std::optional(node.input(position)) : std::nullopt;
}

/// The dtype in which sums of products are exact.
DType exactType(NodeContext &node, const Operands &operands, bool isConv) {
  IntegerProduct product;
  product.data = node.input(operands.data);
  product.weight = node.input(operands.weight);
  product.dataZero = operandAt(node, operands.dataZero);
  product.weightZero = operandAt(node, operands.weightZero);
  product.bias = operandAt(node, operands.bias);
  product.isAlongFirst = isConv;
  return isExactInFloat(node.build, product) ? DType::F32 : DType::I32;
}

/// The convolution, exact, in int32 or float32. Padding is the zero point, thus 0.
Result integerConv(NodeContext &node, const Operands &operands) {
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
  const DType type = exactType(node, operands, true);
  std::vector<Result> bias;
  if (node.has(operands.bias)) bias.emplace_back(build.cast(node.input(operands.bias), type));
  return build.conv(build.cast(centred(build, node.input(operands.data), dataZero), type),
                    build.cast(centred(build, node.input(operands.weight), weightZero), type), bias,
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

/// The matrix product, exact, in int32 or float32.
Result integerMatMul(NodeContext &node, const Operands &operands) {
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(checkSmall(node, operands.data));
  HONE_RETURN_IF_ERROR(checkSmall(node, operands.weight));
  std::optional<Result> dataZero, weightZero;
  if (node.has(operands.dataZero)) dataZero = alongMatrix(node, operands.dataZero, true);
  if (node.has(operands.weightZero)) weightZero = alongMatrix(node, operands.weightZero, false);
  const DType type = exactType(node, operands, false);
  return matMulOfAnyRank(build, build.cast(centred(build, node.input(operands.data), dataZero), type),
                         build.cast(centred(build, node.input(operands.weight), weightZero), type));
}

/// \p sum, of integers, times \p scale as \p dtype.
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
  HONE_ASSIGN_OR_RETURN(ValueId scale, converted(build, spreadOver(node, 1, spread), precision.dtype));
  if (node.has(2)) {
    HONE_ASSIGN_OR_RETURN(std::optional<ValueId> sum, sumOfBytes(build, node.input(0), scale, node.input(2)));
    if (sum) return *sum;
  }
  HONE_ASSIGN_OR_RETURN(std::optional<ValueId> ofSum, quotientOfSum(build, node.input(0), scale));
  Result quotient = ofSum ? Result(*ofSum) : build.apply(Op::Div, {build.cast(node.input(0), precision.dtype), scale});
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
  ValueId zeroPoint = kOmitted;
  if (node.has(2)) {
    if (node.elementType(2) != type) {
      return invalid("operand 2 (x_zero_point) is ", std::string(name(node.elementType(2))), ", but the data ",
                     std::string(name(type)));
    }
    HONE_ASSIGN_OR_RETURN(zeroPoint, spreadOver(node, 2, spread));
    Result zero = plainNumbers(build, zeroPoint, wide);
    // The difference of two int32 has 33 bits.
    const DType exact = isFloat(type) ? wide : sizeOf(type.dtype) <= 2 ? DType::I32 : DType::I64;
    data = build.apply(Op::Sub, {build.cast(data, exact), build.cast(zero, exact)});
  }
  HONE_ASSIGN_OR_RETURN(ValueId integers, build.cast(data, wide));
  HONE_ASSIGN_OR_RETURN(ValueId value, build.cast(build.apply(Op::Mul, {integers, scale}), result.dtype));
  if (!isFloat(type) && result == ElementType(DType::F32) && build.constant(*scale) != nullptr) {
    build.setScaledIntegers(value, {integers, *scale, false, node.input(0), zeroPoint});
  }
  return value;
}

// The scale maps the range of the data, which always includes 0, onto 0 to 255. Data that is 0 throughout has scale 1.
absl::StatusOr<DynamicallyQuantised> quantisedDynamically(Builder &build, ValueId x) {
  if (build.dtype(x) != DType::F32) return invalid("takes float32, not ", graph::typeText(build.type(x)));
  std::vector<int64_t> axes(static_cast<size_t>(build.rank(x)));
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
  return DynamicallyQuantised{result, scale, zero};
}

Result importDynamicQuantizeLinear(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(DynamicallyQuantised result, quantisedDynamically(node.build, node.input(0)));
  node.addOutput(result.scale);
  node.addOutput(result.zero);
  return result.integers;
}

Result importConvInteger(NodeContext &node) { return node.build.cast(integerConv(node, {0, 2, 1, 3}), DType::I32); }

Result importMatMulInteger(NodeContext &node) { return node.build.cast(integerMatMul(node, {0, 2, 1, 3}), DType::I32); }

// The scale of the sums is the product of the scales of what is multiplied; the bias has it already.
Result importQLinearConv(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ValueId sum, integerConv(node, {0, 2, 3, 5, 8}));
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

// (A, B, scale of A, scale of B, zero of A, zero of B, bias): the product as float.
Result importMatMulIntegerToFloat(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ValueId sum, integerMatMul(node, {0, 4, 1, 5}));
  Result scale = build.apply(Op::Mul, {alongMatrix(node, 2, true), alongMatrix(node, 3, false)});
  HONE_ASSIGN_OR_RETURN(ValueId real, build.apply(Op::Mul, {build.cast(sum, node.dtype(2)), scale}));
  return node.has(6) ? build.apply(Op::Add, {real, node.input(6)}) : Result(real);
}

// (A as float, B, scale of B, zero of B, bias)
Result importDynamicQuantizeMatMul(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(DynamicallyQuantised a, quantisedDynamically(node.build, node.input(0)));
  const auto operand = [&](int position) { return node.has(position) ? node.input(position) : kOmitted; };
  NodeContext product = node.withInputs(
      {a.integers, node.input(1), a.scale, node.input(2), a.zero, operand(3), operand(4)}, node.version());
  return importMatMulIntegerToFloat(product);
}

// (A, scale, zero, B, scale, zero, C, scale and zero of the result): C has the scale of the products already. Without a
// zero point the result stays float.
Result importQGemm(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  HONE_ASSIGN_OR_RETURN(int64_t transposeA, node.integer("transA", 0));
  HONE_ASSIGN_OR_RETURN(int64_t transposeB, node.integer("transB", 0));
  if (node.rank(0) != 2 || node.rank(3) != 2) {
    return invalid("takes matrices, not shapes ", graph::shapeText(node.shape(0)), " and ",
                   graph::shapeText(node.shape(3)));
  }
  HONE_RETURN_IF_ERROR(checkSmall(node, 0));
  HONE_RETURN_IF_ERROR(checkSmall(node, 3));
  const int64_t axis = transposeB != 0 ? 0 : 1, columns = node.shape(3)[static_cast<size_t>(axis)];
  Result a = centred(build, node.input(0), alongAxis(node, 2, 0, 2, 1));
  Result b = centred(build, node.input(3), alongAxis(node, 5, axis, 2, columns));
  HONE_ASSIGN_OR_RETURN(ValueId sum, build.matMul(a, b, transposeA != 0, transposeB != 0));
  if (node.has(6)) {
    if (!graph::broadcastsTo(node.shape(6), build.shape(sum))) {
      return invalid("operand 6 (C) of shape ", graph::shapeText(node.shape(6)), " does not broadcast to ",
                     graph::shapeText(build.shape(sum)));
    }
    HONE_ASSIGN_OR_RETURN(sum, build.apply(Op::Add, {sum, build.cast(node.input(6), DType::I32)}));
  }
  Result scale = build.apply(Op::Mul, {alongAxis(node, 1, 0, 1, 1), alongAxis(node, 4, 1, 2, columns)});
  scale = build.apply(Op::Mul, {scale, build.number(DType::F32, alpha)});
  if (node.has(7)) scale = build.apply(Op::Div, {scale, alongAxis(node, 7, 0, 1, 1)});
  if (node.has(8)) return requantised(node, sum, scale, 8);
  return build.apply(Op::Mul, {build.cast(sum, DType::F32), scale});
}

}  // namespace hone::frontend
