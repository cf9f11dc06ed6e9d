// Loads, stores, guards and masks.
#include <algorithm>
#include <numeric>

#include "abi/hone_abi.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/function_emitter.h"
#include "llvm/IR/Constants.h"

namespace hone::codegen {
namespace {

/// Padding is read from a block of zeros of at most this many bytes.
constexpr int64_t kMostZeros = 4096;

bool isAlways(llvm::Value *mask) {
  auto *constant = llvm::dyn_cast_or_null<llvm::Constant>(mask);
  return mask == nullptr || (constant != nullptr && constant->isAllOnesValue());
}

bool isNever(llvm::Value *mask) {
  auto *constant = llvm::dyn_cast_or_null<llvm::Constant>(mask);
  return constant != nullptr && constant->isNullValue();
}

}  // namespace

bool FunctionEmitter::usesVariable(const loop::IntExpr &expression, int id) const {
  std::optional<int64_t> coefficient = loop::coefficientOf(expression, id);
  return !coefficient.has_value() || *coefficient != 0;
}

FunctionEmitter::LaneOffsets FunctionEmitter::laneOffsets(const loop::IntExpr &index, int lane, int lanes) {
  LaneOffsets offsets;
  Linear number;
  if (lanes == 1 || lane < 0) {
    offsets.base = integers_.evaluate(index);
    offsets.stride = 0;
    return offsets;
  }
  offsets.stride = loop::coefficientOf(index, lane);
  int count = offsets.stride.has_value() ? 1 : lanes;
  for (int i = 0; i < count; ++i) {
    number.constant = i;
    integers_.bind(lane, number);
    offsets.perLane.push_back(integers_.evaluate(index));
  }
  integers_.unbind(lane);
  offsets.base = offsets.perLane[0];
  if (offsets.stride.has_value()) return offsets;
  // Divisions and the like may have vanished lane by lane.
  int64_t step = offsets.perLane[1].constant - offsets.base.constant;
  for (int i = 1; i < lanes; ++i) {
    const Linear &form = offsets.perLane[static_cast<size_t>(i)];
    if (form.terms != offsets.base.terms || form.constant != offsets.base.constant + i * step) return offsets;
  }
  offsets.stride = step;
  return offsets;
}

llvm::Value *FunctionEmitter::inRange(const Linear &form, int64_t low, int64_t high) {
  Range bounds = integers_.range(form);
  if (bounds.low >= low && bounds.high < high) return builder_.getTrue();
  if (bounds.high < low || bounds.low >= high || high <= low) return builder_.getFalse();
  IntEmitter::At place(integers_, integers_.depthOf(form));
  if (bounds.low >= low) {
    return builder_.CreateICmpSLT(integers_.materialize(form), builder_.getInt64(static_cast<uint64_t>(high)));
  }
  if (bounds.high < high) {
    return builder_.CreateICmpSGE(integers_.materialize(form), builder_.getInt64(static_cast<uint64_t>(low)));
  }
  Linear shifted = form;
  shifted.constant -= low;
  return builder_.CreateICmpULT(integers_.materialize(shifted), builder_.getInt64(static_cast<uint64_t>(high - low)));
}

FunctionEmitter::Condition FunctionEmitter::uniformGuards(const std::vector<loop::Guard> &guards, int lane) {
  Condition all;
  for (const loop::Guard &guard : guards) {
    if (lane >= 0 && usesVariable(guard.expression, lane)) continue;
    Linear form = integers_.evaluate(guard.expression);
    llvm::Value *holds = inRange(form, guard.low, guard.high);
    if (isNever(holds)) return {holds, 0};
    if (isAlways(holds)) continue;
    all.depth = std::max(all.depth, integers_.depthOf(form));
    IntEmitter::At place(integers_, all.depth);
    all.value = all.value == nullptr ? holds : builder_.CreateAnd(all.value, holds);
  }
  return all;
}

llvm::Value *FunctionEmitter::guardLanes(const loop::Guard &guard, int lane, int lanes) {
  LaneOffsets offsets = laneOffsets(guard.expression, lane, lanes);
  std::vector<Linear> forms = offsets.perLane;
  if (offsets.stride.has_value()) {
    forms.assign(static_cast<size_t>(lanes), offsets.base);
    for (int i = 0; i < lanes; ++i) forms[static_cast<size_t>(i)].constant += i * *offsets.stride;
  }
  bool constant = true;
  int depth = 0;
  Range all{INT64_MAX, INT64_MIN};
  for (const Linear &form : forms) {
    Range bounds = integers_.range(form);
    depth = std::max(depth, integers_.depthOf(form));
    all = {std::min(all.low, bounds.low), std::max(all.high, bounds.high)};
    constant = constant && ((bounds.low >= guard.low && bounds.high < guard.high) || bounds.high < guard.low ||
                            bounds.low >= guard.high);
  }
  IntEmitter::At place(integers_, depth);
  if (!constant && offsets.stride.has_value()) {
    // One comparison of vectors, of 32 bits where that is enough.
    bool narrow =
        all.low > INT32_MIN / 2 && all.high < INT32_MAX / 2 && guard.low > INT32_MIN / 2 && guard.high < INT32_MAX / 2;
    llvm::Type *type = narrow ? builder_.getInt32Ty() : builder_.getInt64Ty();
    Linear shifted = offsets.base;
    shifted.constant -= guard.low;
    llvm::Value *base = builder_.CreateTrunc(integers_.materialize(shifted), type);
    std::vector<llvm::Constant *> steps;
    for (int i = 0; i < lanes; ++i)
      steps.push_back(llvm::ConstantInt::get(type, static_cast<uint64_t>(i * *offsets.stride), true));
    llvm::Value *numbers = builder_.CreateAdd(builder_.CreateVectorSplat(static_cast<unsigned>(lanes), base),
                                              llvm::ConstantVector::get(steps));
    llvm::Value *width =
        llvm::ConstantInt::get(numbers->getType(), static_cast<uint64_t>(std::max<int64_t>(0, guard.high - guard.low)));
    return builder_.CreateICmpULT(numbers, width);
  }
  llvm::Value *mask = llvm::Constant::getNullValue(registerType(context_, DType::Bool, lanes));
  for (int i = 0; i < lanes; ++i) {
    mask = builder_.CreateInsertElement(mask, inRange(forms[static_cast<size_t>(i)], guard.low, guard.high),
                                        static_cast<uint64_t>(i));
  }
  return mask;
}

llvm::Value *FunctionEmitter::laneMask(const std::vector<loop::Guard> &guards, int lane, int lanes, int active) {
  if (lanes == 1) return nullptr;
  llvm::Value *all = nullptr;
  if (active > 0 && active < lanes) {
    std::vector<llvm::Constant *> bits;
    for (int i = 0; i < lanes; ++i) bits.push_back(builder_.getInt1(i < active));
    all = llvm::ConstantVector::get(bits);
  }
  for (const loop::Guard &guard : guards) {
    if (lane < 0 || !usesVariable(guard.expression, lane)) continue;
    llvm::Value *holds = guardLanes(guard, lane, lanes);
    if (isAlways(holds)) continue;
    all = all == nullptr ? holds : builder_.CreateAnd(all, holds);
  }
  return isAlways(all) ? nullptr : all;
}

llvm::Value *FunctionEmitter::pointer(int buffer, const Linear &offset) {
  return integers_.address(buffers_[static_cast<size_t>(buffer)].base, buffer, offset,
                           sizeOf(kernel_.buffers[static_cast<size_t>(buffer)].dtype));
}

llvm::Align FunctionEmitter::alignmentOf(int buffer, const Linear &offset) const {
  int64_t bytes = sizeOf(kernel_.buffers[static_cast<size_t>(buffer)].dtype);
  int64_t common = std::gcd<int64_t>(HONE_ALIGNMENT, offset.constant * bytes);
  for (auto [leaf, coefficient] : offset.terms) common = std::gcd(common, coefficient * bytes);
  return llvm::Align(static_cast<uint64_t>(common));
}

void FunctionEmitter::annotate(llvm::Instruction *access, int buffer, bool isLoad) {
  const Buffer &facts = buffers_[static_cast<size_t>(buffer)];
  access->setMetadata(llvm::LLVMContext::MD_alias_scope, facts.scope);
  access->setMetadata(llvm::LLVMContext::MD_noalias, facts.others);
  if (isLoad && !kernel_.buffers[static_cast<size_t>(buffer)].written) {
    access->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(context_, {}));
  }
}

llvm::Value *FunctionEmitter::fromMemory(llvm::Value *value, DType dtype) {
  if (dtype != DType::Bool) return value;
  return builder_.CreateICmpNE(value, llvm::Constant::getNullValue(value->getType()));
}

llvm::Value *FunctionEmitter::toMemory(llvm::Value *value, DType dtype) {
  if (dtype != DType::Bool) return value;
  int lanes = 1;
  if (auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType()))
    lanes = static_cast<int>(vector->getNumElements());
  return builder_.CreateZExt(value, memoryType(context_, dtype, lanes));
}

llvm::Value *FunctionEmitter::loadScalar(int buffer, const Linear &offset, llvm::Value *condition) {
  const loop::BufferSlot &slot = kernel_.buffers[static_cast<size_t>(buffer)];
  llvm::Value *at = pointer(buffer, offset);
  // Where the guard fails the first element is read instead: no branch, and never outside.
  if (condition != nullptr) at = builder_.CreateSelect(condition, at, buffers_[static_cast<size_t>(buffer)].base);
  llvm::LoadInst *load =
      builder_.CreateAlignedLoad(memoryType(context_, slot.dtype, 1), at, alignmentOf(buffer, offset));
  annotate(load, buffer, true);
  return fromMemory(load, slot.dtype);
}

llvm::Value *FunctionEmitter::pointerOrZeros(int buffer, const Linear &offset, const Condition &condition,
                                             int64_t accessBytes) {
  int64_t bytes = sizeOf(kernel_.buffers[static_cast<size_t>(buffer)].dtype);
  // As far out as the inner loops' part of the offset stays within the zeros.
  for (int depth = condition.depth; depth <= integers_.depth(); ++depth) {
    Linear outer;
    Linear inner;
    outer.constant = offset.constant;
    for (auto term : offset.terms) {
      Linear single;
      single.terms.push_back(term);
      (integers_.depthOf(single) <= depth ? outer : inner).terms.push_back(term);
    }
    Range reach = integers_.range(inner);
    if (reach.low < 0 || reach.high > kMostZeros) continue;
    int64_t needed = (reach.high * bytes + accessBytes + HONE_ALIGNMENT - 1) / HONE_ALIGNMENT * HONE_ALIGNMENT;
    if (needed > kMostZeros) continue;
    llvm::Value *start = nullptr;
    {
      IntEmitter::At place(integers_, depth);
      start = builder_.CreateSelect(condition.value, pointer(buffer, outer), zeros(needed));
    }
    return integers_.address(start, --selectedBases_, inner, bytes);
  }
  return nullptr;
}

llvm::Value *FunctionEmitter::zeros(int64_t bytes) {
  auto *type = llvm::ArrayType::get(builder_.getInt8Ty(), static_cast<uint64_t>(bytes));
  std::string name = absl::StrCat("zeros", bytes);
  if (llvm::GlobalVariable *known = module_.getNamedGlobal(name)) return known;
  auto *variable = new llvm::GlobalVariable(module_, type, true, llvm::GlobalValue::InternalLinkage,
                                            llvm::Constant::getNullValue(type), name);  // the module owns it
  variable->setAlignment(llvm::Align(HONE_ALIGNMENT));
  return variable;
}

llvm::Value *FunctionEmitter::loadOrZeros(const loop::Value &value, const LaneOffsets &offsets,
                                          const Condition &condition) {
  const loop::BufferSlot &slot = kernel_.buffers[static_cast<size_t>(value.buffer)];
  int lanes = value.type.lanes;
  int lanesRead = offsets.stride == 0 ? 1 : lanes;
  if (lanesRead > 1 && offsets.stride != 1) return nullptr;
  llvm::Value *at = pointerOrZeros(value.buffer, offsets.base, condition, lanesRead * sizeOf(slot.dtype));
  if (at == nullptr) return nullptr;
  llvm::LoadInst *load = builder_.CreateAlignedLoad(memoryType(context_, slot.dtype, lanesRead), at,
                                                    alignmentOf(value.buffer, offsets.base));
  annotate(load, value.buffer, true);
  llvm::Value *result = fromMemory(load, slot.dtype);
  return lanesRead == lanes ? result : builder_.CreateVectorSplat(static_cast<unsigned>(lanes), result);
}

llvm::Value *FunctionEmitter::loadIndex(int buffer, const Linear &offset) {
  DType dtype = kernel_.buffers[static_cast<size_t>(buffer)].dtype;
  return scalars_.cast(loadScalar(buffer, offset, nullptr), dtype, DType::I64);
}

llvm::Value *FunctionEmitter::gather(const loop::Value &value, const LaneOffsets &offsets, llvm::Value *mask,
                                     llvm::Value *fill) {
  const loop::BufferSlot &slot = kernel_.buffers[static_cast<size_t>(value.buffer)];
  int lanes = value.type.lanes;
  llvm::Type *type = memoryType(context_, slot.dtype, lanes);
  int64_t bytes = sizeOf(slot.dtype);
  bool dynamicMask = mask != nullptr && !llvm::isa<llvm::Constant>(mask);
  if (dynamicMask && offsets.stride.has_value() && isa_.avx512 && bytes >= 4) {
    std::vector<uint64_t> steps;
    for (int i = 0; i < lanes; ++i) steps.push_back(static_cast<uint64_t>(i * *offsets.stride * bytes));
    llvm::Value *pointers = builder_.CreateGEP(builder_.getInt8Ty(), pointer(value.buffer, offsets.base),
                                               llvm::ConstantDataVector::get(context_, steps));
    llvm::CallInst *load = builder_.CreateMaskedGather(type, pointers, llvm::Align(static_cast<uint64_t>(bytes)), mask,
                                                       toMemory(fill, slot.dtype));
    annotate(load, value.buffer, true);
    return fromMemory(load, slot.dtype);
  }
  llvm::Value *result = fill;
  for (int i = 0; i < lanes; ++i) {
    llvm::Value *active = mask == nullptr ? nullptr : builder_.CreateExtractElement(mask, static_cast<uint64_t>(i));
    if (isNever(active)) continue;
    if (isAlways(active)) active = nullptr;
    Linear offset = offsets.base;
    if (offsets.stride.has_value()) {
      offset.constant += i * *offsets.stride;
    } else {
      offset = offsets.perLane[static_cast<size_t>(i)];
    }
    llvm::Value *element = loadScalar(value.buffer, offset, active);
    if (active != nullptr) {
      element = builder_.CreateSelect(active, element, builder_.CreateExtractElement(fill, static_cast<uint64_t>(i)));
    }
    result = builder_.CreateInsertElement(result, element, static_cast<uint64_t>(i));
  }
  return result;
}

llvm::Value *FunctionEmitter::loadLanes(const loop::Value &value, const LaneOffsets &offsets, llvm::Value *mask,
                                        llvm::Value *fill) {
  const loop::BufferSlot &slot = kernel_.buffers[static_cast<size_t>(value.buffer)];
  int lanes = value.type.lanes;
  if (offsets.stride == 0) {
    llvm::Value *any = mask == nullptr ? nullptr : builder_.CreateOrReduce(mask);
    if (any != nullptr && isAlways(any)) any = nullptr;
    llvm::Value *element = loadScalar(value.buffer, offsets.base, any);
    llvm::Value *splat = builder_.CreateVectorSplat(static_cast<unsigned>(lanes), element);
    return mask == nullptr ? splat : builder_.CreateSelect(mask, splat, fill);
  }
  if (offsets.stride != 1) return gather(value, offsets, mask, fill);
  llvm::Type *type = memoryType(context_, slot.dtype, lanes);
  llvm::Value *at = pointer(value.buffer, offsets.base);
  llvm::Align alignment = alignmentOf(value.buffer, offsets.base);
  llvm::Instruction *load = mask == nullptr
                                ? static_cast<llvm::Instruction *>(builder_.CreateAlignedLoad(type, at, alignment))
                                : builder_.CreateMaskedLoad(type, at, alignment, mask, toMemory(fill, slot.dtype));
  annotate(load, value.buffer, true);
  return fromMemory(load, slot.dtype);
}

absl::StatusOr<llvm::Value *> FunctionEmitter::emitLoad(const loop::Value &value) {
  int lanes = value.type.lanes;
  int lane = lanes > 1 ? value.lane : -1;
  Condition condition = uniformGuards(value.guards, lane);
  llvm::Value *mask = laneMask(value.guards, lane, lanes, value.activeLanes);
  bool never = isNever(condition.value) || isNever(mask);
  llvm::Value *fill = llvm::Constant::getNullValue(registerType(context_, value.type.dtype, lanes));
  if (value.fill != nullptr && (never || condition.value != nullptr || mask != nullptr)) {
    HONE_ASSIGN_OR_RETURN(fill, emitValue(value.fill));
    if (lanes > 1 && !fill->getType()->isVectorTy()) {
      fill = builder_.CreateVectorSplat(static_cast<unsigned>(lanes), fill);
    }
  }
  if (never) return fill;
  LaneOffsets offsets = laneOffsets(value.index, lane, lanes);
  if (condition.value != nullptr && mask == nullptr && isNever(fill)) {
    if (llvm::Value *loaded = loadOrZeros(value, offsets, condition)) return loaded;
  }
  if (lanes == 1) {
    llvm::Value *element = loadScalar(value.buffer, offsets.base, condition.value);
    return condition.value == nullptr ? element : builder_.CreateSelect(condition.value, element, fill);
  }
  if (condition.value != nullptr) {
    llvm::Value *everywhere = builder_.CreateVectorSplat(static_cast<unsigned>(lanes), condition.value);
    mask = mask == nullptr ? everywhere : builder_.CreateAnd(mask, everywhere);
  }
  return loadLanes(value, offsets, mask, fill);
}

void FunctionEmitter::scatter(const loop::Statement &statement, const LaneOffsets &offsets, llvm::Value *value,
                              llvm::Value *mask) {
  const loop::BufferSlot &slot = kernel_.buffers[static_cast<size_t>(statement.buffer)];
  int lanes = statement.value->type.lanes;
  for (int i = 0; i < lanes; ++i) {
    llvm::Value *active = mask == nullptr ? nullptr : builder_.CreateExtractElement(mask, static_cast<uint64_t>(i));
    if (isNever(active)) continue;
    Linear offset = offsets.base;
    if (offsets.stride.has_value()) {
      offset.constant += i * *offsets.stride;
    } else {
      offset = offsets.perLane[static_cast<size_t>(i)];
    }
    llvm::BasicBlock *after = nullptr;
    if (!isAlways(active)) {
      llvm::BasicBlock *then = newBlock("lane");
      after = newBlock("next");
      builder_.CreateCondBr(active, then, after);
      builder_.SetInsertPoint(then);
      integers_.pushScope();
    }
    llvm::Value *element = toMemory(builder_.CreateExtractElement(value, static_cast<uint64_t>(i)), slot.dtype);
    llvm::Align alignment(static_cast<uint64_t>(sizeOf(slot.dtype)));
    annotate(builder_.CreateAlignedStore(element, pointer(statement.buffer, offset), alignment), statement.buffer,
             false);
    if (after == nullptr) continue;
    integers_.popScope();
    builder_.CreateBr(after);
    builder_.SetInsertPoint(after);
  }
}

void FunctionEmitter::storeLanes(const loop::Statement &statement, const LaneOffsets &offsets, llvm::Value *value,
                                 llvm::Value *mask) {
  const loop::BufferSlot &slot = kernel_.buffers[static_cast<size_t>(statement.buffer)];
  int lanes = statement.value->type.lanes;
  if (lanes > 1 && offsets.stride != 1) return scatter(statement, offsets, value, mask);
  llvm::Value *at = pointer(statement.buffer, offsets.base);
  llvm::Align alignment = alignmentOf(statement.buffer, offsets.base);
  llvm::Value *bits = toMemory(value, slot.dtype);
  llvm::Instruction *store = mask == nullptr
                                 ? static_cast<llvm::Instruction *>(builder_.CreateAlignedStore(bits, at, alignment))
                                 : builder_.CreateMaskedStore(bits, at, alignment, mask);
  annotate(store, statement.buffer, false);
}

absl::Status FunctionEmitter::emitStore(const loop::Statement &statement) {
  int lanes = statement.value->type.lanes;
  int lane = lanes > 1 ? statement.lane : -1;
  llvm::Value *condition = uniformGuards(statement.guards, lane).value;
  if (isNever(condition)) return absl::OkStatus();
  llvm::BasicBlock *after = nullptr;
  if (condition != nullptr) {
    llvm::BasicBlock *then = newBlock("store");
    after = newBlock("after");
    builder_.CreateCondBr(condition, then, after);
    builder_.SetInsertPoint(then);
    integers_.pushScope();
  }
  HONE_ASSIGN_OR_RETURN(llvm::Value * value, emitValue(statement.value));
  llvm::Value *mask = laneMask(statement.guards, lane, lanes, statement.activeLanes);
  if (mask == nullptr || !isNever(mask)) {
    storeLanes(statement, laneOffsets(statement.index, lane, lanes), value, mask);
  }
  if (after != nullptr) {
    integers_.popScope();
    builder_.CreateBr(after);
    builder_.SetInsertPoint(after);
  }
  return absl::OkStatus();
}

void FunctionEmitter::emitPrefetch(const loop::Statement &statement) {
  constexpr uint32_t isRead = 0, allCaches = 3, ofData = 1;
  llvm::Value *at = pointer(statement.buffer, integers_.evaluate(statement.index));
  builder_.CreateIntrinsic(llvm::Intrinsic::prefetch, {builder_.getPtrTy()},
                           {at, builder_.getInt32(isRead), builder_.getInt32(allCaches), builder_.getInt32(ofData)});
}

}  // namespace hone::codegen
