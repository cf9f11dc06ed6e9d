// pow: e^(y log x), in double for float, in pairs of doubles for double, where an error of the logarithm would be
// magnified by up to 700.
#include <limits>

#include "compiler/codegen/scalar_emitter.h"
#include "llvm/IR/Constants.h"

namespace hone::codegen {
namespace {

constexpr double kLn2High = 0x1.62e42fefap-1, kLn2Low = 0x1.cf79abc9e3b3ap-40;

}  // namespace

llvm::Value *ScalarEmitter::twoProduct(llvm::Value *a, llvm::Value *b, llvm::Value *&low) {
  llvm::Value *product = b_.CreateFMul(a, b);
  if (useFma_) {
    low = multiplyAdd(a, b, b_.CreateFNeg(product));
    return product;
  }
  // Both factors in halves of 26 bits, whose products are exact.
  auto split = [&](llvm::Value *x, llvm::Value *&rest) {
    llvm::Value *scaled = b_.CreateFMul(x, constant(x->getType(), 134217729));
    llvm::Value *high = b_.CreateFSub(scaled, b_.CreateFSub(scaled, x));
    rest = b_.CreateFSub(x, high);
    return high;
  };
  llvm::Value *aLow = nullptr;
  llvm::Value *bLow = nullptr;
  llvm::Value *aHigh = split(a, aLow);
  llvm::Value *bHigh = split(b, bLow);
  low = b_.CreateFSub(b_.CreateFMul(aHigh, bHigh), product);
  low = b_.CreateFAdd(low, b_.CreateFMul(aHigh, bLow));
  low = b_.CreateFAdd(low, b_.CreateFMul(aLow, bHigh));
  low = b_.CreateFAdd(low, b_.CreateFMul(aLow, bLow));
  return product;
}

llvm::Value *ScalarEmitter::powerOfPositive(llvm::Value *x, llvm::Value *y) {
  llvm::Type *type = x->getType();
  llvm::Value *exponent = nullptr;
  llvm::Value *m = splitMantissa(x, exponent);
  // log m = 2 atanh(s), s = (m - 1) / (m + 1), as s + sLow.
  llvm::Value *one = constant(type, 1);
  llvm::Value *f = b_.CreateFSub(m, one);
  llvm::Value *d = b_.CreateFAdd(m, one);
  llvm::Value *dLow =
      b_.CreateFAdd(b_.CreateFSub(one, b_.CreateFSub(d, m)), b_.CreateFSub(m, b_.CreateFSub(d, b_.CreateFSub(d, m))));
  llvm::Value *s = b_.CreateFDiv(f, d);
  llvm::Value *productLow = nullptr;
  llvm::Value *product = twoProduct(s, d, productLow);
  llvm::Value *rest = b_.CreateFSub(b_.CreateFSub(b_.CreateFSub(f, product), productLow), b_.CreateFMul(s, dLow));
  llvm::Value *sLow = b_.CreateFDiv(rest, d);
  llvm::Value *z = b_.CreateFMul(s, s);
  llvm::Value *two = constant(type, 2);
  llvm::Value *low = b_.CreateFAdd(b_.CreateFMul(sLow, two), b_.CreateFMul(b_.CreateFMul(s, z), atanhSeries(z)));
  llvm::Value *high = b_.CreateFMul(s, two);
  // + exponent × ln 2, as a sum and its rounding.
  llvm::Value *whole = b_.CreateFMul(exponent, constant(type, kLn2High));
  llvm::Value *sum = b_.CreateFAdd(whole, high);
  llvm::Value *part = b_.CreateFSub(sum, whole);
  llvm::Value *rounding = b_.CreateFAdd(b_.CreateFSub(whole, b_.CreateFSub(sum, part)), b_.CreateFSub(high, part));
  low = b_.CreateFAdd(rounding, b_.CreateFAdd(low, b_.CreateFMul(exponent, constant(type, kLn2Low))));
  llvm::Value *logarithmHigh = b_.CreateFAdd(sum, low);
  llvm::Value *logarithmLow = b_.CreateFSub(low, b_.CreateFSub(logarithmHigh, sum));
  // e^(p + pLow) = e^p (1 + pLow).
  llvm::Value *pLow = nullptr;
  llvm::Value *p = twoProduct(y, logarithmHigh, pLow);
  pLow = b_.CreateFAdd(pLow, b_.CreateFMul(y, logarithmLow));
  pLow = b_.CreateSelect(b_.CreateFCmpOLT(absolute(p), constant(type, 800)), pLow, constant(type, 0));
  llvm::Value *power = exponential(p);
  llvm::Value *corrected = b_.CreateFAdd(power, b_.CreateFMul(power, pLow));
  llvm::Value *isInfinite = b_.CreateFCmpOEQ(power, llvm::ConstantFP::getInfinity(type));
  return b_.CreateSelect(isInfinite, power, corrected);
}

llvm::Value *ScalarEmitter::powerOfDoubles(llvm::Value *x, llvm::Value *y, bool precise) {
  llvm::Type *type = x->getType();
  llvm::Value *zero = constant(type, 0);
  llvm::Value *one = constant(type, 1);
  llvm::Value *infinity = llvm::ConstantFP::getInfinity(type);
  llvm::Value *magnitude = absolute(x);
  llvm::Value *result = precise ? powerOfPositive(magnitude, y) : exponential(b_.CreateFMul(y, logarithm(magnitude)));
  llvm::Value *isPositive = b_.CreateFCmpOGT(y, zero);
  llvm::Value *ofZero = b_.CreateSelect(isPositive, zero, infinity);
  llvm::Value *ofInfinity = b_.CreateSelect(isPositive, infinity, zero);
  result = b_.CreateSelect(b_.CreateFCmpOEQ(magnitude, zero), ofZero, result);
  result = b_.CreateSelect(b_.CreateFCmpOEQ(magnitude, infinity), ofInfinity, result);

  llvm::Value *isInteger = b_.CreateFCmpOEQ(roundToInteger(ScalarOp::Floor, y), y);
  llvm::Value *half = b_.CreateFMul(y, constant(type, 0.5));
  llvm::Value *isOdd = b_.CreateAnd(isInteger, b_.CreateFCmpONE(roundToInteger(ScalarOp::Floor, half), half));
  result = b_.CreateSelect(isOdd, copySign(result, x), result);
  llvm::Value *isNegative = b_.CreateAnd(b_.CreateFCmpOLT(x, zero), b_.CreateFCmpONE(magnitude, infinity));
  llvm::Value *invalid = b_.CreateAnd(isNegative, b_.CreateNot(isInteger));
  invalid = b_.CreateOr(invalid, b_.CreateFCmpUNO(x, y));
  result = b_.CreateSelect(invalid, llvm::ConstantFP::getNaN(type), result);
  // (-1)^±infinity is 1.
  llvm::Value *isUnit = b_.CreateAnd(b_.CreateFCmpOEQ(magnitude, one), b_.CreateFCmpOEQ(absolute(y), infinity));
  llvm::Value *isOne = b_.CreateOr(b_.CreateFCmpOEQ(x, one), b_.CreateFCmpOEQ(y, zero));
  return b_.CreateSelect(b_.CreateOr(isOne, isUnit), one, result);
}

llvm::Value *ScalarEmitter::power(llvm::Value *x, llvm::Value *y) {
  if (!x->getType()->getScalarType()->isFloatTy()) return powerOfDoubles(x, y, true);
  llvm::Value *wide = powerOfDoubles(cast(x, DType::F32, DType::F64), cast(y, DType::F32, DType::F64), false);
  return cast(wide, DType::F64, DType::F32);
}

}  // namespace hone::codegen
