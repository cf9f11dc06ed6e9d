// Approximate: a value of the interpreter with a bound on how far a computation in the element's own precision, in
// any order, may be from it. The bound is carried through every operation (running error analysis), so that the
// tolerance of a test follows from what was computed. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/base/dtype.h"
#include "compiler/base/scalar_op.h"

namespace hone::tensor {

struct Approximate {
  double real = 0;      ///< of float types
  int64_t integer = 0;  ///< of integer types and bool, wrapped (U64: as bits)
  double error = 0;     ///< absolute; infinite where nothing can be said. Bool: above 0 if it may be the other
};

/// op(args) by the semantics of ScalarOp: floats in double, integers wrapped in \p dtype, the operands' dtype (of
/// Select: that of the two choices).
Approximate applyScalarOp(ScalarOp op, DType dtype, const std::vector<Approximate> &args);

/// By the semantics of ScalarKind::Cast; to a float type it rounds. What does not fit an integer type saturates.
Approximate castTo(DType to, DType from, const Approximate &value);

/// By the semantics of ScalarKind::Bits.
Approximate bitsAs(DType to, DType from, const Approximate &value);

/// How far a sum of \p length floats whose magnitudes add up to \p magnitude may be from the exact one, when
/// it is added up in \p dtype in any sensible order. Rounding errors are taken as independent: they grow with the
/// square root of the length.
double sumTolerance(int64_t length, double magnitude, DType dtype);

/// The largest error of rounding \p value to float type \p dtype once.
double roundingError(DType dtype, double value);

}  // namespace hone::tensor
