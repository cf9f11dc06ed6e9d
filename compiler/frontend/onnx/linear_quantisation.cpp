// ONNX Runtime's operators on quantised numbers. Most are an operator of ONNX on the numbers that the integers stand
// for, whose result is quantised again.
#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/microsoft_operators.h"
#include "compiler/frontend/onnx/quantisation.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// The operands that hold a scale and a zero point; the latter may be omitted.
struct Scaling {
  int scale, zero;
};

/// Where the operators of one operand have their scalings.
constexpr Scaling kOfData = {1, 2}, kOfResult = {3, 4};

/// Whether the zero point takes part in the rounding, which matters halfway between two integers.
enum class Rounding : uint8_t { ThenZero, WithZero };

Result oneElement(NodeContext &node, int position) {
  if (!node.has(position)) return invalid("operand ", position, " is missing");
  ValueId value = node.input(position);
  if (node.build.type(value).elements() == 1) return node.build.reshape(value, {});
  return invalid("operand ", position, " has shape ", graph::shapeText(node.build.shape(value)),
                 "; a scale or zero point of one element is supported");
}

absl::StatusOr<std::optional<Result>> zeroOf(NodeContext &node, Scaling scaling) {
  if (!node.has(scaling.zero)) return std::optional<Result>();
  HONE_RETURN_IF_ERROR(checkSmall(node, scaling.zero));
  HONE_ASSIGN_OR_RETURN(ValueId zero, oneElement(node, scaling.zero));
  return std::optional<Result>(zero);
}

/// Operand \p position without its zero point, as int32.
Result integersOf(NodeContext &node, int position, Scaling scaling) {
  if (!node.has(position)) return invalid("operand ", position, " is missing");
  HONE_RETURN_IF_ERROR(checkSmall(node, position));
  HONE_ASSIGN_OR_RETURN(std::optional<Result> zero, zeroOf(node, scaling));
  return centred(node.build, node.input(position), zero);
}

Result scaled(Builder &build, Result integers, Result scale) {
  return build.apply(Op::Mul, {build.cast(std::move(integers), DType::F32), std::move(scale)});
}

/// What the integers of operand \p position stand for.
Result realOf(NodeContext &node, int position, Scaling scaling) {
  return scaled(node.build, integersOf(node, position, scaling), oneElement(node, scaling.scale));
}

/// \p a + \p b with each of them rounded to float before, and no fused multiply-add: at halves the last bit of a
/// product decides about a whole step.
Result sumOfRounded(Builder &build, Result a, Result b) {
  Result sum = build.apply(Op::Add, {build.cast(std::move(a), DType::F64), build.cast(std::move(b), DType::F64)});
  return build.cast(sum, DType::F32);
}

/// \p integers * \p factor + \p term, rounded to float once: what ONNX Runtime's fused multiply-adds give, whether the
/// target has them or not.
Result multipliedAndAdded(Builder &build, ValueId integers, Result factor, Result term) {
  Result product = build.apply(Op::Mul, {build.cast(integers, DType::F64), build.cast(std::move(factor), DType::F64)});
  return build.cast(build.apply(Op::Add, {product, build.cast(std::move(term), DType::F64)}), DType::F32);
}

/// \p quotient, a number over its scale, as integers with the zero point of \p scaling.
Result integersFrom(NodeContext &node, Result quotient, Scaling scaling, Rounding rounding, DType dtype) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::optional<Result> zero, zeroOf(node, scaling));
  if (zero && rounding == Rounding::WithZero) {
    quotient = sumOfRounded(build, quotient, build.cast(*zero, DType::F32));
    zero.reset();
  }
  return quantised(build, quotient, zero, dtype);
}

/// The ratio of two scales.
Result ratio(NodeContext &node, int above, int below) {
  return node.build.apply(Op::Div, {oneElement(node, above), oneElement(node, below)});
}

/// The dims of channels in front of the spatial ones where they are behind them, or the other way round.
Result channelsFirst(Builder &build, Result data, bool isBack = false) {
  if (!data.ok()) return data;
  std::vector<int64_t> order(static_cast<size_t>(build.rank(*data)));
  if (order.size() < 3) return invalid("takes 3 dims or more, not shape ", graph::shapeText(build.shape(*data)));
  std::iota(order.begin(), order.end(), 0);
  if (isBack) {
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  } else {
    std::rotate(order.begin() + 1, order.end() - 1, order.end());
  }
  return build.transpose(data, order);
}

/// \p import, of \p version, on \p operands, of which the first has its channels where the attribute says.
Result inLayout(NodeContext &node, std::vector<ValueId> operands, int64_t version, Result (*import)(NodeContext &)) {
  HONE_ASSIGN_OR_RETURN(int64_t isLast, node.integer("channels_last", 0));
  if (isLast != 0) {
    HONE_ASSIGN_OR_RETURN(operands[0], channelsFirst(node.build, operands[0]));
  }
  NodeContext moved = node.withInputs(operands, version);
  Result result = import(moved);
  return isLast != 0 ? channelsFirst(node.build, result, true) : result;
}

/// \p import, of \p version, on the numbers that the first operand stands for.
Result onReals(NodeContext &node, int64_t version, Result (*import)(NodeContext &), Rounding rounding) {
  const DType dtype = node.dtype(0);
  HONE_ASSIGN_OR_RETURN(ValueId data, realOf(node, 0, kOfData));
  HONE_ASSIGN_OR_RETURN(ValueId result, inLayout(node, {data}, version, import));
  Result quotient = node.build.apply(Op::Div, {result, oneElement(node, kOfResult.scale)});
  return integersFrom(node, quotient, kOfResult, rounding, dtype);
}

}  // namespace

// All zero points are in one number, to which the products with A and B are added in this order; if all elements of a
// row of A meet one element of B, that comes first.
Result quantisedSum(Builder &build, const QuantisedSummand &a, const QuantisedSummand &b, const Result &zero,
                    DType type) {
  Result zeros =
      build.apply(Op::Add, {build.apply(Op::Mul, {a.ratio, a.zero}), build.apply(Op::Mul, {b.ratio, b.zero})});
  Result fixed = build.apply(Op::Sub, {zero, zeros});
  const auto width = [&](ValueId value) { return build.rank(value) == 0 ? 1 : build.shape(value).back(); };
  const bool isRepeated = width(b.integers) == 1 && width(a.integers) != 1;
  const QuantisedSummand &first = isRepeated ? b : a, &second = isRepeated ? a : b;
  Result sum = multipliedAndAdded(build, first.integers, first.ratio, fixed);
  sum = multipliedAndAdded(build, second.integers, second.ratio, sum);
  return quantised(build, sum, std::nullopt, type);
}

// (A, scale, zero, B, scale, zero, scale and zero of the result)
Result importQLinearAdd(NodeContext &node) {
  Builder &build = node.build;
  const DType dtype = node.dtype(0);
  const auto zero = [&](Scaling scaling) -> Result {
    HONE_ASSIGN_OR_RETURN(std::optional<Result> value, zeroOf(node, scaling));
    return value ? build.cast(*value, DType::F32) : build.number(DType::F32, 0);
  };
  for (const int position : {0, 3}) {
    if (!node.has(position)) return invalid("operand ", position, " is missing");
    HONE_RETURN_IF_ERROR(checkSmall(node, position));
  }
  const QuantisedSummand a = {node.input(0), ratio(node, 1, 6), zero({1, 2})};
  const QuantisedSummand b = {node.input(3), ratio(node, 4, 6), zero({4, 5})};
  return quantisedSum(build, a, b, zero({6, 7}), dtype);
}

Result importQLinearMul(NodeContext &node) {
  Builder &build = node.build;
  Result product = build.apply(Op::Mul, {integersOf(node, 0, {1, 2}), integersOf(node, 3, {4, 5})});
  Result scale = build.apply(Op::Mul, {oneElement(node, 1), oneElement(node, 4)});
  scale = build.apply(Op::Div, {scale, oneElement(node, 6)});
  return integersFrom(node, scaled(build, product, scale), {6, 7}, Rounding::WithZero, node.dtype(0));
}

Result importQLinearSigmoid(NodeContext &node) { return onReals(node, 6, importSigmoid, Rounding::ThenZero); }
Result importQLinearLeakyRelu(NodeContext &node) { return onReals(node, 6, importLeakyRelu, Rounding::ThenZero); }
Result importQLinearReduceMean(NodeContext &node) { return onReals(node, 13, importReduceMean, Rounding::ThenZero); }
Result importQLinearAveragePool(NodeContext &node) { return onReals(node, 11, importAveragePool, Rounding::WithZero); }

// The sum of the integers is exact; their number goes into the scale.
Result importQLinearGlobalAveragePool(NodeContext &node) {
  const auto sumOfImage = [](NodeContext &image) -> Result {
    Builder &build = image.build;
    const std::vector<int64_t> axes = spatialAxes(image.rank(0));
    if (axes.empty()) return invalid("takes 3 dims or more, not shape ", graph::shapeText(image.shape(0)));
    double count = 1;
    for (const int64_t axis : axes) count *= static_cast<double>(image.shape(0)[static_cast<size_t>(axis)]);
    Result below = build.apply(Op::Mul, {oneElement(image, kOfResult.scale), build.number(DType::F32, count)});
    Result scale = build.apply(Op::Div, {oneElement(image, kOfData.scale), below});
    return scaled(build, build.reduce(graph::ReduceKind::Sum, image.input(0), axes, true), scale);
  };
  const DType dtype = node.dtype(0);
  std::vector<ValueId> operands = node.inputs();
  HONE_ASSIGN_OR_RETURN(operands[0], integersOf(node, 0, kOfData));
  Result quotient = inLayout(node, std::move(operands), node.version(), sumOfImage);
  return integersFrom(node, quotient, kOfResult, Rounding::ThenZero, dtype);
}

// The version of Softmax is an attribute. The scale of the result counts in whole steps to 1.
Result importQLinearSoftmax(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t version, node.integer("opset"));
  HONE_ASSIGN_OR_RETURN(ValueId data, realOf(node, 0, kOfData));
  NodeContext real = node.withInputs({data}, version);
  Result steps = build.apply(Op::Div, {build.number(DType::F32, 1), oneElement(node, kOfResult.scale)});
  Result quotient = build.apply(Op::Mul, {importSoftmax(real), build.apply(Op::Floor, {steps})});
  return integersFrom(node, quotient, kOfResult, Rounding::ThenZero, node.dtype(0));
}

// (scale and zero of the result, then data, scale and zero of each part)
Result importQLinearConcat(NodeContext &node) {
  Builder &build = node.build;
  const DType dtype = node.dtype(1);
  if (node.inputCount() < 5 || (node.inputCount() - 2) % 3 != 0) {
    return invalid(node.inputCount(), " operands, but two and then three for each part are wanted");
  }
  std::vector<ValueId> parts;
  for (int i = 2; i < node.inputCount(); i += 3) {
    if (!node.has(i) || !node.has(i + 1)) return invalid("operand ", node.has(i) ? i + 1 : i, " is missing");
    Result real = isFloat(node.dtype(i)) ? Result(node.input(i)) : realOf(node, i, {i + 1, i + 2});
    Result quotient = build.apply(Op::Div, {real, oneElement(node, 0)});
    HONE_ASSIGN_OR_RETURN(ValueId part, integersFrom(node, quotient, {0, 1}, Rounding::ThenZero, dtype));
    parts.push_back(part);
  }
  NodeContext all = node.withInputs(parts, 13);
  return importConcat(all);
}

// (condition, X, scale, zero, Y, scale, zero, scale and zero of the result)
Result importQLinearWhere(NodeContext &node) {
  Builder &build = node.build;
  if (node.dtype(0) != DType::Bool) return invalid("the condition is not bool");
  const auto converted = [&](int position) {
    Result real = realOf(node, position, {position + 1, position + 2});
    Result quotient = build.apply(Op::Div, {real, oneElement(node, 7)});
    return integersFrom(node, quotient, {7, 8}, Rounding::ThenZero, node.dtype(1));
  };
  return build.apply(Op::Select, {node.input(0), converted(1), converted(4)});
}

Result importQLinearConvOfEitherLayout(NodeContext &node) {
  return inLayout(node, node.inputs(), node.version(), importQLinearConv);
}

}  // namespace hone::frontend
