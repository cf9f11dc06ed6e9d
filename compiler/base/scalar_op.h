// ScalarOp: the functions on single elements, shared by the graph (elementwise nodes), TensorOps (bodies), loop
// nests and code generation. One table (scalar_op.cpp) gives name, arity, operands and more; the meaning is beside each
// entry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/base/dtype.h"

namespace hone {

// clang-format off: one line for each kind
/// Operands have one dtype, which is also the result's, except where noted: any but bool where nothing is said. Integer
/// arithmetic wraps.
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
  Min, Max,    // NaN when either operand is; of bools, too: false is less than true
  Pow,
  And, Or, Xor,              // bool
  BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight,
  Equal, Less, LessEqual,    // of any dtype -> bool
  // Ternary.
  Select,                    // (bool, a, b): a where true, of any dtype
};
// clang-format on

inline constexpr size_t kScalarOps = static_cast<size_t>(ScalarOp::Select) + 1;

std::string_view name(ScalarOp op);
std::optional<ScalarOp> parseScalarOp(std::string_view name);
int arity(ScalarOp op);
/// Whether the result is bool whatever the operands are.
bool isPredicate(ScalarOp op);
bool isCommutative(ScalarOp op);
/// Whether operands of \p dtype are allowed; of Select those behind the condition, which is bool.
bool accepts(ScalarOp op, DType dtype);

/// What an operation on vectors takes: an instruction or a few, the unit that divides, or a polynomial.
enum class ScalarCost : uint8_t { Instruction, Division, Function };
ScalarCost costOf(ScalarOp op);

}  // namespace hone
