#include "compiler/codegen/pipeline.h"

#include <algorithm>
#include <memory>
#include <set>

#include "absl/status/statusor.h"
#include "compiler/base/status.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/CodeGen/MachineFunctionPass.h"
#include "llvm/CodeGen/MachineInstr.h"
#include "llvm/CodeGen/MachineLoopInfo.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/CodeGen/MachineScheduler.h"
#include "llvm/CodeGen/Passes.h"
#include "llvm/CodeGen/PseudoSourceValue.h"
#include "llvm/CodeGen/TargetPassConfig.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCContext.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/ADCE.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/LoopSimplify.h"

namespace hone::codegen {
namespace {

/// Counts accesses of stack slots that hold vectors: spilled accumulators.
class CountStackReferences : public llvm::MachineFunctionPass {
 public:
  explicit CountStackReferences(StackReferences &count) : MachineFunctionPass(id_), count_(count) {}

  bool runOnMachineFunction(llvm::MachineFunction &function) override {
    for (const llvm::MachineBasicBlock &block : function) forEachReference(block, [&](int, bool) { ++count_.all; });
    const llvm::MachineLoopInfo &loops = getAnalysis<llvm::MachineLoopInfoWrapperPass>().getLI();
    for (const llvm::MachineLoop *loop : loops.getLoopsInPreorder())
      if (loop->isInnermost()) count_.throughMemory = std::max(count_.throughMemory, throughMemory(*loop));
    return false;
  }

  void getAnalysisUsage(llvm::AnalysisUsage &usage) const override {
    usage.addRequired<llvm::MachineLoopInfoWrapperPass>();
    usage.setPreservesAll();
    MachineFunctionPass::getAnalysisUsage(usage);
  }

 private:
  /// Calls \p visit with the slot of each reference, and whether it is written.
  template <typename Visit>
  static void forEachReference(const llvm::MachineBasicBlock &block, const Visit &visit) {
    for (const llvm::MachineInstr &instruction : block) {
      for (const llvm::MachineMemOperand *operand : instruction.memoperands()) {
        const llvm::PseudoSourceValue *place = operand->getPseudoValue();
        if (place == nullptr || place->kind() != llvm::PseudoSourceValue::FixedStack) continue;
        if (!operand->getSize().hasValue() || operand->getSize().getValue().getKnownMinValue() < 16) continue;
        visit(static_cast<const llvm::FixedStackPseudoSourceValue *>(place)->getFrameIndex(), operand->isStore());
      }
    }
  }

  /// Slots that are written and read again in each iteration.
  static int64_t throughMemory(const llvm::MachineLoop &loop) {
    std::set<int> read, written;
    for (const llvm::MachineBasicBlock *block : loop.blocks())
      forEachReference(*block, [&](int slot, bool isWritten) { (isWritten ? written : read).insert(slot); });
    return std::count_if(written.begin(), written.end(), [&](int slot) { return read.contains(slot); });
  }

  static char id_;
  StackReferences &count_;
};

char CountStackReferences::id_ = 0;

absl::Status emitFile(llvm::Module &module, llvm::LLVMTargetMachine &machine, llvm::CodeGenFileType kind,
                      llvm::SmallVectorImpl<char> &bytes, StackReferences &stackReferences) {
  llvm::legacy::PassManager passes;
  llvm::TargetLibraryInfoImpl library{machine.getTargetTriple()};
  library.disableAllFunctions();
  passes.add(new llvm::TargetLibraryInfoWrapperPass(library));
  // The pass manager owns what is added to it. These are the steps of addPassesToEmitFile, which knows no way to leave
  // a pass out: the scheduler before register allocation moves loads up until register tiles spill.
  llvm::TargetPassConfig *config = machine.createPassConfig(passes);
  config->setDisableVerify(true);
  config->disablePass(&llvm::MachineSchedulerID);
  passes.add(config);
  auto *machineModule = new llvm::MachineModuleInfoWrapperPass(&machine);
  passes.add(machineModule);
  if (config->addISelPasses()) return absl::InternalError("LLVM has no instruction selection for this target");
  config->addMachinePasses();
  config->setInitialized();
  passes.add(new CountStackReferences(stackReferences));
  llvm::raw_svector_ostream out(bytes);
  if (machine.addAsmPrinter(passes, out, nullptr, kind, machineModule->getMMI().getContext())) {
    return absl::InternalError("LLVM cannot emit files of this kind for this target");
  }
  passes.add(llvm::createFreeMachineFunctionPass());
  passes.run(module);
  return absl::OkStatus();
}

}  // namespace

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PassBuilder builder(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  functions.registerPass([&] {
    llvm::TargetLibraryInfoImpl library{machine.getTargetTriple()};
    library.disableAllFunctions();
    return llvm::TargetLibraryAnalysis(library);
  });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);

  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::LoopSimplifyPass());
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::ADCEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  llvm::ModulePassManager all;
  all.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  all.run(module, modules);
}

absl::StatusOr<Emitted> emitObject(llvm::Module &module, llvm::TargetMachine &machine, bool keepAssembly) {
  auto &llvmMachine = static_cast<llvm::LLVMTargetMachine &>(machine);
  Emitted emitted;
  StackReferences ignored;
  if (keepAssembly) {
    // Emission changes the module: the text is made from a copy.
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
    llvm::SmallString<0> text;
    HONE_RETURN_IF_ERROR(emitFile(*copy, llvmMachine, llvm::CodeGenFileType::AssemblyFile, text, ignored));
    emitted.assembly = text.str().str();
  }
  llvm::SmallString<0> object;
  HONE_RETURN_IF_ERROR(
      emitFile(module, llvmMachine, llvm::CodeGenFileType::ObjectFile, object, emitted.stackReferences));
  emitted.object = object.str().str();
  return emitted;
}

}  // namespace hone::codegen
