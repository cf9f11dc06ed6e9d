#include "worker/kinds/kinds.h"

#include <algorithm>

namespace hone::worker {
namespace {

constexpr const WorkKind *kKinds[] = {&kCompile, &kRun, &kBench};

}  // namespace

std::span<const WorkKind *const> kinds() { return kKinds; }

const WorkKind *kindOf(const v1::TaskSpec &spec) {
  const auto found =
      std::ranges::find_if(kKinds, [&](const WorkKind *kind) { return kind->which == spec.kind_case(); });
  return found == std::end(kKinds) ? nullptr : *found;
}

}  // namespace hone::worker
