#include "compiler/codegen/helper_module.h"

#include "abi/hone_abi.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/llvm_target.h"
#include "compiler/codegen/pipeline.h"
#include "compiler/codegen/scalar_emitter.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

namespace hone::codegen {
namespace {

// Simple loops: generated code copies with vector instructions, these serve what LLVM makes of odd cases. fmod doubles
// the divisor to just below the dividend and subtracts on the way back; every step is exact.
constexpr const char *kHelpers = R"(
define hidden ptr @memcpy(ptr %to, ptr %from, i64 %count) #0 {
entry:
  %some = icmp ne i64 %count, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %source = getelementptr i8, ptr %from, i64 %i
  %target = getelementptr i8, ptr %to, i64 %i
  %byte = load i8, ptr %source
  store i8 %byte, ptr %target
  %next = add nuw i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  ret ptr %to
}

define hidden ptr @memmove(ptr %to, ptr %from, i64 %count) #0 {
entry:
  %some = icmp ne i64 %count, 0
  br i1 %some, label %which, label %done
which:
  %upwards = icmp ult ptr %to, %from
  br i1 %upwards, label %forward, label %backward
forward:
  %copied = call ptr @memcpy(ptr %to, ptr %from, i64 %count)
  br label %done
backward:
  %i = phi i64 [ %count, %which ], [ %next, %backward ]
  %next = sub i64 %i, 1
  %source = getelementptr i8, ptr %from, i64 %next
  %target = getelementptr i8, ptr %to, i64 %next
  %byte = load i8, ptr %source
  store i8 %byte, ptr %target
  %more = icmp ne i64 %next, 0
  br i1 %more, label %backward, label %done
done:
  ret ptr %to
}

define hidden ptr @memset(ptr %to, i32 %value, i64 %count) #0 {
entry:
  %byte = trunc i32 %value to i8
  %some = icmp ne i64 %count, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %target = getelementptr i8, ptr %to, i64 %i
  store i8 %byte, ptr %target
  %next = add nuw i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  ret ptr %to
}

define hidden i32 @memcmp(ptr %left, ptr %right, i64 %count) #0 {
entry:
  %some = icmp ne i64 %count, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %again ]
  %leftAt = getelementptr i8, ptr %left, i64 %i
  %rightAt = getelementptr i8, ptr %right, i64 %i
  %leftByte = load i8, ptr %leftAt
  %rightByte = load i8, ptr %rightAt
  %leftWide = zext i8 %leftByte to i32
  %rightWide = zext i8 %rightByte to i32
  %difference = sub i32 %leftWide, %rightWide
  %same = icmp eq i32 %difference, 0
  br i1 %same, label %again, label %done
again:
  %next = add nuw i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  %result = phi i32 [ 0, %entry ], [ %difference, %loop ], [ 0, %again ]
  ret i32 %result
}

define hidden i32 @bcmp(ptr %left, ptr %right, i64 %count) #0 {
  %result = call i32 @memcmp(ptr %left, ptr %right, i64 %count)
  ret i32 %result
}

define hidden double @fmod(double %x, double %y) #0 {
entry:
  %dividend = call double @llvm.fabs.f64(double %x)
  %divisor = call double @llvm.fabs.f64(double %y)
  %finite = fcmp olt double %dividend, 0x7FF0000000000000
  %nonzero = fcmp ogt double %divisor, 0.0
  %valid = and i1 %finite, %nonzero
  br i1 %valid, label %compare, label %invalid
invalid:
  ret double 0x7FF8000000000000
compare:
  %smaller = fcmp olt double %dividend, %divisor
  br i1 %smaller, label %unchanged, label %up
unchanged:
  ret double %x
up:
  %t = phi double [ %divisor, %compare ], [ %twice, %up ]
  %twice = fadd double %t, %t
  %fits = fcmp ole double %twice, %dividend
  br i1 %fits, label %up, label %down
down:
  %part = phi double [ %t, %up ], [ %half, %down ]
  %rest = phi double [ %dividend, %up ], [ %left, %down ]
  %contains = fcmp oge double %rest, %part
  %less = fsub double %rest, %part
  %left = select i1 %contains, double %less, double %rest
  %half = fmul double %part, 0.5
  %more = fcmp ogt double %part, %divisor
  br i1 %more, label %down, label %done
done:
  %result = call double @llvm.copysign.f64(double %left, double %x)
  ret double %result
}

define hidden float @fmodf(float %x, float %y) #0 {
  %xWide = fpext float %x to double
  %yWide = fpext float %y to double
  %wide = call double @fmod(double %xWide, double %yWide)
  %result = fptrunc double %wide to float
  ret float %result
}

declare double @llvm.fabs.f64(double)
declare double @llvm.copysign.f64(double, double)
attributes #0 = { nounwind "no-builtins" }
)";

/// NAME(from) -> to by the arithmetic that generated code uses itself.
void addConversion(llvm::Module &module, const TargetDescription &target, const char *name, DType from, DType to) {
  llvm::LLVMContext &context = module.getContext();
  auto typeOf = [&](DType dtype) {
    if (dtype == DType::F16) return llvm::Type::getHalfTy(context);
    if (dtype == DType::BF16) return llvm::Type::getBFloatTy(context);
    return registerType(context, dtype, 1);
  };
  auto *type = llvm::FunctionType::get(typeOf(to), {typeOf(from)}, false);
  auto *function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function->addFnAttr("no-builtins");
  Builder builder(llvm::BasicBlock::Create(context, "entry", function));
  Isa isa = isaOf(target);
  isa.halfConversion = false;
  ScalarEmitter scalars(builder, isa, false);
  llvm::Value *bits = builder.CreateBitCast(function->getArg(0), registerType(context, from, 1));
  builder.CreateRet(builder.CreateBitCast(scalars.cast(bits, from, to), typeOf(to)));
}

absl::StatusOr<std::string> compile(llvm::Module &module, llvm::TargetMachine &machine) {
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (llvm::verifyModule(module, &stream)) return absl::InternalError(absl::StrCat("malformed LLVM IR: ", problems));
  optimize(module, machine);
  HONE_ASSIGN_OR_RETURN(Emitted emitted, emitObject(module, machine, false));
  return std::move(emitted.object);
}

llvm::GlobalVariable *addConstant(llvm::Module &module, llvm::Constant *value, const std::string &name) {
  auto *variable =
      new llvm::GlobalVariable(module, value->getType(), true, llvm::GlobalValue::PrivateLinkage, value, name);
  return variable;  // the module owns it
}

llvm::Constant *addTable(llvm::Module &module, const std::vector<ModuleKernel> &kernels) {
  llvm::LLVMContext &context = module.getContext();
  Builder builder(context);
  llvm::Type *pointer = builder.getPtrTy();
  llvm::Type *i32 = builder.getInt32Ty();
  llvm::Type *i64 = builder.getInt64Ty();
  auto *phaseType = llvm::StructType::get(context, {pointer, i64, i64});
  auto *kernelType = llvm::StructType::get(context, {pointer, pointer, i32, i32, i64});
  auto number = [&](llvm::Type *type, int64_t value) {
    return llvm::ConstantInt::get(type, static_cast<uint64_t>(value));
  };
  auto *functionType = llvm::FunctionType::get(builder.getVoidTy(), {pointer, i64, i64, pointer}, false);
  std::vector<llvm::Constant *> rows;
  for (size_t k = 0; k < kernels.size(); ++k) {
    const ModuleKernel &kernel = kernels[k];
    std::vector<llvm::Constant *> phases;
    for (size_t i = 0; i < kernel.phases.size(); ++i) {
      auto *run = llvm::cast<llvm::Function>(
          module.getOrInsertFunction(absl::StrCat(kernel.symbol, "_", i), functionType).getCallee());
      run->setVisibility(llvm::GlobalValue::HiddenVisibility);
      phases.push_back(llvm::ConstantStruct::get(
          phaseType, {run, number(i64, kernel.phases[i].extent), number(i64, kernel.phases[i].scratchBytes)}));
    }
    auto *phaseTable = llvm::ConstantArray::get(llvm::ArrayType::get(phaseType, phases.size()), phases);
    llvm::Constant *name = llvm::ConstantDataArray::getString(context, kernel.name);
    rows.push_back(llvm::ConstantStruct::get(
        kernelType,
        {addConstant(module, name, absl::StrCat("name", k)), addConstant(module, phaseTable, absl::StrCat("phases", k)),
         number(i32, static_cast<int64_t>(kernel.phases.size())), number(i32, kernel.bufferCount),
         number(i64, kernel.sharedScratchBytes)}));
  }
  auto *kernelTable = llvm::ConstantArray::get(llvm::ArrayType::get(kernelType, rows.size()), rows);
  auto *moduleType = llvm::StructType::get(context, {i32, i32, pointer});
  return addConstant(module,
                     llvm::ConstantStruct::get(
                         moduleType, {number(i32, HONE_ABI_VERSION), number(i32, static_cast<int64_t>(kernels.size())),
                                      addConstant(module, kernelTable, "kernels")}),
                     "table");
}

}  // namespace

absl::StatusOr<std::string> compileHelpers(const TargetDescription &target) {
  HONE_ASSIGN_OR_RETURN(auto machine, createTargetMachine(target));
  // What no kernel uses is dropped section by section.
  machine->Options.FunctionSections = true;
  llvm::LLVMContext context;
  llvm::SMDiagnostic problem;
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(kHelpers, problem, context);
  if (module == nullptr) return absl::InternalError(absl::StrCat("helpers: ", problem.getMessage().str()));
  module->setModuleIdentifier("helpers");
  module->setSourceFileName("helpers");
  module->setTargetTriple(target.triple);
  module->setDataLayout(machine->createDataLayout());
  addConversion(*module, target, "__extendhfsf2", DType::F16, DType::F32);
  addConversion(*module, target, "__truncsfhf2", DType::F32, DType::F16);
  addConversion(*module, target, "__truncdfhf2", DType::F64, DType::F16);
  addConversion(*module, target, "__truncsfbf2", DType::F32, DType::BF16);
  addConversion(*module, target, "__truncdfbf2", DType::F64, DType::BF16);
  return compile(*module, *machine);
}

absl::StatusOr<std::string> compileTable(const std::vector<ModuleKernel> &kernels, const TargetDescription &target) {
  HONE_ASSIGN_OR_RETURN(auto machine, createTargetMachine(target));
  llvm::LLVMContext context;
  llvm::Module module("table", context);
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->createDataLayout());
  llvm::Constant *table = addTable(module, kernels);
  Builder builder(context);
  auto *type = llvm::FunctionType::get(builder.getPtrTy(), {builder.getInt32Ty()}, false);
  auto *query = llvm::Function::Create(type, llvm::Function::ExternalLinkage, HONE_QUERY_SYMBOL, module);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "entry", query));
  llvm::Value *known = builder.CreateICmpEQ(query->getArg(0), builder.getInt32(HONE_ABI_VERSION));
  builder.CreateRet(builder.CreateSelect(known, table, llvm::ConstantPointerNull::get(builder.getPtrTy())));
  return compile(module, *machine);
}

}  // namespace hone::codegen
