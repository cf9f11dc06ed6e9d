// Conversions between element types.
#include <cmath>

#include "compiler/codegen/scalar_emitter.h"
#include "llvm/IR/Constants.h"

namespace hone::codegen {
namespace {

llvm::Type *withLanes(llvm::Type *element, llvm::Value *like) {
  auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(like->getType());
  return vector == nullptr ? element : llvm::FixedVectorType::get(element, vector->getNumElements());
}

}  // namespace

llvm::Type *registerType(llvm::LLVMContext &context, DType dtype, int lanes) {
  llvm::Type *element = nullptr;
  if (dtype == DType::F32) {
    element = llvm::Type::getFloatTy(context);
  } else if (dtype == DType::F64) {
    element = llvm::Type::getDoubleTy(context);
  } else {
    unsigned bits = dtype == DType::Bool ? 1 : static_cast<unsigned>(sizeOf(dtype)) * 8;
    element = llvm::Type::getIntNTy(context, bits);
  }
  return lanes == 1 ? element : llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes));
}

llvm::Type *memoryType(llvm::LLVMContext &context, DType dtype, int lanes) {
  return registerType(context, dtype == DType::Bool ? DType::U8 : dtype, lanes);
}

llvm::Value *ScalarEmitter::halfToFloat(llvm::Value *bits) {
  if (isa_.halfConversion) {
    llvm::Value *half = b_.CreateBitCast(bits, withLanes(b_.getHalfTy(), bits));
    llvm::Value *wide = b_.CreateFPExt(half, withLanes(b_.getFloatTy(), bits));
    if (llvm::isa<llvm::Constant>(wide)) return wide;
    // Behind the fence LLVM cannot move comparisons and selections in front of the conversion, to a type for whose
    // extrema it would call fmaxf.
    return b_.CreateIntrinsic(llvm::Intrinsic::arithmetic_fence, {wide->getType()}, {wide});
  }
  // The exponents differ by 112: moving the bits and multiplying by 2^112 is exact for subnormals, too.
  llvm::Type *i32 = withLanes(b_.getInt32Ty(), bits);
  llvm::Value *wide = b_.CreateZExt(bits, i32);
  llvm::Value *magnitude = b_.CreateAnd(wide, 0x7fff);
  llvm::Value *moved = b_.CreateShl(magnitude, 13);
  llvm::Value *scaled = b_.CreateFMul(b_.CreateBitCast(moved, withLanes(b_.getFloatTy(), bits)),
                                      llvm::ConstantFP::get(withLanes(b_.getFloatTy(), bits), std::ldexp(1.0, 112)));
  llvm::Value *isSpecial = b_.CreateICmpUGE(magnitude, llvm::ConstantInt::get(i32, 0x7c00));
  llvm::Value *result = b_.CreateSelect(isSpecial, b_.CreateOr(moved, 0x7f800000), b_.CreateBitCast(scaled, i32));
  llvm::Value *sign = b_.CreateShl(b_.CreateAnd(wide, 0x8000), 16);
  return b_.CreateBitCast(b_.CreateOr(result, sign), withLanes(b_.getFloatTy(), bits));
}

llvm::Value *ScalarEmitter::floatToHalf(llvm::Value *x) {
  if (isa_.halfConversion) {
    llvm::Value *half = b_.CreateFPTrunc(x, withLanes(b_.getHalfTy(), x));
    return b_.CreateBitCast(half, withLanes(b_.getInt16Ty(), x));
  }
  llvm::Type *i32 = withLanes(b_.getInt32Ty(), x);
  auto number = [&](uint64_t value) { return llvm::ConstantInt::get(i32, value); };
  llvm::Value *bits = b_.CreateBitCast(x, i32);
  llvm::Value *magnitude = b_.CreateAnd(bits, 0x7fffffff);
  // Normal results: add half of the last place minus one, plus the last place's bit (half to even), and cut.
  llvm::Value *odd = b_.CreateAnd(b_.CreateLShr(magnitude, 13), 1);
  llvm::Value *rounded = b_.CreateAdd(b_.CreateAdd(magnitude, number(0xfff)), odd);
  llvm::Value *normal = b_.CreateLShr(b_.CreateSub(rounded, number(112ULL << 23)), 13);
  // Subnormal ones: the last place of 0.5 is 2^-24, so adding 0.5 rounds to it.
  llvm::Value *absolute = b_.CreateBitCast(magnitude, x->getType());
  llvm::Value *shifted = b_.CreateFAdd(absolute, llvm::ConstantFP::get(x->getType(), 0.5));
  llvm::Value *subnormal = b_.CreateSub(b_.CreateBitCast(shifted, i32), number(0x3f000000));
  llvm::Value *result = b_.CreateSelect(b_.CreateICmpULT(magnitude, number(0x38800000)), subnormal, normal);
  result = b_.CreateSelect(b_.CreateICmpUGE(magnitude, number(0x47800000)), number(0x7c00), result);
  llvm::Value *payload = b_.CreateOr(b_.CreateAnd(b_.CreateLShr(magnitude, 13), 0x3ff), 0x7e00);
  result = b_.CreateSelect(b_.CreateICmpUGT(magnitude, number(0x7f800000)), payload, result);
  llvm::Value *sign = b_.CreateAnd(b_.CreateLShr(bits, 16), 0x8000);
  return b_.CreateTrunc(b_.CreateOr(result, sign), withLanes(b_.getInt16Ty(), x));
}

llvm::Value *ScalarEmitter::bfloatToFloat(llvm::Value *bits) {
  llvm::Value *wide = b_.CreateShl(b_.CreateZExt(bits, withLanes(b_.getInt32Ty(), bits)), 16);
  return b_.CreateBitCast(wide, withLanes(b_.getFloatTy(), bits));
}

llvm::Value *ScalarEmitter::floatToBfloat(llvm::Value *x) {
  llvm::Type *i32 = withLanes(b_.getInt32Ty(), x);
  llvm::Value *bits = b_.CreateBitCast(x, i32);
  llvm::Value *odd = b_.CreateAnd(b_.CreateLShr(bits, 16), 1);
  llvm::Value *rounded = b_.CreateAdd(b_.CreateAdd(bits, llvm::ConstantInt::get(i32, 0x7fff)), odd);
  llvm::Value *quiet = b_.CreateOr(bits, 0x400000);
  llvm::Value *result = b_.CreateSelect(b_.CreateFCmpUNO(x, x), quiet, rounded);
  return b_.CreateTrunc(b_.CreateLShr(result, 16), withLanes(b_.getInt16Ty(), x));
}

llvm::Value *ScalarEmitter::doubleToFloatOdd(llvm::Value *x) {
  // Rounded to odd, so that rounding once more to a shorter type gives what rounding x itself would.
  llvm::Value *near = b_.CreateFPTrunc(x, withLanes(b_.getFloatTy(), x));
  llvm::Value *back = b_.CreateFPExt(near, x->getType());
  llvm::Type *i32 = withLanes(b_.getInt32Ty(), x);
  llvm::Value *bits = b_.CreateBitCast(near, i32);
  llvm::Value *tooFar = b_.CreateFCmpOGT(absolute(back), absolute(x));
  bits = b_.CreateSub(bits, b_.CreateZExt(tooFar, i32));
  llvm::Value *inexact = b_.CreateFCmpONE(back, x);
  bits = b_.CreateOr(bits, b_.CreateZExt(inexact, i32));
  return b_.CreateBitCast(bits, near->getType());
}

llvm::Value *ScalarEmitter::toWide(llvm::Value *value, DType from, DType wide) {
  llvm::Type *type = withLanes(wide == DType::F32 ? b_.getFloatTy() : b_.getDoubleTy(), value);
  if (from == DType::F16) value = halfToFloat(value);
  if (from == DType::BF16) value = bfloatToFloat(value);
  if (isFloat(from)) {
    if (value->getType() == type) return value;
    return wide == DType::F64 ? b_.CreateFPExt(value, type) : b_.CreateFPTrunc(value, type);
  }
  return isSigned(from) ? b_.CreateSIToFP(value, type) : b_.CreateUIToFP(value, type);
}

llvm::Value *ScalarEmitter::floatToInteger(llvm::Value *x, DType to) {
  // Truncates; beyond the range the nearest number of the type, 0 for NaN. LLVM has intrinsics that do the same, but
  // takes vectors apart for them.
  llvm::Type *type = withLanes(registerType(b_.getContext(), to, 1), x);
  llvm::Value *zero = llvm::Constant::getNullValue(type);
  auto number = [&](double value) { return llvm::ConstantFP::get(x->getType(), value); };
  const int bits = 8 * static_cast<int>(sizeOf(to));
  const bool hasSign = isSigned(to), isDouble = x->getType()->getScalarType()->isDoubleTy();
  const double low = hasSign ? -std::ldexp(1.0, bits - 1) : 0, beyond = std::ldexp(1.0, hasSign ? bits - 1 : bits);
  if (bits < 32 || (bits == 32 && isDouble)) {
    // The greatest number of the type is one of the floats, too; NaN becomes the lowest.
    llvm::Value *clamped = b_.CreateSelect(b_.CreateFCmpOGT(x, number(low)), x, number(low));
    clamped = b_.CreateSelect(b_.CreateFCmpOLT(clamped, number(beyond - 1)), clamped, number(beyond - 1));
    if (!hasSign && bits == 32) return b_.CreateFPToUI(clamped, type);
    llvm::Value *result = b_.CreateTrunc(b_.CreateFPToSI(clamped, withLanes(b_.getInt32Ty(), x)), type);
    return hasSign ? b_.CreateSelect(b_.CreateFCmpUNO(x, x), zero, result) : result;
  }
  llvm::Value *result = hasSign ? b_.CreateFPToSI(x, type) : b_.CreateFPToUI(x, type);
  auto limit = [&](bool highest) {
    llvm::APInt value = hasSign ? (highest ? llvm::APInt::getSignedMaxValue(static_cast<unsigned>(bits))
                                           : llvm::APInt::getSignedMinValue(static_cast<unsigned>(bits)))
                                : llvm::APInt::getMaxValue(static_cast<unsigned>(bits));
    return llvm::ConstantInt::get(type, value);
  };
  result = b_.CreateSelect(b_.CreateFCmpOGE(x, number(beyond)), limit(true), result);
  if (!hasSign) return b_.CreateSelect(b_.CreateFCmpOGT(x, number(0)), result, zero);
  result = b_.CreateSelect(b_.CreateFCmpOLT(x, number(low)), limit(false), result);
  return b_.CreateSelect(b_.CreateFCmpUNO(x, x), zero, result);
}

llvm::Value *ScalarEmitter::cast(llvm::Value *value, DType from, DType to) {
  if (from == to) return value;
  if (isFloat(from)) {
    if (from == DType::F16 || from == DType::BF16) {
      value = toWide(value, from, DType::F32);
      from = DType::F32;
    }
    if (to == from) return value;
    if (to == DType::Bool) return b_.CreateFCmpUNE(value, llvm::Constant::getNullValue(value->getType()));
    if (to == DType::F32 || to == DType::F64) return toWide(value, from, to);
    if (isFloat(to)) {
      llvm::Value *single = from == DType::F64 ? doubleToFloatOdd(value) : value;
      return to == DType::F16 ? floatToHalf(single) : floatToBfloat(single);
    }
    return floatToInteger(value, to);
  }
  if (to == DType::Bool) return b_.CreateICmpNE(value, llvm::Constant::getNullValue(value->getType()));
  if (to == DType::F16 || to == DType::BF16) {
    llvm::Value *single = doubleToFloatOdd(toWide(value, from, DType::F64));
    return to == DType::F16 ? floatToHalf(single) : floatToBfloat(single);
  }
  if (isFloat(to)) return toWide(value, from, to);
  llvm::Type *type = withLanes(registerType(b_.getContext(), to, 1), value);
  return isSigned(from) ? b_.CreateSExtOrTrunc(value, type) : b_.CreateZExtOrTrunc(value, type);
}

}  // namespace hone::codegen
