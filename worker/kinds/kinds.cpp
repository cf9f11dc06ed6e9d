#include "worker/kinds/kinds.h"

#include <algorithm>

namespace hone::worker {
namespace {

constexpr const WorkKind *kKinds[] = {&kCompile, &kRun, &kBench};

}  // namespace

WorkKinds allKinds() { return kKinds; }

const WorkKind *kindOf(WorkKinds kinds, const v1::TaskSpec &spec) {
  const auto found = std::ranges::find_if(kinds, [&](const WorkKind *kind) { return kind->which == spec.kind_case(); });
  return found == kinds.end() ? nullptr : *found;
}

}  // namespace hone::worker
