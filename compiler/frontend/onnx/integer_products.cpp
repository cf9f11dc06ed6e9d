// The real product is (sum of integer products + integer bias) * (scale of data * scale of weights). Computed from
// numbers that were scaled before, the sum would be rounded at each step, and near the middle between two steps of the
// result's own quantisation it would now and then fall on the other side; one such step changes many of the next layer.
#include "compiler/frontend/onnx/integer_products.h"

#include <algorithm>
#include <cmath>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/quantisation.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;
using Numbers = std::vector<double>;

/// Scales that are the product of two others agree with it to the last bits.
constexpr double kAgreement = 0x1p-20;

const ScaledIntegers *dequantised(Builder &build, ValueId value) {
  const ScaledIntegers *parts = build.scaledIntegers(value);
  return parts != nullptr && !parts->isSum ? parts : nullptr;
}

bool isSingle(Builder &build, ValueId value) { return build.type(value).elements() == 1; }

Numbers numbersOf(const graph::ConstantData &constant) {
  Numbers numbers(static_cast<size_t>(constant.type.elements()));
  graph::readElements(constant, 0, 1, constant.type.elements(), numbers.data());
  return numbers;
}

bool agree(const graph::ConstantData *left, const graph::ConstantData *right) {
  if (left == nullptr || right == nullptr) return false;
  const Numbers a = numbersOf(*left), b = numbersOf(*right);
  if (a.size() != b.size() && a.size() != 1 && b.size() != 1) return false;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const double x = a[a.size() == 1 ? 0 : i], y = b[b.size() == 1 ? 0 : i];
    if (!(std::fabs(x - y) <= kAgreement * std::fabs(y))) return false;
  }
  return true;
}

/// \p sum times \p scale, and what it was made of.
OptionalValue scaledSum(Builder &build, Result sum, ValueId scale) {
  HONE_ASSIGN_OR_RETURN(ValueId integers, sum);
  HONE_ASSIGN_OR_RETURN(ValueId value, build.apply(Op::Mul, {integers, scale}));
  build.setScaledIntegers(value, {integers, scale, true});
  return std::optional<ValueId>(value);
}

/// The integers of \p bias where they count in steps of \p scale, as the sum does.
std::optional<ValueId> integersOfBias(Builder &build, ValueId bias, ValueId scale) {
  const ScaledIntegers *parts = dequantised(build, bias);
  if (parts == nullptr || !agree(build.constant(parts->scale), build.constant(scale))) return std::nullopt;
  return parts->integers;
}

/// The constants \p above / \p below, a single number.
OptionalValue ratioOfScales(Builder &build, ValueId above, ValueId below) {
  if (build.dtype(below) != DType::F32 || !isSingle(build, below)) return std::nullopt;
  if (build.constant(below) == nullptr || build.constant(above) == nullptr) return std::nullopt;
  HONE_ASSIGN_OR_RETURN(ValueId ratio, build.apply(Op::Div, {above, build.reshape(below, {})}));
  if (build.constant(ratio) == nullptr) return std::nullopt;
  // An infinite ratio makes a NaN of a sum that is 0, and a denormal one is none while kernels run.
  const Numbers numbers = numbersOf(*build.constant(ratio));
  const bool areUsual = std::all_of(numbers.begin(), numbers.end(), [](double number) {
    return std::isfinite(number) && std::fabs(number) >= 0x1p-126;
  });
  return areUsual ? std::optional<ValueId>(ratio) : std::nullopt;
}

}  // namespace

OptionalValue convOfIntegers(Builder &build, ValueId data, ValueId weight, const std::vector<Result> &bias,
                             const graph::ConvAttributes &attributes) {
  const ScaledIntegers *x = dequantised(build, data), *w = dequantised(build, weight);
  if (x == nullptr || w == nullptr || !isSingle(build, x->scale)) return std::nullopt;
  const int64_t rank = build.rank(weight), channels = build.shape(weight)[0];
  Shape perFilter(static_cast<size_t>(rank), 1), perChannel(static_cast<size_t>(rank - 1), 1);
  perFilter[0] = perChannel[0] = channels;
  Result ofWeight = w->scale;
  if (!isSingle(build, w->scale)) {
    if (build.shape(w->scale) != perFilter) return std::nullopt;
    ofWeight = build.reshape(w->scale, perChannel);
  }
  HONE_ASSIGN_OR_RETURN(ValueId scale, build.apply(Op::Mul, {x->scale, ofWeight}));
  if (bias.empty()) return scaledSum(build, build.conv(x->integers, w->integers, {}, attributes), scale);
  HONE_ASSIGN_OR_RETURN(ValueId added, bias[0]);
  if (const std::optional<ValueId> integers = integersOfBias(build, added, scale)) {
    return scaledSum(build, build.conv(x->integers, w->integers, {*integers}, attributes), scale);
  }
  Result product = build.apply(Op::Mul, {build.conv(x->integers, w->integers, {}, attributes), scale});
  HONE_ASSIGN_OR_RETURN(ValueId value, build.apply(Op::Add, {product, build.reshape(added, perChannel)}));
  return std::optional<ValueId>(value);
}

OptionalValue matMulOfIntegers(Builder &build, ValueId a, ValueId b, const std::vector<Result> &bias,
                               const graph::MatMulAttributes &attributes) {
  const ScaledIntegers *x = dequantised(build, a), *w = dequantised(build, b);
  if (x == nullptr || w == nullptr || !isSingle(build, x->scale)) return std::nullopt;
  Result ofWeight = w->scale;
  if (!isSingle(build, w->scale)) {
    const Shape &shape = build.shape(b);
    const int64_t columns = attributes.transposeB ? shape[shape.size() - 2] : shape.back();
    const Shape alongColumns = attributes.transposeB ? Shape{columns, 1} : Shape{columns};
    if (build.shape(w->scale) != alongColumns) return std::nullopt;
    ofWeight = build.reshape(w->scale, {columns});
  }
  HONE_ASSIGN_OR_RETURN(ValueId scale, build.apply(Op::Mul, {x->scale, ofWeight}));
  HONE_ASSIGN_OR_RETURN(ValueId sum,
                        build.matMul(x->integers, w->integers, attributes.transposeA, attributes.transposeB));
  if (bias.empty()) return scaledSum(build, sum, scale);
  HONE_ASSIGN_OR_RETURN(ValueId added, bias[0]);
  if (!graph::broadcastsTo(build.shape(added), build.shape(sum))) return std::nullopt;
  if (const std::optional<ValueId> integers = integersOfBias(build, added, scale)) {
    return scaledSum(build, build.apply(Op::Add, {sum, *integers}), scale);
  }
  HONE_ASSIGN_OR_RETURN(ValueId value, build.apply(Op::Add, {build.apply(Op::Mul, {sum, scale}), added}));
  return std::optional<ValueId>(value);
}

OptionalValue sumOfBytes(Builder &build, ValueId value, ValueId scale, ValueId zero) {
  const Summands *sum = build.summands(value);
  if (sum == nullptr || build.elementType(zero) != ElementType(DType::U8) || !isSingle(build, zero)) {
    return std::nullopt;
  }
  const auto part = [&](ValueId operand) -> absl::StatusOr<std::optional<QuantisedSummand>> {
    const ScaledIntegers *parts = dequantised(build, operand);
    if (parts == nullptr || build.elementType(parts->stored) != ElementType(DType::U8)) return std::nullopt;
    if (!isSingle(build, parts->scale) || (parts->zero >= 0 && !isSingle(build, parts->zero))) return std::nullopt;
    HONE_ASSIGN_OR_RETURN(std::optional<ValueId> ratio, ratioOfScales(build, parts->scale, scale));
    if (!ratio) return std::nullopt;
    QuantisedSummand summand = {parts->stored, *ratio, build.number(DType::F32, 0)};
    if (parts->zero >= 0) summand.zero = build.cast(build.reshape(parts->zero, {}), DType::F32);
    return std::optional(std::move(summand));
  };
  HONE_ASSIGN_OR_RETURN(std::optional<QuantisedSummand> left, part(sum->left));
  HONE_ASSIGN_OR_RETURN(std::optional<QuantisedSummand> right, part(sum->right));
  if (!left || !right) return std::nullopt;
  HONE_ASSIGN_OR_RETURN(ValueId result,
                        quantisedSum(build, *left, *right, build.cast(build.reshape(zero, {}), DType::F32), DType::U8));
  return std::optional<ValueId>(result);
}

OptionalValue quotientOfSum(Builder &build, ValueId value, ValueId scale) {
  const ScaledIntegers *parts = build.scaledIntegers(value);
  if (parts == nullptr || !parts->isSum) return std::nullopt;
  HONE_ASSIGN_OR_RETURN(std::optional<ValueId> ratio, ratioOfScales(build, parts->scale, scale));
  if (!ratio) return std::nullopt;
  HONE_ASSIGN_OR_RETURN(ValueId quotient, build.apply(Op::Mul, {parts->integers, *ratio}));
  return std::optional<ValueId>(quotient);
}

}  // namespace hone::frontend
