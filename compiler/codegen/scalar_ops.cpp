// ScalarOp: everything but vector math.
#include <cassert>
#include <cmath>

#include "compiler/codegen/scalar_emitter.h"
#include "llvm/IR/Constants.h"

namespace hone::codegen {
namespace {

/// A constant that is not NaN.
bool isNumber(llvm::Value *x) {
  auto *constant = llvm::dyn_cast<llvm::Constant>(x);
  if (constant == nullptr) return false;
  if (llvm::isa<llvm::ConstantAggregateZero>(constant)) return true;
  if (constant->getType()->isVectorTy()) constant = constant->getSplatValue();
  auto *number = llvm::dyn_cast_or_null<llvm::ConstantFP>(constant);
  return number != nullptr && !number->isNaN();
}

}  // namespace

llvm::Value *ScalarEmitter::constant(llvm::Type *type, double value) { return llvm::ConstantFP::get(type, value); }

llvm::Type *ScalarEmitter::integerTypeOf(llvm::Type *type) {
  llvm::Type *element = b_.getIntNTy(type->getScalarSizeInBits());
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
  return vector == nullptr ? element : llvm::FixedVectorType::get(element, vector->getNumElements());
}

llvm::Value *ScalarEmitter::integer(llvm::Type *like, int64_t value) {
  return llvm::ConstantInt::get(integerTypeOf(like), static_cast<uint64_t>(value), true);
}

llvm::Value *ScalarEmitter::asInteger(llvm::Value *x) { return b_.CreateBitCast(x, integerTypeOf(x->getType())); }

llvm::Value *ScalarEmitter::asFloat(llvm::Value *bits, llvm::Type *type) { return b_.CreateBitCast(bits, type); }

llvm::Value *ScalarEmitter::absolute(llvm::Value *x) { return b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x); }

llvm::Value *ScalarEmitter::copySign(llvm::Value *magnitude, llvm::Value *sign) {
  return b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, magnitude, sign);
}

llvm::Value *ScalarEmitter::multiplyAdd(llvm::Value *a, llvm::Value *b, llvm::Value *c) {
  if (useFma_) return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
  return b_.CreateFAdd(b_.CreateFMul(a, b), c);
}

llvm::Value *ScalarEmitter::polynomial(llvm::Value *x, std::span<const double> coefficients) {
  assert(!coefficients.empty());
  llvm::Value *result = constant(x->getType(), coefficients.back());
  for (size_t i = coefficients.size() - 1; i-- > 0;) {
    result = multiplyAdd(result, x, constant(x->getType(), coefficients[i]));
  }
  return result;
}

llvm::Value *ScalarEmitter::apply(ScalarOp op, DType dtype, std::span<llvm::Value *const> args) {
  if (op == ScalarOp::Select) return b_.CreateSelect(args[0], args[1], args[2]);
  if (dtype == DType::Bool) return applyBool(op, args);
  if (isInteger(dtype)) return applyInteger(op, dtype, args);
  if (dtype == DType::F32 || dtype == DType::F64) return applyFloat(op, args);
  std::vector<llvm::Value *> wide;
  for (llvm::Value *arg : args) wide.push_back(cast(arg, dtype, DType::F32));
  llvm::Value *result = applyFloat(op, wide);
  return isPredicate(op) ? result : cast(result, DType::F32, dtype);
}

llvm::Value *ScalarEmitter::roundToInteger(ScalarOp op, llvm::Value *x) {
  if (isa_.rounding) {
    auto intrinsic = op == ScalarOp::Floor  ? llvm::Intrinsic::floor
                     : op == ScalarOp::Ceil ? llvm::Intrinsic::ceil
                                            : llvm::Intrinsic::roundeven;
    return b_.CreateUnaryIntrinsic(intrinsic, x);
  }
  // Adding and subtracting 2^23 (2^52) leaves no fraction, rounded half to even.
  llvm::Type *type = x->getType();
  llvm::Value *big = constant(type, std::ldexp(1.0, type->getScalarType()->isFloatTy() ? 23 : 52));
  llvm::Value *magnitude = absolute(x);
  llvm::Value *rounded = copySign(b_.CreateFSub(b_.CreateFAdd(magnitude, big), big), x);
  if (op == ScalarOp::Floor) {
    llvm::Value *lower = b_.CreateFSub(rounded, constant(type, 1));
    rounded = copySign(b_.CreateSelect(b_.CreateFCmpOGT(rounded, x), lower, rounded), x);
  } else if (op == ScalarOp::Ceil) {
    llvm::Value *higher = b_.CreateFAdd(rounded, constant(type, 1));
    rounded = copySign(b_.CreateSelect(b_.CreateFCmpOLT(rounded, x), higher, rounded), x);
  }
  return b_.CreateSelect(b_.CreateFCmpOLT(magnitude, big), rounded, x);
}

llvm::Value *ScalarEmitter::floatModulo(ScalarOp op, llvm::Value *a, llvm::Value *b) {
  // LLVM calls fmod and fmodf, which the module's helpers define.
  llvm::Value *remainder = b_.CreateFRem(a, b);
  if (op == ScalarOp::TruncMod) return remainder;
  llvm::Value *zero = constant(a->getType(), 0);
  llvm::Value *differ = b_.CreateXor(b_.CreateFCmpOLT(remainder, zero), b_.CreateFCmpOLT(b, zero));
  llvm::Value *isZero = b_.CreateFCmpOEQ(remainder, zero);
  llvm::Value *moved = b_.CreateSelect(differ, b_.CreateFAdd(remainder, b), remainder);
  return b_.CreateSelect(isZero, copySign(zero, b), moved);
}

llvm::Value *ScalarEmitter::extremum(ScalarOp op, llvm::Value *a, llvm::Value *b) {
  // A comparison and a selection in this order are one instruction of x86, which gives b where either is NaN.
  auto choose = [&](llvm::Value *x, llvm::Value *y) {
    return b_.CreateSelect(op == ScalarOp::Min ? b_.CreateFCmpOLT(x, y) : b_.CreateFCmpOGT(x, y), x, y);
  };
  if (isNumber(a)) return choose(a, b);
  if (isNumber(b)) return choose(b, a);
  return b_.CreateSelect(b_.CreateFCmpUNO(a, a), a, choose(a, b));
}

llvm::Value *ScalarEmitter::applyFloat(ScalarOp op, std::span<llvm::Value *const> args) {
  llvm::Value *a = args[0];
  llvm::Value *b = args.size() > 1 ? args[1] : nullptr;
  llvm::Type *type = a->getType();
  switch (op) {
    case ScalarOp::Neg:
      return b_.CreateFNeg(a);
    case ScalarOp::Abs:
      return absolute(a);
    case ScalarOp::Sign: {
      llvm::Value *one = copySign(constant(type, 1), a);
      return b_.CreateSelect(b_.CreateFCmpONE(a, constant(type, 0)), one, a);  // zeros and NaN stay
    }
    case ScalarOp::Sqrt:
      return b_.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a);
    case ScalarOp::Exp:
      return exponential(a);
    case ScalarOp::Log:
      return logarithm(a);
    case ScalarOp::Sin:
    case ScalarOp::Cos:
    case ScalarOp::Tan:
      return trigonometric(op, a);
    case ScalarOp::Tanh:
      return hyperbolicTangent(a);
    case ScalarOp::Erf:
      return errorFunction(a);
    case ScalarOp::Expm1:
      return exponentialMinusOne(a);
    case ScalarOp::Log1p:
      return logarithmOfOnePlus(a);
    case ScalarOp::Atan:
      return arcTangent(a);
    case ScalarOp::Floor:
    case ScalarOp::Ceil:
    case ScalarOp::Round:
      return roundToInteger(op, a);
    case ScalarOp::IsNan:
      return b_.CreateFCmpUNO(a, a);
    case ScalarOp::IsInf:
      return b_.CreateFCmpOEQ(absolute(a), llvm::ConstantFP::getInfinity(type));
    case ScalarOp::Add:
      return b_.CreateFAdd(a, b);
    case ScalarOp::Sub:
      return b_.CreateFSub(a, b);
    case ScalarOp::Mul:
      return b_.CreateFMul(a, b);
    case ScalarOp::Div:
      return b_.CreateFDiv(a, b);
    case ScalarOp::FloorMod:
    case ScalarOp::TruncMod:
      return floatModulo(op, a, b);
    case ScalarOp::Min:
    case ScalarOp::Max:
      return extremum(op, a, b);
    case ScalarOp::Pow:
      return power(a, b);
    case ScalarOp::Equal:
      return b_.CreateFCmpOEQ(a, b);
    case ScalarOp::Less:
      return b_.CreateFCmpOLT(a, b);
    case ScalarOp::LessEqual:
      return b_.CreateFCmpOLE(a, b);
    default:
      break;
  }
  assert(false && "not an operation on floats");
  return llvm::PoisonValue::get(type);
}

llvm::Value *ScalarEmitter::integerDivide(ScalarOp op, DType dtype, llvm::Value *a, llvm::Value *b) {
  llvm::Type *type = a->getType();
  llvm::Value *zero = llvm::Constant::getNullValue(type);
  llvm::Value *one = llvm::ConstantInt::get(type, 1);
  llvm::Value *isZero = b_.CreateICmpEQ(b, zero);
  bool isDivision = op == ScalarOp::Div;
  if (!isSigned(dtype)) {
    llvm::Value *safe = b_.CreateSelect(isZero, one, b);
    llvm::Value *result = isDivision ? b_.CreateUDiv(a, safe) : b_.CreateURem(a, safe);
    return b_.CreateSelect(isZero, zero, result);
  }
  // Dividing by -1 may overflow, which traps: it is a negation.
  llvm::Value *isMinusOne = b_.CreateICmpEQ(b, llvm::Constant::getAllOnesValue(type));
  llvm::Value *safe = b_.CreateSelect(b_.CreateOr(isZero, isMinusOne), one, b);
  if (isDivision) {
    llvm::Value *quotient = b_.CreateSelect(isMinusOne, b_.CreateNeg(a), b_.CreateSDiv(a, safe));
    return b_.CreateSelect(isZero, zero, quotient);
  }
  llvm::Value *remainder = b_.CreateSRem(a, safe);  // 0 for the divisors replaced by 1
  if (op == ScalarOp::TruncMod) return remainder;
  llvm::Value *differ = b_.CreateICmpSLT(b_.CreateXor(remainder, b), zero);
  llvm::Value *moves = b_.CreateAnd(differ, b_.CreateICmpNE(remainder, zero));
  return b_.CreateSelect(moves, b_.CreateAdd(remainder, b), remainder);
}

llvm::Value *ScalarEmitter::integerPower(DType dtype, llvm::Value *base, llvm::Value *exponent) {
  // By squaring, a step per bit. With a negative exponent 1/base^n truncates to 0, except for base 1 and -1,
  // whose powers have period 2, so that the two's complement bits of the exponent already give them.
  llvm::Type *type = base->getType();
  llvm::Value *one = llvm::ConstantInt::get(type, 1);
  llvm::Value *zero = llvm::Constant::getNullValue(type);
  unsigned bits = type->getScalarSizeInBits();
  llvm::BasicBlock *before = b_.GetInsertBlock();
  llvm::BasicBlock *body = llvm::BasicBlock::Create(b_.getContext(), "power", before->getParent());
  llvm::BasicBlock *after = llvm::BasicBlock::Create(b_.getContext(), "powered", before->getParent());
  b_.CreateBr(body);
  b_.SetInsertPoint(body);
  llvm::PHINode *step = b_.CreatePHI(b_.getInt32Ty(), 2);
  llvm::PHINode *partial = b_.CreatePHI(type, 2);
  llvm::PHINode *square = b_.CreatePHI(type, 2);
  llvm::PHINode *left = b_.CreatePHI(type, 2);
  llvm::Value *isSet = b_.CreateICmpNE(b_.CreateAnd(left, one), zero);
  llvm::Value *result = b_.CreateSelect(isSet, b_.CreateMul(partial, square), partial);
  llvm::Value *next = b_.CreateAdd(step, b_.getInt32(1));
  step->addIncoming(b_.getInt32(0), before);
  step->addIncoming(next, body);
  partial->addIncoming(one, before);
  partial->addIncoming(result, body);
  square->addIncoming(base, before);
  square->addIncoming(b_.CreateMul(square, square), body);
  left->addIncoming(exponent, before);
  left->addIncoming(b_.CreateLShr(left, one), body);
  b_.CreateCondBr(b_.CreateICmpULT(next, b_.getInt32(bits)), body, after);
  b_.SetInsertPoint(after);
  if (!isSigned(dtype)) return result;
  llvm::Value *isUnit =
      b_.CreateOr(b_.CreateICmpEQ(base, one), b_.CreateICmpEQ(base, llvm::Constant::getAllOnesValue(type)));
  llvm::Value *vanishes = b_.CreateAnd(b_.CreateICmpSLT(exponent, zero), b_.CreateNot(isUnit));
  return b_.CreateSelect(vanishes, zero, result);
}

llvm::Value *ScalarEmitter::shift(ScalarOp op, DType dtype, llvm::Value *a, llvm::Value *amount) {
  // Amounts of the width or more shift everything out.
  llvm::Type *type = a->getType();
  unsigned bits = type->getScalarSizeInBits();
  llvm::Value *last = llvm::ConstantInt::get(type, bits - 1);
  llvm::Value *isBeyond = b_.CreateICmpUGT(amount, last);
  llvm::Value *safe = b_.CreateSelect(isBeyond, last, amount);
  if (op == ScalarOp::ShiftRight && isSigned(dtype)) return b_.CreateAShr(a, safe);
  llvm::Value *result = op == ScalarOp::ShiftLeft ? b_.CreateShl(a, safe) : b_.CreateLShr(a, safe);
  return b_.CreateSelect(isBeyond, llvm::Constant::getNullValue(type), result);
}

llvm::Value *ScalarEmitter::applyInteger(ScalarOp op, DType dtype, std::span<llvm::Value *const> args) {
  llvm::Value *a = args[0];
  llvm::Value *b = args.size() > 1 ? args[1] : nullptr;
  llvm::Type *type = a->getType();
  llvm::Value *zero = llvm::Constant::getNullValue(type);
  bool isSignedType = isSigned(dtype);
  auto less = [&](llvm::Value *x, llvm::Value *y) {
    return isSignedType ? b_.CreateICmpSLT(x, y) : b_.CreateICmpULT(x, y);
  };
  switch (op) {
    case ScalarOp::Neg:
      return b_.CreateNeg(a);
    case ScalarOp::Abs:
      return isSignedType ? b_.CreateSelect(less(a, zero), b_.CreateNeg(a), a) : a;
    case ScalarOp::Sign: {
      llvm::Value *positive = b_.CreateZExt(less(zero, a), type);
      return isSignedType ? b_.CreateSub(positive, b_.CreateZExt(less(a, zero), type)) : positive;
    }
    case ScalarOp::Floor:
    case ScalarOp::Ceil:
    case ScalarOp::Round:
      return a;
    case ScalarOp::BitNot:
      return b_.CreateNot(a);
    case ScalarOp::Add:
      return b_.CreateAdd(a, b);
    case ScalarOp::Sub:
      return b_.CreateSub(a, b);
    case ScalarOp::Mul:
      return b_.CreateMul(a, b);
    case ScalarOp::Div:
    case ScalarOp::FloorMod:
    case ScalarOp::TruncMod:
      return integerDivide(op, dtype, a, b);
    case ScalarOp::Min:
      return b_.CreateSelect(less(a, b), a, b);
    case ScalarOp::Max:
      return b_.CreateSelect(less(b, a), a, b);
    case ScalarOp::Pow:
      return integerPower(dtype, a, b);
    case ScalarOp::BitAnd:
      return b_.CreateAnd(a, b);
    case ScalarOp::BitOr:
      return b_.CreateOr(a, b);
    case ScalarOp::BitXor:
      return b_.CreateXor(a, b);
    case ScalarOp::ShiftLeft:
    case ScalarOp::ShiftRight:
      return shift(op, dtype, a, b);
    case ScalarOp::Equal:
      return b_.CreateICmpEQ(a, b);
    case ScalarOp::Less:
      return less(a, b);
    case ScalarOp::LessEqual:
      return b_.CreateNot(less(b, a));
    default:
      break;
  }
  assert(false && "not an operation on integers");
  return llvm::PoisonValue::get(type);
}

llvm::Value *ScalarEmitter::applyBool(ScalarOp op, std::span<llvm::Value *const> args) {
  llvm::Value *a = args[0];
  llvm::Value *b = args.size() > 1 ? args[1] : nullptr;
  switch (op) {
    case ScalarOp::Not:
      return b_.CreateNot(a);
    case ScalarOp::And:
    case ScalarOp::Min:
      return b_.CreateAnd(a, b);
    case ScalarOp::Or:
    case ScalarOp::Max:
      return b_.CreateOr(a, b);
    case ScalarOp::Xor:
      return b_.CreateXor(a, b);
    case ScalarOp::Equal:
      return b_.CreateNot(b_.CreateXor(a, b));
    case ScalarOp::Less:
      return b_.CreateAnd(b_.CreateNot(a), b);
    case ScalarOp::LessEqual:
      return b_.CreateOr(b_.CreateNot(a), b);
    default:
      break;
  }
  assert(false && "not an operation on bools");
  return llvm::PoisonValue::get(a->getType());
}

}  // namespace hone::codegen
