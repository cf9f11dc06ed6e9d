// ScalarOp: the functions on single elements, shared by the graph (elementwise nodes), TensorOps (bodies), loop
// nests and code generation. One table (scalar_op.cpp) gives name and arity; the meaning is beside each entry.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hone {

// clang-format off: one line for each kind
/// Operands have one dtype, which is also the result's, except where noted. Integer arithmetic wraps.
enum class ScalarOp : uint8_t {
  // Unary.
  Neg, Abs, Sign,
  Sqrt, Exp, Log, Sin, Cos, Tan, Tanh, Erf,  // floats only
  Expm1, Log1p, Atan,                        // floats only; exact near 0: e^x - 1, log(1 + x)
  Floor, Ceil, Round,                        // Round: half to even; identity on integers
  Not,                                       // bool
  BitNot,                                    // integers
  IsNan, IsInf,                              // float -> bool
  // Binary.
  Add, Sub, Mul,
  Div,         // integers: truncates towards zero; by zero gives 0
  FloorMod,    // sign of the divisor; by zero gives 0
  TruncMod,    // sign of the dividend (C's fmod); by zero gives 0 for integers
  Min, Max,    // NaN when either operand is
  Pow,
  And, Or, Xor,              // bool
  BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight,
  Equal, Less, LessEqual,    // -> bool
  // Ternary.
  Select,                    // (bool, a, b): a where true
};
// clang-format on

std::string_view name(ScalarOp op);
std::optional<ScalarOp> parseScalarOp(std::string_view name);
int arity(ScalarOp op);
/// Whether the result is bool whatever the operands are.
bool isPredicate(ScalarOp op);
bool isCommutative(ScalarOp op);

}  // namespace hone
