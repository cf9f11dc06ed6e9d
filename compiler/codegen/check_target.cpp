// Which machines code can be made for.
#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/codegen/llvm_target.h"

namespace hone::codegen {
namespace {

struct Machine {
  llvm::Triple::ArchType architecture;
  const char *triple;  ///< as people write it
};

/// Little-endian, with pointers of 64 bits, under Linux. The runtime and the helpers of helper_module.cpp know these.
constexpr Machine kMachines[] = {{llvm::Triple::x86_64, "x86_64-linux-gnu"},
                                 {llvm::Triple::aarch64, "aarch64-linux-gnu"}};

/// What of \p triple there is no code for; empty when there is.
std::string missing(const llvm::Triple &triple) {
  const bool isKnown = std::any_of(std::begin(kMachines), std::end(kMachines),
                                   [&](const Machine &machine) { return machine.architecture == triple.getArch(); });
  if (!isKnown) return absl::StrCat("the architecture '", triple.getArchName().str(), "'");
  if (!triple.isOSLinux()) return absl::StrCat("the system '", triple.getOSName().str(), "'");
  // Pointers of 32 bits.
  const bool isNarrow = triple.isX32() || triple.getEnvironment() == llvm::Triple::GNUILP32;
  if (isNarrow || !triple.isOSBinFormatELF())
    return absl::StrCat("the binary interface '", triple.getEnvironmentName().str(), "'");
  return "";
}

}  // namespace

std::vector<std::string> buildableTriples() {
  std::vector<std::string> triples;
  for (const Machine &machine : kMachines) triples.emplace_back(machine.triple);
  return triples;
}

absl::Status checkTriple(const std::string &triple) {
  const std::string what = missing(llvm::Triple(triple));
  if (what.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("no code can be made for triple '", triple, "': hone does not know ",
                                                 what, "; it compiles for ",
                                                 absl::StrJoin(buildableTriples(), " and ")));
}

absl::Status checkTarget(const TargetDescription &target) {
  HONE_RETURN_IF_ERROR(checkTriple(target.triple));
  HONE_ASSIGN_OR_RETURN(const std::vector<std::string> baseline, featuresOf(target.triple, baselineCpu(target.triple)));
  std::vector<std::string> absent;
  for (const std::string &feature : baseline)
    if (std::find(target.features.begin(), target.features.end(), feature) == target.features.end())
      absent.push_back(feature);
  if (absent.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("no code can be made for triple '", target.triple, "' with CPU '", target.cpu, "' without ",
                   absl::StrJoin(absent, ", "), ", which every ", llvm::Triple(target.triple).getArchName().str(),
                   " machine has; leave -", absl::StrJoin(absent, ",-"), " out of -mattr, or name another -mcpu"));
}

}  // namespace hone::codegen
