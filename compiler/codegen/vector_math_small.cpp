// expm1, log1p and atan: functions of small numbers that lose nothing near 0, from which the hyperbolic functions and
// the inverses of all of them are made.
#include <array>
#include <limits>
#include <numbers>

#include "compiler/codegen/scalar_emitter.h"
#include "llvm/IR/Constants.h"

namespace hone::codegen {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// (atan(x) - x) / x³ in x² on |x| <= tan(π/8): minimax fits (Remez), relative to atan(x).
constexpr auto kAtan32 = std::to_array(
    {-0.33333315497303099, 0.199984889084623818, -0.142438380326822859, 0.105959173402188332, -0.0608322798164438984});
constexpr auto kAtan64 =
    std::to_array({-0.333333333333333276, 0.199999999999976878, -0.142857142853904439, 0.111111110883333816,
                   -0.0909090815024155257, 0.0769228288956850203, -0.0666622871089360898, 0.0587704109228146904,
                   -0.0521852948570179905, 0.0450406124634562896, -0.0334864372451589156, 0.0152073796509572366});

// What π/2 loses as a double.
constexpr double kHalfPiLow = 6.123233995736766e-17;
constexpr double kTanOfEighth = std::numbers::sqrt2 - 1;

bool isSingle(llvm::Value *x) { return x->getType()->getScalarType()->isFloatTy(); }

}  // namespace

llvm::Value *ScalarEmitter::exponentialMinusOne(llvm::Value *x) {
  llvm::Type *type = x->getType();
  bool single = isSingle(x);
  // Beyond these the result is infinite or -1.
  Reduced reduced = reduceExponent(clamp(x, single ? -20 : -40, single ? 89 : 710));
  llvm::Value *p = reducedExponentialMinusOne(reduced.r);
  // 2^n p + (2^n - 1) by halves, as 2^n itself may not be a number.
  llvm::Value *half = powerOfTwo(b_.CreateSub(reduced.bits, integer(type, 1)), type);
  llvm::Value *result = multiplyAdd(half, p, b_.CreateFSub(half, constant(type, 0.5)));
  result = b_.CreateFAdd(result, result);
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, constant(type, 0)), x, result);
}

llvm::Value *ScalarEmitter::logarithmOfOnePlus(llvm::Value *x) {
  llvm::Type *type = x->getType();
  llvm::Value *one = constant(type, 1);
  llvm::Value *sum = b_.CreateFAdd(one, x);
  // What the sum lost, from the larger operand's side.
  llvm::Value *ofSmall = b_.CreateFSub(x, b_.CreateFSub(sum, one));
  llvm::Value *ofLarge = b_.CreateFSub(one, b_.CreateFSub(sum, x));
  llvm::Value *lost = b_.CreateSelect(b_.CreateFCmpOGT(x, one), ofLarge, ofSmall);
  llvm::Value *result = b_.CreateFAdd(logarithm(sum), b_.CreateFDiv(lost, sum));
  // 0 keeps its sign; -1 and infinity have lost nothing that could be added.
  result = b_.CreateSelect(b_.CreateFCmpOEQ(x, constant(type, 0)), x, result);
  result = b_.CreateSelect(b_.CreateFCmpOEQ(x, constant(type, -1)), constant(type, -kInfinity), result);
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, constant(type, kInfinity)), x, result);
}

llvm::Value *ScalarEmitter::arcTangent(llvm::Value *x) {
  // |x| = tan(base + t) with |t| <= π/8; the base is 0, π/4 or π/2.
  llvm::Type *type = x->getType();
  bool single = isSingle(x);
  llvm::Value *zero = constant(type, 0);
  llvm::Value *one = constant(type, 1);
  llvm::Value *magnitude = absolute(x);
  llvm::Value *isMiddle = b_.CreateFCmpOGT(magnitude, constant(type, kTanOfEighth));
  llvm::Value *isFar = b_.CreateFCmpOGT(magnitude, constant(type, 1 / kTanOfEighth));
  auto choose = [&](llvm::Value *near, llvm::Value *middle, llvm::Value *far) {
    return b_.CreateSelect(isFar, far, b_.CreateSelect(isMiddle, middle, near));
  };
  llvm::Value *over = choose(magnitude, b_.CreateFSub(magnitude, one), constant(type, -1));
  llvm::Value *under = choose(one, b_.CreateFAdd(magnitude, one), magnitude);
  llvm::Value *base = choose(zero, constant(type, std::numbers::pi / 4), constant(type, std::numbers::pi / 2));
  llvm::Value *t = b_.CreateFDiv(over, under);
  llvm::Value *z = b_.CreateFMul(t, t);
  llvm::Value *series = single ? polynomial(z, kAtan32) : polynomial(z, kAtan64);
  llvm::Value *rest = b_.CreateFMul(b_.CreateFMul(t, z), series);
  if (!single) {
    rest = b_.CreateFAdd(rest, choose(zero, constant(type, kHalfPiLow / 2), constant(type, kHalfPiLow)));
  }
  return copySign(b_.CreateFAdd(base, b_.CreateFAdd(t, rest)), x);
}

}  // namespace hone::codegen
