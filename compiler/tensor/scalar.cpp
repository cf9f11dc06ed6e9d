// Constructors of scalar expressions.
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "compiler/tensor/host_tensor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {
namespace {

Scalar make(ScalarNode node) { return std::make_shared<const ScalarNode>(std::move(node)); }

ScalarNode node(ScalarKind kind, DType dtype) {
  ScalarNode result{};
  result.kind = kind;
  result.dtype = dtype;
  return result;
}

Scalar integerConstant(int64_t value, DType dtype) {
  ScalarNode result = node(ScalarKind::Constant, dtype);
  result.integer = value;
  return make(std::move(result));
}

/// Lowest or highest value of an integer dtype, as the bits that ScalarNode::integer holds.
int64_t integerLimit(DType dtype, bool highest) {
  const int64_t bits = 8 * sizeOf(dtype);
  if (dtype == DType::Bool) return highest ? 1 : 0;
  if (!isSigned(dtype)) return highest ? static_cast<int64_t>(~uint64_t{0} >> (64 - bits)) : 0;
  const int64_t top = std::numeric_limits<int64_t>::max() >> (64 - bits);
  return highest ? top : -top - 1;
}

}  // namespace

bool canHold(DType dtype, double value) {
  if (isFloat(dtype)) return true;
  const int bits = dtype == DType::Bool ? 1 : static_cast<int>(8 * sizeOf(dtype)) - (isSigned(dtype) ? 1 : 0);
  // The highest value itself may be no double, its successor is one.
  const double low = isSigned(dtype) ? -std::ldexp(1.0, bits) : 0, beyond = std::ldexp(1.0, bits);
  return value >= low && value < beyond && value == std::trunc(value);
}

Scalar number(double value, DType dtype) {
  if (isFloat(dtype)) {
    ScalarNode result = node(ScalarKind::Constant, dtype);
    // Constants hold what their dtype can hold, so that text, interpreter and generated code agree on them.
    result.number = roundTo(dtype, value);
    return make(std::move(result));
  }
  if (dtype == DType::Bool) return integerConstant(value != 0 ? 1 : 0, dtype);
  if (dtype == DType::U64 && value >= 0x1p63) {
    return integerConstant(static_cast<int64_t>(static_cast<uint64_t>(value)), dtype);
  }
  return integerConstant(static_cast<int64_t>(value), dtype);
}

Scalar indexValue(const Index &index) {
  ScalarNode result = node(ScalarKind::IndexValue, DType::I64);
  result.index = index;
  return make(std::move(result));
}

Scalar read(int position, DType dtype) {
  ScalarNode result = node(ScalarKind::Read, dtype);
  result.position = position;
  return make(std::move(result));
}

Scalar apply(ScalarOp op, std::vector<Scalar> args) {
  assert(static_cast<int>(args.size()) == arity(op));
  const DType dtype = isPredicate(op) ? DType::Bool : args[op == ScalarOp::Select ? 1 : 0]->dtype;
  ScalarNode result = node(ScalarKind::Apply, dtype);
  result.op = op;
  result.args = std::move(args);
  return make(std::move(result));
}

Scalar cast(DType dtype, const Scalar &arg) {
  if (arg->dtype == dtype) return arg;
  ScalarNode result = node(ScalarKind::Cast, dtype);
  result.args = {arg};
  return make(std::move(result));
}

Scalar bits(DType dtype, const Scalar &arg) {
  if (arg->dtype == dtype) return arg;
  ScalarNode result = node(ScalarKind::Bits, dtype);
  result.args = {arg};
  return make(std::move(result));
}

Scalar accumulator(int position, DType dtype) {
  ScalarNode result = node(ScalarKind::Accumulator, dtype);
  result.position = position;
  return make(std::move(result));
}

Scalar element(int position, DType dtype) {
  ScalarNode result = node(ScalarKind::Element, dtype);
  result.position = position;
  return make(std::move(result));
}

Scalar identity(CombinerKind kind, DType dtype) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (kind) {
    case CombinerKind::Sum:
      return number(0, dtype);
    case CombinerKind::Product:
      return number(1, dtype);
    case CombinerKind::Min:
      return isFloat(dtype) ? number(kInfinity, dtype) : integerConstant(integerLimit(dtype, true), dtype);
    case CombinerKind::Max:
      return isFloat(dtype) ? number(-kInfinity, dtype) : integerConstant(integerLimit(dtype, false), dtype);
    case CombinerKind::None:
    case CombinerKind::Custom:
      break;
  }
  assert(false && "only built-in combiners have a neutral element of their own");
  return number(0, dtype);
}

}  // namespace hone::tensor
