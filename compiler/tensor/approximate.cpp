#include "compiler/tensor/approximate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/tensor/host_tensor.h"

// The scalar operations are written here once more, beside those of the graph's evaluator, on purpose: tests compare
// compiled code with either, and a mistake in one shows in the other.

namespace hone::tensor {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Polynomials for transcendental functions are allowed this many roundings.
constexpr double kFunctionRoundings = 8;

double sign(double a) { return std::isnan(a) ? a : (a > 0 ? 1 : 0) - (a < 0 ? 1 : 0); }

double floorModulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(rest, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double floatResult(ScalarOp op, const std::vector<Approximate> &args) {
  const double a = args[0].real;
  const double b = args.size() > 1 ? args[1].real : 0;
  switch (op) {
    case ScalarOp::Neg:
      return -a;
    case ScalarOp::Abs:
      return std::fabs(a);
    case ScalarOp::Sign:
      return sign(a);
    case ScalarOp::Sqrt:
      return std::sqrt(a);
    case ScalarOp::Exp:
      return std::exp(a);
    case ScalarOp::Log:
      return std::log(a);
    case ScalarOp::Sin:
      return std::sin(a);
    case ScalarOp::Cos:
      return std::cos(a);
    case ScalarOp::Tan:
      return std::tan(a);
    case ScalarOp::Tanh:
      return std::tanh(a);
    case ScalarOp::Erf:
      return std::erf(a);
    case ScalarOp::Expm1:
      return std::expm1(a);
    case ScalarOp::Log1p:
      return std::log1p(a);
    case ScalarOp::Atan:
      return std::atan(a);
    case ScalarOp::Floor:
      return std::floor(a);
    case ScalarOp::Ceil:
      return std::ceil(a);
    case ScalarOp::Round:
      return std::nearbyint(a);
    case ScalarOp::Add:
      return a + b;
    case ScalarOp::Sub:
      return a - b;
    case ScalarOp::Mul:
      return a * b;
    case ScalarOp::Div:
      return a / b;
    case ScalarOp::FloorMod:
      return floorModulo(a, b);
    case ScalarOp::TruncMod:
      return std::fmod(a, b);
    case ScalarOp::Min:
      return std::isnan(a) || a < b ? a : b;
    case ScalarOp::Max:
      return std::isnan(a) || a > b ? a : b;
    case ScalarOp::Pow:
      return std::pow(a, b);
    case ScalarOp::Select:
      return args[0].integer != 0 ? b : args[2].real;
    default:
      return std::nan("");
  }
}

bool floatPredicate(ScalarOp op, const std::vector<Approximate> &args) {
  const double a = args[0].real;
  switch (op) {
    case ScalarOp::IsNan:
      return std::isnan(a);
    case ScalarOp::IsInf:
      return std::isinf(a);
    case ScalarOp::Equal:
      return a == args[1].real;
    case ScalarOp::Less:
      return a < args[1].real;
    default:
      return a <= args[1].real;
  }
}

uint64_t integerPower(uint64_t base, int64_t exponent, bool isSigned) {
  if (exponent < 0 && isSigned) {
    if (base == 1) return 1;
    if (base == ~uint64_t{0}) return exponent % 2 == 0 ? 1 : base;
    return 0;
  }
  uint64_t result = 1;
  for (auto rest = static_cast<uint64_t>(exponent); rest != 0; rest >>= 1) {
    if ((rest & 1) != 0) result *= base;
    base *= base;
  }
  return result;
}

/// Quotient and remainders, which differ between signed and unsigned. Division by zero gives 0.
int64_t integerQuotient(ScalarOp op, bool isSigned, int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (!isSigned) {
    const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
    return static_cast<int64_t>(op == ScalarOp::Div ? x / y : x % y);
  }
  // The one quotient that overflows; negation wraps.
  if (b == -1) return op == ScalarOp::Div ? static_cast<int64_t>(-static_cast<uint64_t>(a)) : 0;
  if (op == ScalarOp::Div) return a / b;
  const int64_t rest = a % b;
  return op == ScalarOp::FloorMod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

bool integerLess(bool isSigned, int64_t a, int64_t b) {
  return isSigned ? a < b : static_cast<uint64_t>(a) < static_cast<uint64_t>(b);
}

int64_t shifted(ScalarOp op, DType dtype, int64_t a, int64_t amount) {
  // All bits but the sign go; an amount below 0 is a very large one.
  const bool isBeyond = amount < 0 || amount >= 8 * sizeOf(dtype);
  if (isBeyond) return op == ScalarOp::ShiftRight && isSigned(dtype) && a < 0 ? -1 : 0;
  if (op == ScalarOp::ShiftLeft) return static_cast<int64_t>(static_cast<uint64_t>(a) << amount);
  return isSigned(dtype) ? a >> amount : static_cast<int64_t>(static_cast<uint64_t>(a) >> amount);
}

int64_t integerResult(ScalarOp op, DType dtype, const std::vector<Approximate> &args) {
  const int64_t a = args[0].integer;
  const int64_t b = args.size() > 1 ? args[1].integer : 0;
  // Wrapping arithmetic is that of unsigned numbers.
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  const bool hasSign = isSigned(dtype);
  switch (op) {
    case ScalarOp::Neg:
      return static_cast<int64_t>(-x);
    case ScalarOp::Abs:
      return hasSign && a < 0 ? static_cast<int64_t>(-x) : a;
    case ScalarOp::Sign:
      return hasSign && a < 0 ? -1 : (a != 0 ? 1 : 0);
    case ScalarOp::Floor:
    case ScalarOp::Ceil:
    case ScalarOp::Round:
      return a;
    case ScalarOp::Not:
      return a == 0 ? 1 : 0;
    case ScalarOp::BitNot:
      return ~a;
    case ScalarOp::Add:
      return static_cast<int64_t>(x + y);
    case ScalarOp::Sub:
      return static_cast<int64_t>(x - y);
    case ScalarOp::Mul:
      return static_cast<int64_t>(x * y);
    case ScalarOp::Div:
    case ScalarOp::FloorMod:
    case ScalarOp::TruncMod:
      return integerQuotient(op, hasSign, a, b);
    case ScalarOp::Min:
      return integerLess(hasSign, a, b) ? a : b;
    case ScalarOp::Max:
      return integerLess(hasSign, b, a) ? a : b;
    case ScalarOp::Pow:
      return static_cast<int64_t>(integerPower(x, b, hasSign));
    case ScalarOp::And:
    case ScalarOp::BitAnd:
      return a & b;
    case ScalarOp::Or:
    case ScalarOp::BitOr:
      return a | b;
    case ScalarOp::Xor:
    case ScalarOp::BitXor:
      return a ^ b;
    case ScalarOp::ShiftLeft:
    case ScalarOp::ShiftRight:
      return shifted(op, dtype, a, b);
    case ScalarOp::Equal:
      return a == b ? 1 : 0;
    case ScalarOp::Less:
      return integerLess(hasSign, a, b) ? 1 : 0;
    case ScalarOp::LessEqual:
      return integerLess(hasSign, b, a) ? 0 : 1;
    case ScalarOp::Select:
      return a != 0 ? b : args[2].integer;
    default:
      return 0;
  }
}

/// The value alone.
Approximate exact(ScalarOp op, DType dtype, const std::vector<Approximate> &args) {
  Approximate result;
  if (!isFloat(dtype)) {
    result.integer = isPredicate(op) ? integerResult(op, dtype, args) : wrapTo(dtype, integerResult(op, dtype, args));
  } else if (isPredicate(op)) {
    result.integer = floatPredicate(op, args) ? 1 : 0;
  } else {
    result.real = floatResult(op, args);
  }
  return result;
}

bool isBoolOperand(ScalarOp op, DType dtype, size_t position) {
  return dtype == DType::Bool || (op == ScalarOp::Select && position == 0);
}

/// How far the result moves when every operand moves by its error: tried at the corners.
double propagated(ScalarOp op, DType dtype, const std::vector<Approximate> &args, const Approximate &result) {
  const bool resultIsFloat = isFloat(dtype) && !isPredicate(op);
  if (op == ScalarOp::Select && args[0].error == 0) return args[args[0].integer != 0 ? 1 : 2].error;
  double total = 0;
  for (const Approximate &arg : args) total += arg.error;
  if (total == 0) return 0;
  if (!std::isfinite(total)) return kInfinity;
  if (op == ScalarOp::Equal && dtype != DType::Bool) {
    const double distance = isFloat(dtype)
                                ? args[0].real - args[1].real
                                : static_cast<double>(args[0].integer) - static_cast<double>(args[1].integer);
    return std::fabs(distance) <= total ? 1 : 0;
  }
  int corners = 1;
  for (size_t i = 0; i < args.size(); ++i) corners *= 3;
  double farthest = 0;
  for (int corner = 0; corner < corners; ++corner) {
    std::vector<Approximate> moved = args;
    int rest = corner;
    for (size_t i = 0; i < args.size(); ++i, rest /= 3) {
      const int direction = rest % 3 - 1;
      if (args[i].error == 0 || direction == 0) continue;
      if (isBoolOperand(op, dtype, i)) {
        moved[i].integer = 1 - args[i].integer;
      } else if (isFloat(dtype)) {
        moved[i].real += direction * args[i].error;
      } else {
        moved[i].integer += direction * static_cast<int64_t>(std::ceil(std::min(args[i].error, 0x1p61)));
      }
    }
    const Approximate other = exact(op, dtype, moved);
    const double distance = resultIsFloat
                                ? std::fabs(other.real - result.real)
                                : std::fabs(static_cast<double>(other.integer) - static_cast<double>(result.integer));
    if (!(distance <= std::numeric_limits<double>::max())) return kInfinity;
    farthest = std::max(farthest, distance);
  }
  return farthest;
}

/// Rounding errors that the operation itself adds, in its own precision.
double ownError(ScalarOp op, DType dtype, const std::vector<Approximate> &args, double result, bool exactOperands) {
  const double once = roundingError(dtype, result);
  switch (op) {
    case ScalarOp::Add:
    case ScalarOp::Sub:
    case ScalarOp::Mul:
      // A result of exact operands that the type can hold is exact in any precision from there on.
      return exactOperands && dtype != DType::F64 && roundTo(dtype, result) == result ? 0 : once;
    case ScalarOp::Div:
    case ScalarOp::Sqrt:
    case ScalarOp::FloorMod:
    case ScalarOp::TruncMod:
      return 2 * once;
    case ScalarOp::Exp:
      return kFunctionRoundings * once;
    case ScalarOp::Log:
    case ScalarOp::Tanh:
    case ScalarOp::Erf:
    case ScalarOp::Expm1:
    case ScalarOp::Log1p:
    case ScalarOp::Atan:
      return kFunctionRoundings * once + 2 * roundingError(dtype, 1);
    case ScalarOp::Sin:
    case ScalarOp::Cos:
    case ScalarOp::Tan:
      // The argument is reduced by multiples of pi, which are rounded.
      return kFunctionRoundings * once + 2 * roundingError(dtype, std::max(1.0, std::fabs(args[0].real)));
    case ScalarOp::Pow: {
      const double exponent = std::fabs(args[1].real * std::log(std::fabs(args[0].real)));
      return (kFunctionRoundings + (std::isfinite(exponent) ? 2 * exponent : 0)) * once;
    }
    default:
      return 0;
  }
}

}  // namespace

double roundingError(DType dtype, double value) {
  double unit = 0x1p-53;
  double smallest = 0x1p-1074;
  if (dtype == DType::F32) unit = 0x1p-24, smallest = 0x1p-126;  // subnormals may be flushed
  if (dtype == DType::F16) unit = 0x1p-11, smallest = 0x1p-24;
  if (dtype == DType::BF16) unit = 0x1p-8, smallest = 0x1p-126;
  return std::isfinite(value) ? std::max(unit * std::fabs(value), smallest) : 0;
}

double sumTolerance(int64_t length, double magnitude, DType dtype) {
  if (length <= 1) return 0;
  return (1 + std::sqrt(static_cast<double>(length))) * roundingError(dtype, magnitude);
}

Approximate applyScalarOp(ScalarOp op, DType dtype, const std::vector<Approximate> &args) {
  Approximate result = exact(op, dtype, args);
  result.error = propagated(op, dtype, args, result);
  if (isFloat(dtype) && !isPredicate(op)) {
    result.error += ownError(op, dtype, args, result.real, result.error == 0);
  }
  return result;
}

Approximate castTo(DType to, DType from, const Approximate &value) {
  Approximate result;
  result.error = value.error;
  if (isFloat(to)) {
    const double real = isFloat(from)        ? value.real
                        : from == DType::U64 ? static_cast<double>(static_cast<uint64_t>(value.integer))
                                             : static_cast<double>(value.integer);
    result.real = roundTo(to, real);
    // Two values on either side of a rounding boundary end a whole unit apart.
    if (value.error != 0 || result.real != real) result.error += 2 * roundingError(to, real);
    return result;
  }
  if (!isFloat(from)) {
    result.integer = wrapTo(to, value.integer);
    return result;
  }
  if (to == DType::Bool) {
    result.integer = value.real != 0 ? 1 : 0;
    result.error = value.error != 0 && std::fabs(value.real) <= value.error ? 1 : 0;
    return result;
  }
  const auto truncated = [&](double real) {
    if (std::isnan(real)) return 0.0;
    const double bits = static_cast<double>(8 * sizeOf(to));
    const double highest = std::exp2(isSigned(to) ? bits - 1 : bits);
    return std::clamp(std::trunc(real), isSigned(to) ? -highest : 0.0,
                      bits == 64 ? std::nextafter(highest, 0) : highest - 1);
  };
  const double whole = truncated(value.real);
  result.integer = to == DType::U64 ? static_cast<int64_t>(static_cast<uint64_t>(whole)) : static_cast<int64_t>(whole);
  if (std::isfinite(value.error)) {
    result.error = std::max(whole - truncated(value.real - value.error), truncated(value.real + value.error) - whole);
  }
  return result;
}

Approximate bitsAs(DType to, DType from, const Approximate &value) {
  HostTensor element = HostTensor::zeros(from, {});
  if (isFloat(from)) {
    element.setReal(0, value.real);
  } else {
    element.setInteger(0, value.integer);
  }
  element.dtype = to;
  Approximate result;
  // Of bits that may be others nothing can be said.
  result.error = value.error != 0 ? std::numeric_limits<double>::infinity() : 0;
  if (isFloat(to)) {
    result.real = element.real(0);
  } else {
    result.integer = element.integer(0);
  }
  return result;
}

}  // namespace hone::tensor
