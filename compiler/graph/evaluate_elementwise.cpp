#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "compiler/graph/evaluate_parts.h"

namespace hone::graph {
namespace {

// Rows are computed in pieces of this length, in buffers that stay in the first-level cache.
constexpr int64_t kPiece = 1024;

double floorMod(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(rest, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double applyFloat(ScalarOp op, double a, double b, double c) {
  switch (op) {
    case ScalarOp::Neg:
      return -a;
    case ScalarOp::Abs:
      return std::fabs(a);
    case ScalarOp::Sign:
      return a > 0 ? 1 : a < 0 ? -1 : a;
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
    case ScalarOp::IsNan:
      return std::isnan(a) ? 1 : 0;
    case ScalarOp::IsInf:
      return std::isinf(a) ? 1 : 0;
    case ScalarOp::Add:
      return a + b;
    case ScalarOp::Sub:
      return a - b;
    case ScalarOp::Mul:
      return a * b;
    case ScalarOp::Div:
      return a / b;
    case ScalarOp::FloorMod:
      return floorMod(a, b);
    case ScalarOp::TruncMod:
      return std::fmod(a, b);
    case ScalarOp::Min:
      return std::isnan(a) || a < b ? a : b;
    case ScalarOp::Max:
      return std::isnan(a) || a > b ? a : b;
    case ScalarOp::Pow:
      return std::pow(a, b);
    case ScalarOp::Equal:
      return a == b ? 1 : 0;
    case ScalarOp::Less:
      return a < b ? 1 : 0;
    case ScalarOp::LessEqual:
      return a <= b ? 1 : 0;
    case ScalarOp::Select:
      return a != 0 ? b : c;
    default:
      return std::numeric_limits<double>::quiet_NaN();  // not for floats: refused by type inference
  }
}

/// Quotient towards zero; by zero gives 0, and the one quotient that overflows wraps.
template <typename T>
T divide(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(0 - static_cast<uint64_t>(a));
  }
  return a / b;
}

template <typename T>
T truncMod(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  return a % b;
}

template <typename T>
T floorMod(T a, T b) {
  T rest = truncMod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

template <typename T>
T power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) {
      if (base == 1) return 1;
      if (base == -1) return exponent % 2 == 0 ? 1 : -1;
      return 0;
    }
  }
  uint64_t result = 1, square = static_cast<uint64_t>(base);
  for (auto rest = static_cast<uint64_t>(exponent); rest != 0; rest >>= 1, square *= square) {
    if ((rest & 1) != 0) result *= square;
  }
  return static_cast<T>(result);
}

template <typename T>
T shiftRight(T a, T by) {
  bool tooFar = static_cast<uint64_t>(by) > 63;
  if (a < 0) return tooFar ? static_cast<T>(-1) : a >> by;
  return tooFar ? 0 : a >> by;
}

template <typename T>
T applyInteger(ScalarOp op, T a, T b, T c) {
  auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);  // arithmetic that wraps
  switch (op) {
    case ScalarOp::Neg:
      return static_cast<T>(0 - ua);
    case ScalarOp::Abs:
      return a < 0 ? static_cast<T>(0 - ua) : a;
    case ScalarOp::Sign:
      return static_cast<T>(a > 0 ? 1 : a < 0 ? -1 : 0);
    case ScalarOp::Floor:
    case ScalarOp::Ceil:
    case ScalarOp::Round:
      return a;
    case ScalarOp::Not:
      return a == 0 ? 1 : 0;
    case ScalarOp::BitNot:
      return static_cast<T>(~ua);
    case ScalarOp::Add:
      return static_cast<T>(ua + ub);
    case ScalarOp::Sub:
      return static_cast<T>(ua - ub);
    case ScalarOp::Mul:
      return static_cast<T>(ua * ub);
    case ScalarOp::Div:
      return divide(a, b);
    case ScalarOp::FloorMod:
      return floorMod(a, b);
    case ScalarOp::TruncMod:
      return truncMod(a, b);
    case ScalarOp::Min:
      return std::min(a, b);
    case ScalarOp::Max:
      return std::max(a, b);
    case ScalarOp::Pow:
      return power(a, b);
    case ScalarOp::And:
    case ScalarOp::BitAnd:
      return static_cast<T>(ua & ub);
    case ScalarOp::Or:
    case ScalarOp::BitOr:
      return static_cast<T>(ua | ub);
    case ScalarOp::Xor:
    case ScalarOp::BitXor:
      return static_cast<T>(ua ^ ub);
    case ScalarOp::ShiftLeft:
      return ub > 63 ? 0 : static_cast<T>(ua << ub);
    case ScalarOp::ShiftRight:
      return shiftRight(a, b);
    case ScalarOp::Equal:
      return a == b ? 1 : 0;
    case ScalarOp::Less:
      return a < b ? 1 : 0;
    case ScalarOp::LessEqual:
      return a <= b ? 1 : 0;
    case ScalarOp::Select:
      return a != 0 ? b : c;
    default:
      return 0;  // not for integers: refused by type inference
  }
}

template <typename T>
void applyPiece(ScalarOp op, const std::vector<std::vector<T>> &operands, int64_t count, std::vector<T> &result) {
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    if constexpr (std::is_same_v<T, double>) {
      result[i] = applyFloat(op, operands[0][i], operands[1][i], operands[2][i]);
    } else {
      result[i] = applyInteger(op, operands[0][i], operands[1][i], operands[2][i]);
    }
  }
}

/// One dim instead of many where every operand is either of the result's shape or a single element.
Shape flattened(const std::vector<Constant> &inputs, const TensorType &type) {
  bool flat = std::all_of(inputs.begin(), inputs.end(), [&](const Constant &input) {
    return input->type.elements() == 1 || input->type.elements() == type.elements();
  });
  if (flat) return {type.elements()};
  return type.shape;
}

template <typename T>
Constant evaluateAs(ScalarOp op, const std::vector<Constant> &inputs, const TensorType &type) {
  std::shared_ptr<ConstantData> result = makeResult(type);
  if (type.elements() == 0) return result;
  Shape shape = flattened(inputs, type);
  bool flat = shape != type.shape || shape.size() == 1;
  std::vector<Shape> strides;
  for (const Constant &input : inputs) {
    bool single = input->type.elements() == 1;
    strides.push_back(flat ? Shape{single ? 0 : 1} : broadcastStrides(input->type.shape, type.shape));
  }
  // A missing operand reads as zeros.
  std::vector<std::vector<T>> operands(3, std::vector<T>(kPiece, T{}));
  std::vector<T> piece(kPiece);
  int64_t row = shape.back();
  Shape outer(shape.begin(), shape.end() - 1), index(outer.size(), 0);
  int64_t position = 0;
  do {
    for (int64_t begin = 0; begin < row; begin += kPiece) {
      int64_t count = std::min(kPiece, row - begin);
      for (size_t i = 0; i < inputs.size(); ++i) {
        int64_t offset = begin * strides[i].back();
        for (size_t d = 0; d < outer.size(); ++d) offset += index[d] * strides[i][d];
        readElements(*inputs[i], offset, strides[i].back(), count, operands[i].data());
      }
      applyPiece(op, operands, count, piece);
      writeElements(result->bytes, type.dtype, position, count, piece.data());
      position += count;
    }
  } while (advance(index, outer));
  return result;
}

}  // namespace

Constant evaluateElementwise(ScalarOp op, const std::vector<Constant> &inputs, const TensorType &type) {
  DType dtype = inputs[op == ScalarOp::Select ? 1 : 0]->type.dtype;
  return withComputeType(dtype, [&]<typename T>(T) { return evaluateAs<T>(op, inputs, type); });
}

}  // namespace hone::graph
