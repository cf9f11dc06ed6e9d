// Optimisation and emission of one LLVM module. Functions without state.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/codegen/codegen.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace hone::codegen {

/// The passes that explicit vector code profits from: no unroller, no vectoriser.
void optimize(llvm::Module &module, llvm::TargetMachine &machine);

struct Emitted {
  std::string object;
  std::string assembly;
  StackReferences stackReferences;
};

absl::StatusOr<Emitted> emitObject(llvm::Module &module, llvm::TargetMachine &machine, bool keepAssembly);

}  // namespace hone::codegen
