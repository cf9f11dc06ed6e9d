#include "compiler/codegen/function_emitter.h"

#include <cassert>

#include "abi/hone_abi.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "llvm/IR/MDBuilder.h"

namespace hone::codegen {
namespace {

/// -1 for the variable of a loop of one iteration, which is a constant already.
int variableId(const loop::IntExpr &variable) {
  if (variable.isConstant()) return -1;
  assert(variable.terms().size() == 1 && variable.terms()[0].atom->kind == loop::AtomKind::Var);
  return variable.terms()[0].atom->id;
}

/// Written-out statements beyond this many would take minutes in LLVM: a schedule that asks for it is at fault.
constexpr int64_t kMostIterationsUnrolled = 4096;

}  // namespace

FunctionEmitter::FunctionEmitter(llvm::Module &module, const loop::Kernel &kernel, const TargetDescription &target,
                                 bool contract)
    : module_(module),
      context_(module.getContext()),
      kernel_(kernel),
      target_(target),
      isa_(isaOf(target)),
      builder_(context_),
      scalars_(builder_, isa_, contract),
      integers_(builder_, [this](int buffer, const Linear &offset) { return loadIndex(buffer, offset); }) {}

llvm::BasicBlock *FunctionEmitter::newBlock(const char *name) {
  return llvm::BasicBlock::Create(context_, name, function_);
}

llvm::Function *FunctionEmitter::createFunction(const std::string &name) {
  llvm::Type *pointer = builder_.getPtrTy();
  llvm::Type *i64 = builder_.getInt64Ty();
  auto *type = llvm::FunctionType::get(builder_.getVoidTy(), {pointer, i64, i64, pointer}, false);
  auto *function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module_);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function->setDoesNotThrow();
  function->addFnAttr("no-builtins");
  if (!knownFeatures(target_.triple).empty()) {
    function->addFnAttr("target-cpu", baselineCpu(target_.triple));
    function->addFnAttr("tune-cpu", target_.cpu);
  } else {
    function->addFnAttr("target-cpu", target_.cpu);
  }
  function->addFnAttr("target-features", featureString(target_));
  std::string width = absl::StrCat(target_.vectorBytes * 8);
  function->addFnAttr("prefer-vector-width", width);
  function->addFnAttr("min-legal-vector-width", width);
  const char *names[] = {"buffers", "begin", "end", "scratch"};
  for (unsigned i = 0; i < 4; ++i) function->getArg(i)->setName(names[i]);
  function->getArg(0)->addAttr(llvm::Attribute::NoCapture);
  function->getArg(0)->addAttr(llvm::Attribute::ReadOnly);
  return function;
}

bool FunctionEmitter::overlap(const loop::BufferSlot &a, const loop::BufferSlot &b) const {
  if (a.space != b.space) return false;
  if (a.space == loop::Space::Argument) return a.offset == b.offset;
  return a.offset < b.offset + b.elements * sizeOf(b.dtype) && b.offset < a.offset + a.elements * sizeOf(a.dtype);
}

void FunctionEmitter::describeAliasing() {
  llvm::MDBuilder metadata(context_);
  llvm::MDNode *domain = metadata.createAnonymousAliasScopeDomain(kernel_.name);
  std::vector<llvm::Metadata *> scopes;
  for (const loop::BufferSlot &slot : kernel_.buffers) {
    scopes.push_back(metadata.createAnonymousAliasScope(domain, slot.name));
  }
  for (size_t i = 0; i < kernel_.buffers.size(); ++i) {
    std::vector<llvm::Metadata *> others;
    for (size_t j = 0; j < kernel_.buffers.size(); ++j) {
      if (j != i && !overlap(kernel_.buffers[i], kernel_.buffers[j])) others.push_back(scopes[j]);
    }
    buffers_[i].scope = llvm::MDNode::get(context_, {scopes[i]});
    buffers_[i].others = llvm::MDNode::get(context_, others);
  }
}

void FunctionEmitter::loadBuffers(llvm::Function *function) {
  llvm::MDNode *empty = llvm::MDNode::get(context_, {});
  llvm::MDNode *alignment =
      llvm::MDNode::get(context_, {llvm::ConstantAsMetadata::get(builder_.getInt64(HONE_ALIGNMENT))});
  int arguments = 0;
  for (const loop::BufferSlot &slot : kernel_.buffers) {
    if (slot.space == loop::Space::Argument) arguments = std::max(arguments, static_cast<int>(slot.offset) + 1);
  }
  auto loadPointer = [&](int64_t position, const std::string &name) {
    llvm::Value *at =
        builder_.CreateConstInBoundsGEP1_64(builder_.getPtrTy(), function->getArg(0), static_cast<uint64_t>(position));
    llvm::LoadInst *load = builder_.CreateLoad(builder_.getPtrTy(), at, name);
    load->setMetadata(llvm::LLVMContext::MD_invariant_load, empty);
    load->setMetadata(llvm::LLVMContext::MD_nonnull, empty);
    load->setMetadata(llvm::LLVMContext::MD_align, alignment);
    return load;
  };
  llvm::Value *shared = nullptr;
  buffers_.resize(kernel_.buffers.size());
  for (size_t i = 0; i < kernel_.buffers.size(); ++i) {
    const loop::BufferSlot &slot = kernel_.buffers[i];
    if (slot.space == loop::Space::Argument) {
      buffers_[i].base = loadPointer(slot.offset, slot.name);
      continue;
    }
    if (slot.space == loop::Space::SharedScratch && shared == nullptr) shared = loadPointer(arguments, "shared");
    llvm::Value *base = slot.space == loop::Space::SharedScratch ? shared : function->getArg(3);
    buffers_[i].base = builder_.CreatePtrAdd(base, builder_.getInt64(static_cast<uint64_t>(slot.offset)), slot.name);
  }
  describeAliasing();
}

absl::Status FunctionEmitter::emit(const loop::Phase &phase, const std::string &name) {
  function_ = createFunction(name);
  builder_.SetInsertPoint(newBlock("entry"));
  loadBuffers(function_);
  HONE_RETURN_IF_ERROR(emitParallel(phase, function_));
  builder_.CreateRetVoid();
  return absl::OkStatus();
}

absl::Status FunctionEmitter::emitParallel(const loop::Phase &phase, llvm::Function *function) {
  Linear begin = integers_.leaf(function->getArg(1), 0, phase.extent, 0);
  Linear end = integers_.leaf(function->getArg(2), 0, phase.extent, 0);
  return emitRolled(variableId(phase.parallel), begin, end, 1, {phase.body});
}

absl::Status FunctionEmitter::emitBody(const std::vector<loop::StatementPtr> &body) {
  for (const loop::StatementPtr &statement : body) HONE_RETURN_IF_ERROR(emitStatement(*statement));
  return absl::OkStatus();
}

absl::Status FunctionEmitter::emitStatement(const loop::Statement &statement) {
  values_.clear();
  switch (statement.kind) {
    case loop::StatementKind::Block:
      return emitBody(statement.body);
    case loop::StatementKind::For:
      return emitFor(statement);
    case loop::StatementKind::If:
      return emitIf(statement);
    case loop::StatementKind::Registers:
      declareRegisters(statement);
      return absl::OkStatus();
    case loop::StatementKind::Set: {
      HONE_ASSIGN_OR_RETURN(llvm::AllocaInst * element, registerElement(statement.reg, statement.index));
      HONE_ASSIGN_OR_RETURN(llvm::Value * value, emitValue(statement.value));
      builder_.CreateStore(value, element);
      return absl::OkStatus();
    }
    case loop::StatementKind::Store:
      return emitStore(statement);
    case loop::StatementKind::Prefetch:
      emitPrefetch(statement);
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status FunctionEmitter::emitFor(const loop::Statement &statement) {
  int id = variableId(statement.variable);
  Linear begin = integers_.evaluate(statement.begin);
  Linear end = integers_.evaluate(statement.end);
  if (statement.loop == loop::LoopKind::Unrolled) {
    if (!begin.isConstant() || !end.isConstant()) {
      return absl::InternalError(absl::StrCat("kernel ", kernel_.name, ": bounds of unrolled loop ",
                                              statement.variable.text(), " are not constant: ", statement.begin.text(),
                                              " .. ", statement.end.text()));
    }
    return emitUnrolled(id, begin.constant, end.constant, statement.step, statement.body);
  }
  Linear length = add(end, begin, -1);
  if (length.isConstant() && length.constant <= 0) return absl::OkStatus();
  if (length.isConstant() && length.constant <= statement.step) {  // once
    integers_.bind(id, begin);
    absl::Status status = emitBody(statement.body);
    integers_.unbind(id);
    return status;
  }
  return emitRolled(id, begin, end, statement.step, statement.body);
}

absl::Status FunctionEmitter::emitUnrolled(int id, int64_t begin, int64_t end, int64_t step,
                                           const std::vector<loop::StatementPtr> &body) {
  if ((end - begin) / step > kMostIterationsUnrolled) {
    return absl::InvalidArgumentError(absl::StrCat("kernel ", kernel_.name, ": a loop of ", (end - begin) / step,
                                                   " iterations is to be unrolled; at most ", kMostIterationsUnrolled,
                                                   " can be"));
  }
  for (int64_t i = begin; i < end; i += step) {
    Linear value;
    value.constant = i;
    integers_.bind(id, value);
    HONE_RETURN_IF_ERROR(emitBody(body));
  }
  integers_.unbind(id);
  return absl::OkStatus();
}

absl::Status FunctionEmitter::emitRolled(int id, const Linear &begin, const Linear &end, int64_t step,
                                         const std::vector<loop::StatementPtr> &body) {
  llvm::Value *first = integers_.materialize(begin);
  llvm::Value *last = integers_.materialize(end);
  llvm::BasicBlock *after = newBlock("after");
  llvm::BasicBlock *loopBlock = newBlock("loop");
  // The test is at the loop's end; one before it where the loop may be empty.
  llvm::BasicBlock *before = newBlock("before");
  if (integers_.range(add(end, begin, -1)).low >= 1) {
    builder_.CreateBr(before);
  } else {
    builder_.CreateCondBr(builder_.CreateICmpSLT(first, last), before, after);
  }
  builder_.SetInsertPoint(before);
  builder_.CreateBr(loopBlock);
  builder_.SetInsertPoint(loopBlock);
  llvm::PHINode *variable = builder_.CreatePHI(builder_.getInt64Ty(), 2);
  variable->addIncoming(first, before);

  int64_t low = integers_.range(begin).low;
  int64_t high = integers_.range(end).high - 1;
  integers_.enterLoop(before);
  integers_.bind(id, integers_.leaf(variable, low, std::max(low, high), integers_.depth()));
  HONE_RETURN_IF_ERROR(emitBody(body));
  integers_.unbind(id);
  integers_.leaveLoop();

  llvm::Value *next = builder_.CreateAdd(variable, builder_.getInt64(static_cast<uint64_t>(step)), "",
                                         /*HasNUW=*/low >= 0, /*HasNSW=*/true);
  variable->addIncoming(next, builder_.GetInsertBlock());
  builder_.CreateCondBr(builder_.CreateICmpSLT(next, last), loopBlock, after);
  builder_.SetInsertPoint(after);
  return absl::OkStatus();
}

absl::Status FunctionEmitter::emitIf(const loop::Statement &statement) {
  llvm::Value *condition = uniformGuards(statement.guards, -1).value;
  if (condition == nullptr) return emitBody(statement.body);
  if (llvm::isa<llvm::Constant>(condition)) return absl::OkStatus();
  llvm::BasicBlock *then = newBlock("then");
  llvm::BasicBlock *after = newBlock("after");
  builder_.CreateCondBr(condition, then, after);
  builder_.SetInsertPoint(then);
  integers_.pushScope();
  HONE_RETURN_IF_ERROR(emitBody(statement.body));
  integers_.popScope();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  return absl::OkStatus();
}

void FunctionEmitter::declareRegisters(const loop::Statement &statement) {
  // In the entry block, so that all of them become SSA values.
  llvm::BasicBlock &entry = function_->getEntryBlock();
  Builder at(&entry, entry.begin());
  RegisterArray array;
  array.type = statement.type;
  llvm::Type *type = registerType(context_, statement.type.dtype, statement.type.lanes);
  for (int i = 0; i < statement.count; ++i) array.elements.push_back(at.CreateAlloca(type, nullptr, statement.name));
  registers_[statement.reg] = std::move(array);
}

absl::StatusOr<llvm::AllocaInst *> FunctionEmitter::registerElement(int reg, const loop::IntExpr &index) {
  auto found = registers_.find(reg);
  Linear position = integers_.evaluate(index);
  if (found == registers_.end() || !position.isConstant() || position.constant < 0 ||
      position.constant >= static_cast<int64_t>(found->second.elements.size())) {
    return absl::InternalError(absl::StrCat("kernel ", kernel_.name, ": register array ", reg, " has no element ",
                                            index.text(), " that is known when the code is made"));
  }
  return found->second.elements[static_cast<size_t>(position.constant)];
}

}  // namespace hone::codegen
