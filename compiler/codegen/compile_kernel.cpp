#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/codegen/function_emitter.h"
#include "compiler/codegen/llvm_target.h"
#include "compiler/codegen/pipeline.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

namespace hone::codegen {

struct KernelCompiler::State {
  TargetDescription target;
  Options options;
  std::unique_ptr<llvm::TargetMachine> machine;
};

KernelCompiler::KernelCompiler(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelCompiler::KernelCompiler(KernelCompiler &&) noexcept = default;
KernelCompiler &KernelCompiler::operator=(KernelCompiler &&) noexcept = default;
KernelCompiler::~KernelCompiler() = default;

absl::StatusOr<KernelCompiler> KernelCompiler::make(const TargetDescription &target, const Options &options) {
  HONE_ASSIGN_OR_RETURN(auto machine, createTargetMachine(target));
  return KernelCompiler(std::make_unique<State>(State{target, options, std::move(machine)}));
}

absl::StatusOr<CompiledKernel> KernelCompiler::compile(const loop::Kernel &kernel, std::string_view symbol) {
  const Options &options = state_->options;
  llvm::TargetMachine &machine = *state_->machine;
  // A context of its own: types and constants that other kernels left could change the order in which passes meet them.
  llvm::LLVMContext context;
  std::string prefix(symbol);
  llvm::Module module(prefix, context);
  module.setTargetTriple(state_->target.triple);
  module.setDataLayout(machine.createDataLayout());
  for (size_t i = 0; i < kernel.phases.size(); ++i) {
    FunctionEmitter emitter(module, kernel, state_->target, options.contract);
    HONE_RETURN_IF_ERROR(emitter.emit(kernel.phases[i], absl::StrCat(prefix, "_", i)));
  }
  std::string problems;
  llvm::raw_string_ostream problemStream(problems);
  if (llvm::verifyModule(module, &problemStream)) {
    return absl::InternalError(absl::StrCat("kernel ", kernel.name, " became malformed LLVM IR: ", problems));
  }
  optimize(module, machine);
  CompiledKernel compiled;
  if (options.keepIr) {
    llvm::raw_string_ostream stream(compiled.llvmIr);
    module.print(stream, nullptr);
  }
  HONE_ASSIGN_OR_RETURN(Emitted emitted, emitObject(module, machine, options.keepAssembly));
  compiled.object = std::move(emitted.object);
  compiled.assembly = std::move(emitted.assembly);
  compiled.stackReferences = emitted.stackReferences;
  return compiled;
}

absl::StatusOr<CompiledKernel> compileKernel(const loop::Kernel &kernel, std::string_view symbol,
                                             const TargetDescription &target, const Options &options) {
  HONE_ASSIGN_OR_RETURN(KernelCompiler compiler, KernelCompiler::make(target, options));
  return compiler.compile(kernel, symbol);
}

}  // namespace hone::codegen
