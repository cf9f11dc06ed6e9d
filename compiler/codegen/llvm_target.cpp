#include "compiler/codegen/llvm_target.h"

#include <algorithm>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"

namespace hone::codegen {

void initializeLlvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    llvm::InitializeAllAsmParsers();
  });
}

namespace {

bool has(const TargetDescription &target, std::string_view feature) {
  return std::find(target.features.begin(), target.features.end(), feature) != target.features.end();
}

}  // namespace

std::vector<std::string> knownFeatures(std::string_view triple) {
  llvm::Triple parsed{llvm::StringRef(triple.data(), triple.size())};
  // What LLVM may select for arithmetic, loads, stores and shuffles; not what only system code, cryptography or
  // intrinsics use.
  if (parsed.isX86()) {
    return {"avx",        "avx2",        "avx512bf16", "avx512bitalg", "avx512bw",
            "avx512cd",   "avx512dq",    "avx512f",    "avx512fp16",   "avx512ifma",
            "avx512vbmi", "avx512vbmi2", "avx512vl",   "avx512vnni",   "avx512vpopcntdq",
            "avxvnni",    "bmi",         "bmi2",       "f16c",         "fma",
            "gfni",       "lzcnt",       "movbe",      "popcnt",       "sse",
            "sse2",       "sse3",        "sse4.1",     "sse4.2",       "ssse3"};
  }
  if (parsed.isAArch64()) return {"bf16", "dotprod", "fp-armv8", "fp16fml", "fullfp16", "i8mm", "lse", "neon", "rcpc"};
  return {};
}

std::string baselineCpu(std::string_view triple) {
  llvm::Triple parsed{llvm::StringRef(triple.data(), triple.size())};
  return parsed.getArch() == llvm::Triple::x86_64 ? "x86-64" : "generic";
}

Isa isaOf(const TargetDescription &target) {
  llvm::Triple triple(target.triple);
  Isa isa;
  isa.x86 = triple.isX86();
  isa.aarch64 = triple.isAArch64();
  isa.fma = isa.aarch64 || has(target, "fma");
  isa.rounding = isa.aarch64 || has(target, "sse4.1");
  isa.halfConversion = isa.aarch64 || has(target, "f16c");
  isa.avx512 = isa.x86 && has(target, "avx512f") && has(target, "avx512vl") && has(target, "avx512bw") &&
               has(target, "avx512dq");
  return isa;
}

std::string featureString(const TargetDescription &target) {
  std::vector<std::string> parts;
  for (const std::string &feature : knownFeatures(target.triple)) {
    if (!has(target, feature)) parts.push_back(absl::StrCat("-", feature));
  }
  // After the negations: turning one off also turns off what builds on it.
  for (const std::string &feature : target.features) parts.push_back(absl::StrCat("+", feature));
  std::string text;
  for (const std::string &part : parts) absl::StrAppend(&text, text.empty() ? "" : ",", part);
  return text;
}

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(const TargetDescription &target) {
  initializeLlvm();
  std::string error;
  const llvm::Target *llvmTarget = llvm::TargetRegistry::lookupTarget(target.triple, error);
  if (llvmTarget == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("cannot generate code for triple '", target.triple, "': ", error));
  }
  // Without a list of features the CPU's name has to say what it has; with one, the list alone does and the name tunes.
  std::string cpu = knownFeatures(target.triple).empty() ? target.cpu : baselineCpu(target.triple);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  options.MCOptions.AsmVerbose = false;
  std::unique_ptr<llvm::TargetMachine> machine(
      llvmTarget->createTargetMachine(target.triple, cpu, featureString(target), options, llvm::Reloc::PIC_,
                                      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
  if (machine == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("LLVM cannot generate code for CPU '", target.cpu, "' of triple '", target.triple, "'"));
  }
  return machine;
}

}  // namespace hone::codegen
