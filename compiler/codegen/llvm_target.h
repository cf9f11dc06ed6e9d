// TargetDescription -> LLVM: which instruction set extensions generated code may use, and LLVM's TargetMachine for
// them. Functions without state (LLVM's registry of targets is filled once); thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "llvm/Target/TargetMachine.h"

namespace hone::codegen {

/// Fills LLVM's registry of targets, once per process.
void initializeLlvm();

/// What emission asks about the target.
struct Isa {
  bool x86 = false;
  bool aarch64 = false;
  bool fma = false;       ///< one instruction, one rounding
  bool rounding = false;  ///< floor, ceil, round to even as instructions
  bool halfConversion = false;
  bool avx512 = false;  ///< f, vl, bw, dq
};

Isa isaOf(const TargetDescription &target);

/// Extensions of the architecture of \p triple that generated code may use when the CPU has them, sorted; empty for an
/// architecture without such a list: code for it uses whatever the CPU's name implies.
std::vector<std::string> knownFeatures(std::string_view triple);

/// The CPU whose extensions every machine of the architecture has.
std::string baselineCpu(std::string_view triple);

/// Those of knownFeatures() that \p cpu has. INVALID_ARGUMENT names the nearest CPUs when there is no such one.
absl::StatusOr<std::vector<std::string>> featuresOf(const std::string &triple, const std::string &cpu);

/// The part of checkTarget() that asks for the triple only.
absl::Status checkTriple(const std::string &triple);

/// A triple of each architecture that code can be made for, as people write it.
std::vector<std::string> buildableTriples();

/// "+a,-b,…": \p target's features on, the other known ones off.
std::string featureString(const TargetDescription &target);

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(const TargetDescription &target);

}  // namespace hone::codegen
