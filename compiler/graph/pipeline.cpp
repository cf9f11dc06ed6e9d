#include "compiler/graph/pipeline.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/graph/passes.h"

namespace hone::graph {
namespace {

struct Pass {
  const char *name;
  absl::Status (*run)(Graph &);
};

// Recognition wants the canonical forms of simplify and equal values as one; scales are folded after it, so that
// a layer norm's own stay with it.
constexpr Pass kPasses[] = {
    {"dead-code", removeDeadCode},
    {"fold-constants", foldConstants},
    // What large weights were folded from is not kept beside them.
    {"dead-code", removeDeadCode},
    {"simplify", simplify},
    {"common-subexpressions", mergeCommonSubexpressions},
    {"recognize-softmax", recognizeSoftmax},
    {"recognize-layer-norm", recognizeLayerNorm},
    {"fold-scales", foldScales},
    {"simplify", simplify},
    {"common-subexpressions", mergeCommonSubexpressions},
    {"dead-code", removeDeadCode},
};
constexpr const char *kAll = "all";

absl::Status checkNames(const std::set<std::string> &names, bool allowAll) {
  std::vector<std::string> known = passNames();
  for (const std::string &name : names) {
    if ((allowAll && name == kAll) || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("unknown pass '", name, "': the passes are ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::Status annotate(const absl::Status &status, const char *pass) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("after pass ", pass, ": ", status.message()));
}

}  // namespace

std::vector<std::string> passNames() {
  std::vector<std::string> names;
  for (const Pass &pass : kPasses) {
    if (std::find(names.begin(), names.end(), pass.name) == names.end()) names.emplace_back(pass.name);
  }
  return names;
}

absl::StatusOr<std::vector<PassTiming>> runPasses(Graph &graph, const PassOptions &options) {
  HONE_RETURN_IF_ERROR(checkNames(options.disabled, false));
  HONE_RETURN_IF_ERROR(checkNames(options.printAfter, true));
  HONE_RETURN_IF_ERROR(verify(graph));
  std::vector<PassTiming> timings;
  for (const Pass &pass : kPasses) {
    if (options.disabled.count(pass.name) != 0) continue;
    auto begin = std::chrono::steady_clock::now();
    HONE_RETURN_IF_ERROR(pass.run(graph));
    std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    timings.push_back({pass.name, elapsed.count()});
    HONE_RETURN_IF_ERROR(annotate(verify(graph), pass.name));
    bool wanted = options.printAfter.count(pass.name) != 0 || options.printAfter.count(kAll) != 0;
    if (wanted && options.print) options.print(pass.name, print(graph));
  }
  return timings;
}

}  // namespace hone::graph
