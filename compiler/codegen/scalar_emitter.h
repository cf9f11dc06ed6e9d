// ScalarEmitter: the functions on elements (ScalarOp, casts, vector math) as LLVM instructions on scalars or vectors.
//
// In registers bool is i1, integers are iN, f32 and f64 are float and double; f16 and bf16 are the i16 of their bits,
// computed in f32. No instruction emitted here becomes a call of libm. Borrows the builder; not thread-safe.
#pragma once

#include <span>
#include <vector>

#include "compiler/base/dtype.h"
#include "compiler/base/scalar_op.h"
#include "compiler/codegen/llvm_target.h"
#include "llvm/IR/IRBuilder.h"

namespace hone::codegen {

using Builder = llvm::IRBuilder<>;

llvm::Type *registerType(llvm::LLVMContext &context, DType dtype, int lanes);
/// The same, with bool as a byte.
llvm::Type *memoryType(llvm::LLVMContext &context, DType dtype, int lanes);

class ScalarEmitter {
 public:
  ScalarEmitter(Builder &builder, const Isa &isa, bool contract)
      : b_(builder), isa_(isa), useFma_(contract && isa.fma) {}

  /// \p dtype: of the operands (Select: of the second and third).
  llvm::Value *apply(ScalarOp op, DType dtype, std::span<llvm::Value *const> args);
  llvm::Value *cast(llvm::Value *value, DType from, DType to);
  bool usesFma() const { return useFma_; }

  // Pieces that vector math shares; a and b have one floating type.
  llvm::Value *multiplyAdd(llvm::Value *a, llvm::Value *b, llvm::Value *c);
  llvm::Value *constant(llvm::Type *type, double value);
  llvm::Value *integer(llvm::Type *like, int64_t value);  ///< an integer vector of \p like's width and lanes
  llvm::Value *polynomial(llvm::Value *x, std::span<const double> coefficients);
  llvm::Value *asInteger(llvm::Value *x);
  llvm::Value *asFloat(llvm::Value *bits, llvm::Type *type);
  llvm::Type *integerTypeOf(llvm::Type *type);
  llvm::Value *absolute(llvm::Value *x);
  llvm::Value *copySign(llvm::Value *magnitude, llvm::Value *sign);

 private:
  llvm::Value *applyFloat(ScalarOp op, std::span<llvm::Value *const> args);
  llvm::Value *applyInteger(ScalarOp op, DType dtype, std::span<llvm::Value *const> args);
  llvm::Value *applyBool(ScalarOp op, std::span<llvm::Value *const> args);
  llvm::Value *integerDivide(ScalarOp op, DType dtype, llvm::Value *a, llvm::Value *b);
  llvm::Value *integerPower(DType dtype, llvm::Value *base, llvm::Value *exponent);
  llvm::Value *shift(ScalarOp op, DType dtype, llvm::Value *a, llvm::Value *amount);
  llvm::Value *roundToInteger(ScalarOp op, llvm::Value *x);
  llvm::Value *extremum(ScalarOp op, llvm::Value *a, llvm::Value *b);
  llvm::Value *floatModulo(ScalarOp op, llvm::Value *a, llvm::Value *b);

  llvm::Value *halfToFloat(llvm::Value *bits);
  llvm::Value *floatToHalf(llvm::Value *x);
  llvm::Value *bfloatToFloat(llvm::Value *bits);
  llvm::Value *floatToBfloat(llvm::Value *x);
  llvm::Value *floatToInteger(llvm::Value *x, DType to);
  llvm::Value *doubleToFloatOdd(llvm::Value *x);
  llvm::Value *toWide(llvm::Value *value, DType from, DType wide);

  // vector_math.cpp
  struct Reduced {
    llvm::Value *n = nullptr;     ///< integer part as a number
    llvm::Value *bits = nullptr;  ///< and as an integer
    llvm::Value *r = nullptr;
  };
  Reduced reduceExponent(llvm::Value *x);
  /// NaN stays.
  llvm::Value *clamp(llvm::Value *x, double low, double high);
  llvm::Value *reducedExponentialMinusOne(llvm::Value *r);
  llvm::Value *powerOfTwo(llvm::Value *n, llvm::Type *type);
  llvm::Value *exponential(llvm::Value *x);
  llvm::Value *logarithm(llvm::Value *x);
  llvm::Value *logarithmOfDouble(llvm::Value *mantissa, llvm::Value *exponent);
  llvm::Value *atanhSeries(llvm::Value *z);
  llvm::Value *hyperbolicTangent(llvm::Value *x);
  llvm::Value *errorFunction(llvm::Value *x);
  llvm::Value *trigonometric(ScalarOp op, llvm::Value *x);
  llvm::Value *splitMantissa(llvm::Value *x, llvm::Value *&exponent);
  llvm::Value *nearestInteger(llvm::Value *x, llvm::Value *&bits);

  // vector_math_small.cpp
  llvm::Value *exponentialMinusOne(llvm::Value *x);
  llvm::Value *logarithmOfOnePlus(llvm::Value *x);
  llvm::Value *arcTangent(llvm::Value *x);

  // vector_math_pow.cpp
  llvm::Value *power(llvm::Value *x, llvm::Value *y);
  llvm::Value *powerOfDoubles(llvm::Value *x, llvm::Value *y, bool precise);
  llvm::Value *powerOfPositive(llvm::Value *x, llvm::Value *y);
  /// a × b = result + low, exactly.
  llvm::Value *twoProduct(llvm::Value *a, llvm::Value *b, llvm::Value *&low);

  Builder &b_;
  const Isa &isa_;
  bool useFma_;
};

}  // namespace hone::codegen
