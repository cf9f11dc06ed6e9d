// Values of loop nests.
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/function_emitter.h"
#include "llvm/IR/Constants.h"

namespace hone::codegen {
namespace {

/// The number in every lane of \p value, if it is a constant of the floating type.
std::optional<double> floatConstant(llvm::Value *value) {
  auto *constant = llvm::dyn_cast<llvm::Constant>(value);
  if (constant == nullptr) return std::nullopt;
  if (constant->getType()->isVectorTy()) constant = constant->getSplatValue();
  auto *number = llvm::dyn_cast_or_null<llvm::ConstantFP>(constant);
  if (number == nullptr) return std::nullopt;
  return number->getType()->isFloatTy() ? static_cast<double>(number->getValueAPF().convertToFloat())
                                        : number->getValueAPF().convertToDouble();
}

bool isFloatConstant(llvm::Value *value, double wanted) {
  std::optional<double> number = floatConstant(value);
  return number.has_value() && *number == wanted;
}

bool isApply(const loop::Value &value, ScalarOp op) { return value.kind == loop::ValueKind::Apply && value.op == op; }

}  // namespace

absl::StatusOr<llvm::Value *> FunctionEmitter::emitValue(const loop::ValuePtr &value) {
  if (auto found = values_.find(value.get()); found != values_.end()) return found->second;
  HONE_ASSIGN_OR_RETURN(llvm::Value * result, emitNewValue(*value));
  values_[value.get()] = result;
  return result;
}

absl::StatusOr<llvm::Value *> FunctionEmitter::emitNewValue(const loop::Value &value) {
  switch (value.kind) {
    case loop::ValueKind::Constant:
      return emitConstant(value);
    case loop::ValueKind::IndexValue:
      return emitIndexValue(value);
    case loop::ValueKind::Load:
      return emitLoad(value);
    case loop::ValueKind::Register: {
      HONE_ASSIGN_OR_RETURN(llvm::AllocaInst * element, registerElement(value.reg, value.index));
      return builder_.CreateLoad(element->getAllocatedType(), element);
    }
    case loop::ValueKind::Apply:
      return emitApply(value);
    case loop::ValueKind::Cast: {
      HONE_ASSIGN_OR_RETURN(llvm::Value * arg, emitValue(value.args[0]));
      return scalars_.cast(arg, value.args[0]->type.dtype, value.type.dtype);
    }
    case loop::ValueKind::Bits: {
      HONE_ASSIGN_OR_RETURN(llvm::Value * arg, emitValue(value.args[0]));
      const auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(arg->getType());
      const int lanes = vector == nullptr ? 1 : static_cast<int>(vector->getNumElements());
      return builder_.CreateBitCast(arg, registerType(builder_.getContext(), value.type.dtype, lanes));
    }
    case loop::ValueKind::Broadcast: {
      HONE_ASSIGN_OR_RETURN(llvm::Value * arg, emitValue(value.args[0]));
      if (value.type.lanes == 1 || arg->getType()->isVectorTy()) return arg;
      return builder_.CreateVectorSplat(static_cast<unsigned>(value.type.lanes), arg);
    }
    case loop::ValueKind::Horizontal: {
      HONE_ASSIGN_OR_RETURN(llvm::Value * arg, emitValue(value.args[0]));
      return emitHorizontal(value, arg);
    }
    case loop::ValueKind::ExtractLane: {
      HONE_ASSIGN_OR_RETURN(llvm::Value * arg, emitValue(value.args[0]));
      if (!arg->getType()->isVectorTy()) return arg;
      return builder_.CreateExtractElement(arg, static_cast<uint64_t>(value.integer));
    }
    case loop::ValueKind::ActiveLanes: {
      if (value.type.lanes == 1) return builder_.getInt1(value.integer > 0);
      std::vector<llvm::Constant *> lanes;
      for (int i = 0; i < value.type.lanes; ++i) lanes.push_back(builder_.getInt1(i < value.integer));
      return llvm::ConstantVector::get(lanes);
    }
  }
  return absl::InternalError(absl::StrCat("kernel ", kernel_.name, ": unknown kind of value"));
}

llvm::Value *FunctionEmitter::emitConstant(const loop::Value &value) {
  DType dtype = value.type.dtype;
  llvm::Type *type = registerType(context_, dtype, value.type.lanes);
  if (dtype == DType::F16 || dtype == DType::BF16) {
    llvm::Type *wide = registerType(context_, DType::F64, value.type.lanes);
    return scalars_.cast(llvm::ConstantFP::get(wide, value.number), DType::F64, dtype);
  }
  if (isFloat(dtype)) return llvm::ConstantFP::get(type, value.number);
  if (dtype == DType::Bool) return llvm::ConstantInt::get(type, value.integer != 0 ? 1 : 0);
  return llvm::ConstantInt::get(type, static_cast<uint64_t>(value.integer), isSigned(dtype));
}

llvm::Value *FunctionEmitter::emitIndexValue(const loop::Value &value) {
  int lanes = value.type.lanes;
  llvm::Value *number = nullptr;
  if (lanes == 1) {
    number = integers_.materialize(integers_.evaluate(value.index));
  } else {
    LaneOffsets offsets = laneOffsets(value.index, value.lane, lanes);
    if (offsets.stride.has_value()) {
      number = builder_.CreateVectorSplat(static_cast<unsigned>(lanes), integers_.materialize(offsets.base));
      if (*offsets.stride != 0) {
        std::vector<uint64_t> steps;
        for (int i = 0; i < lanes; ++i) steps.push_back(static_cast<uint64_t>(i * *offsets.stride));
        number = builder_.CreateAdd(number, llvm::ConstantDataVector::get(context_, steps));
      }
    } else {
      number = llvm::PoisonValue::get(registerType(context_, DType::I64, lanes));
      for (int i = 0; i < lanes; ++i) {
        llvm::Value *element = integers_.materialize(offsets.perLane[static_cast<size_t>(i)]);
        number = builder_.CreateInsertElement(number, element, static_cast<uint64_t>(i));
      }
    }
  }
  return scalars_.cast(number, DType::I64, value.type.dtype);
}

llvm::Value *FunctionEmitter::simplify(ScalarOp op, DType dtype, const std::vector<llvm::Value *> &args) {
  // What unrolled code with padding and transforms with constant matrices are full of: taps that add nothing.
  if (dtype != DType::F32 && dtype != DType::F64) return nullptr;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  auto is = [&](size_t position, double number) { return isFloatConstant(args[position], number); };
  switch (op) {
    case ScalarOp::Mul:
      if (is(0, 0.0) || is(1, 0.0)) return llvm::Constant::getNullValue(args[0]->getType());
      if (is(0, 1.0)) return args[1];
      if (is(1, 1.0)) return args[0];
      if (is(0, -1.0)) return builder_.CreateFNeg(args[1]);
      if (is(1, -1.0)) return builder_.CreateFNeg(args[0]);
      return nullptr;
    case ScalarOp::Add:
      if (is(0, 0.0)) return args[1];
      if (is(1, 0.0)) return args[0];
      return nullptr;
    case ScalarOp::Sub:
      return is(1, 0.0) ? args[0] : nullptr;
    case ScalarOp::Div:
      return is(1, 1.0) ? args[0] : nullptr;
    case ScalarOp::Max:
    case ScalarOp::Min: {
      double neutral = op == ScalarOp::Max ? -infinity : infinity;
      if (is(0, neutral)) return args[1];
      if (is(1, neutral)) return args[0];
      return nullptr;
    }
    case ScalarOp::Pow:
      if (is(1, 1.0)) return args[0];
      if (is(1, 2.0)) return builder_.CreateFMul(args[0], args[0]);
      if (is(1, 3.0)) return builder_.CreateFMul(builder_.CreateFMul(args[0], args[0]), args[0]);
      return nullptr;
    default:
      return nullptr;
  }
}

absl::StatusOr<llvm::Value *> FunctionEmitter::emitFused(const loop::Value &value, bool &fused) {
  // a × b + c in one instruction with one rounding.
  fused = false;
  DType dtype = value.type.dtype;
  bool isAdd = value.op == ScalarOp::Add;
  if (!scalars_.usesFma() || (dtype != DType::F32 && dtype != DType::F64)) return nullptr;
  if (!isAdd && value.op != ScalarOp::Sub) return nullptr;
  size_t productAt = isApply(*value.args[1], ScalarOp::Mul) ? 1 : 0;
  if (!isApply(*value.args[productAt], ScalarOp::Mul)) return nullptr;
  const loop::Value &product = *value.args[productAt];
  HONE_ASSIGN_OR_RETURN(llvm::Value * a, emitValue(product.args[0]));
  HONE_ASSIGN_OR_RETURN(llvm::Value * b, emitValue(product.args[1]));
  // Let the product simplify on its own when it does.
  std::vector<llvm::Value *> factors = {a, b};
  for (llvm::Value *factor : factors) {
    std::optional<double> number = floatConstant(factor);
    if (number.has_value() && (*number == 0 || *number == 1 || *number == -1)) return nullptr;
  }
  HONE_ASSIGN_OR_RETURN(llvm::Value * other, emitValue(value.args[1 - productAt]));
  fused = true;
  if (isFloatConstant(other, 0.0) && isAdd) return builder_.CreateFMul(a, b);
  if (!isAdd && productAt == 1) a = builder_.CreateFNeg(a);
  if (!isAdd && productAt == 0) other = builder_.CreateFNeg(other);
  return scalars_.multiplyAdd(a, b, other);
}

absl::StatusOr<llvm::Value *> FunctionEmitter::emitApply(const loop::Value &value) {
  bool fused = false;
  HONE_ASSIGN_OR_RETURN(llvm::Value * contracted, emitFused(value, fused));
  if (fused) return contracted;
  std::vector<llvm::Value *> args;
  for (const loop::ValuePtr &arg : value.args) {
    HONE_ASSIGN_OR_RETURN(llvm::Value * emitted, emitValue(arg));
    args.push_back(emitted);
  }
  DType dtype = value.args.back()->type.dtype;
  if (llvm::Value *simpler = simplify(value.op, dtype, args)) return simpler;
  return scalars_.apply(value.op, dtype, args);
}

llvm::Value *FunctionEmitter::emitHorizontal(const loop::Value &value, llvm::Value *vector) {
  DType dtype = value.type.dtype;
  if (!vector->getType()->isVectorTy()) return vector;
  unsigned lanes = llvm::cast<llvm::FixedVectorType>(vector->getType())->getNumElements();
  // Halves onto halves: log2(lanes) steps, always in the same order.
  while (lanes > 1 && lanes % 2 == 0) {
    lanes /= 2;
    std::vector<int> low, high;
    for (unsigned i = 0; i < lanes; ++i) {
      low.push_back(static_cast<int>(i));
      high.push_back(static_cast<int>(lanes + i));
    }
    llvm::Value *halves[] = {builder_.CreateShuffleVector(vector, low), builder_.CreateShuffleVector(vector, high)};
    vector = scalars_.apply(value.op, dtype, halves);
  }
  llvm::Value *result = builder_.CreateExtractElement(vector, uint64_t{0});
  for (unsigned i = 1; i < lanes; ++i) {
    llvm::Value *both[] = {result, builder_.CreateExtractElement(vector, static_cast<uint64_t>(i))};
    result = scalars_.apply(value.op, dtype, both);
  }
  return result;
}

}  // namespace hone::codegen
