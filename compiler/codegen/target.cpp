// Target descriptions: the host's, and TVM's textual form.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/codegen/llvm_target.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "text/nearest.h"

namespace hone::codegen {
namespace {

int64_t detectedCache(int name, int64_t fallback, int64_t low, int64_t high) {
  int64_t bytes = sysconf(name);
  return std::clamp(bytes > 0 ? bytes : fallback, low, high);
}

int64_t hostCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  return std::max<int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN));
}

/// The kernel's triple of this process; the C library's part of LLVM's default triple stays.
std::string hostTriple() { return llvm::Triple::normalize(llvm::sys::getDefaultTargetTriple()); }

void setRegisters(TargetDescription &target) {
  auto has = [&](std::string_view feature) {
    return std::binary_search(target.features.begin(), target.features.end(), feature);
  };
  Isa isa = isaOf(target);
  target.vectorBytes = isa.avx512 ? 64 : isa.x86 && has("avx2") && has("fma") ? 32 : 16;
  target.vectorRegisters = isa.avx512 || isa.aarch64 ? 32 : 16;
}

struct Flags {
  std::string cpu, attributes, triple;
  int64_t cores = 0;
};

constexpr char kAccepted[] = "llvm [-mcpu=NAME] [-mattr=+a,-b] [-mtriple=TRIPLE] [-num-cores=N]";

absl::Status readFlag(const std::string &flag, const std::string &value, Flags &flags) {
  if (flag == "-mcpu") {
    flags.cpu = value;
  } else if (flag == "-mattr") {
    flags.attributes = value;
  } else if (flag == "-mtriple") {
    flags.triple = value;
  } else if (flag == "-num-cores") {
    if (!absl::SimpleAtoi(value, &flags.cores) || flags.cores < 1 || flags.cores > 4096) {
      return absl::InvalidArgumentError(
          absl::StrCat("target flag -num-cores=", value, " is not a number of cores; give one from 1 to 4096"));
    }
  } else {
    return absl::InvalidArgumentError(absl::StrCat("unknown target flag '", flag, "'; a target is ", kAccepted));
  }
  return absl::OkStatus();
}

absl::StatusOr<Flags> readFlags(const std::string &text) {
  std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  if (words.empty() || words[0] != "llvm") {
    return absl::InvalidArgumentError(
        absl::StrCat("target '", text, "' does not start with llvm; a target is ", kAccepted));
  }
  Flags flags;
  for (size_t i = 1; i < words.size(); ++i) {
    std::string flag = words[i], value;
    if (size_t equals = flag.find('='); equals != std::string::npos) {
      value = flag.substr(equals + 1);
      flag = flag.substr(0, equals);
    } else if (i + 1 < words.size() && flag[0] == '-') {
      value = words[++i];
    }
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    HONE_RETURN_IF_ERROR(readFlag(flag, value, flags));
    if (value.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("target flag ", flag, " has no value; a target is ", kAccepted));
    }
  }
  return flags;
}

template <typename Table>
std::vector<std::string> keysOf(const Table &table) {
  std::vector<std::string> keys;
  for (const auto &row : table) keys.emplace_back(row.Key);
  return keys;
}

using Subtarget = std::unique_ptr<llvm::MCSubtargetInfo>;

/// With an empty \p cpu: what all of the architecture have. LLVM prints to stderr about a name that it does not know.
Subtarget createSubtarget(const std::string &triple, const std::string &cpu) {
  initializeLlvm();
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  return Subtarget(target == nullptr ? nullptr : target->createMCSubtargetInfo(triple, cpu, ""));
}

absl::Status unknownCpu(const std::string &cpu, const std::string &triple, const llvm::MCSubtargetInfo &base) {
  constexpr size_t kMostNames = 4;
  for (const std::string &other : buildableTriples()) {
    const Subtarget machine = createSubtarget(other, "");
    if (machine != nullptr && machine->isCPUStringValid(cpu))
      return absl::InvalidArgumentError(absl::StrCat("CPU '", cpu, "' is none of triple '", triple,
                                                     "'; for its own architecture add -mtriple=", other));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown CPU '", cpu, "' for triple '", triple, "'",
                   text::nearestOf(cpu, keysOf(base.getAllProcessorDescriptions()), kMostNames), "; ",
                   baselineCpu(triple), " is any machine of that architecture, native is this one"));
}

absl::StatusOr<Subtarget> subtarget(const std::string &triple, const std::string &cpu) {
  HONE_RETURN_IF_ERROR(checkTriple(triple));
  const Subtarget base = createSubtarget(triple, "");
  if (base == nullptr) return absl::InvalidArgumentError(absl::StrCat("no code generator for triple '", triple, "'"));
  if (!base->isCPUStringValid(cpu)) return unknownCpu(cpu, triple, *base);
  return createSubtarget(triple, cpu);
}

/// Applies "+a,-b" to \p info; what a feature implies comes with it.
absl::Status applyAttributes(const std::string &attributes, llvm::MCSubtargetInfo &info, const std::string &triple) {
  std::vector<std::string> entries = absl::StrSplit(attributes, ',', absl::SkipEmpty());
  for (const std::string &entry : entries) {
    if (entry.size() < 2 || (entry[0] != '+' && entry[0] != '-')) {
      return absl::InvalidArgumentError(
          absl::StrCat("target feature '", entry, "' has no sign; write +", entry, " or -", entry));
    }
    auto rows = info.getAllProcessorFeatures();
    if (std::none_of(rows.begin(), rows.end(), [&](const auto &row) { return row.Key == entry.substr(1); })) {
      std::vector<std::string> known = knownFeatures(triple);
      return absl::InvalidArgumentError(absl::StrCat("unknown feature '", entry.substr(1), "' for triple '", triple,
                                                     "'; known are ", absl::StrJoin(known, ", ")));
    }
    info.ApplyFeatureFlag(entry);
  }
  return absl::OkStatus();
}

std::vector<std::string> enabledFeatures(const llvm::MCSubtargetInfo &info, const std::string &triple) {
  std::vector<std::string> features;
  for (const std::string &feature : knownFeatures(triple)) {
    if (info.checkFeatures("+" + feature)) features.push_back(feature);
  }
  return features;
}

/// A triple that names no system means Linux, the only one that code is made for.
std::string readTriple(const std::string &text) {
  llvm::Triple triple(llvm::Triple::normalize(text));
  if (triple.getOSName().empty() || triple.getOSName() == "unknown") triple.setOS(llvm::Triple::Linux);
  return llvm::Triple::normalize(triple.str());
}

}  // namespace

absl::StatusOr<std::vector<std::string>> featuresOf(const std::string &triple, const std::string &cpu) {
  HONE_ASSIGN_OR_RETURN(const Subtarget info, subtarget(triple, cpu));
  return enabledFeatures(*info, triple);
}

TargetDescription hostTarget() {
  TargetDescription target;
  target.triple = hostTriple();
  target.cpu = llvm::sys::getHostCPUName().str();
  auto found = llvm::sys::getHostCPUFeatures();
  for (const std::string &feature : knownFeatures(target.triple)) {
    auto entry = found.find(feature);
    if (entry != found.end() && entry->second) target.features.push_back(feature);
  }
  setRegisters(target);
  target.l1Bytes = detectedCache(_SC_LEVEL1_DCACHE_SIZE, 32 << 10, 16 << 10, 128 << 10);
  target.l2Bytes = detectedCache(_SC_LEVEL2_CACHE_SIZE, 1 << 20, 256 << 10, 4 << 20);
  target.cores = hostCores();
  int64_t l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
  target.l3Bytes = std::clamp<int64_t>(l3 > 0 ? l3 / target.cores : 8 << 20, 2 << 20, 16 << 20);
  return target;
}

absl::StatusOr<TargetDescription> parseTarget(std::string_view text) {
  HONE_ASSIGN_OR_RETURN(Flags flags, readFlags(std::string(text)));
  TargetDescription host = hostTarget();
  TargetDescription target;
  target.triple = flags.triple.empty() ? host.triple : readTriple(flags.triple);
  HONE_RETURN_IF_ERROR(checkTriple(target.triple));
  const bool sameMachine = llvm::Triple(target.triple).getArch() == llvm::Triple(host.triple).getArch();
  const bool isNative = flags.cpu == "native";
  if (isNative && !sameMachine) {
    return absl::InvalidArgumentError(absl::StrCat("-mcpu=native is this machine, of triple '", host.triple,
                                                   "', and none of triple '", target.triple, "'; name its CPU"));
  }
  if (isNative || (flags.cpu.empty() && flags.triple.empty())) {
    host.triple = target.triple;
    target = host;
    if (!flags.attributes.empty()) {
      // The host's own list, not what its name implies: a virtual machine may hide extensions.
      HONE_ASSIGN_OR_RETURN(auto info, subtarget(target.triple, baselineCpu(target.triple)));
      for (const std::string &feature : target.features) info->ApplyFeatureFlag("+" + feature);
      HONE_RETURN_IF_ERROR(applyAttributes(flags.attributes, *info, target.triple));
      target.features = enabledFeatures(*info, target.triple);
    }
  } else {
    target.cpu = flags.cpu.empty() ? baselineCpu(target.triple) : flags.cpu;
    HONE_ASSIGN_OR_RETURN(auto info, subtarget(target.triple, target.cpu));
    HONE_RETURN_IF_ERROR(applyAttributes(flags.attributes, *info, target.triple));
    target.features = enabledFeatures(*info, target.triple);
    if (sameMachine) target.cores = host.cores;
  }
  setRegisters(target);
  if (flags.cores > 0) target.cores = flags.cores;
  HONE_RETURN_IF_ERROR(checkTarget(target));
  return target;
}

}  // namespace hone::codegen
