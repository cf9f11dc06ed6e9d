#include "compiler/frontend/build/limits.h"

#include "compiler/frontend/build/refusal.h"
#include "compiler/graph/print.h"

namespace hone::frontend {

absl::StatusOr<int64_t> checkedElements(const graph::Shape &shape, const ImportLimits &limits) {
  if (static_cast<int64_t>(shape.size()) > limits.rank) {
    return invalid("shape has ", shape.size(), " dimensions; the limit is ", limits.rank);
  }
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0) return invalid("shape ", graph::shapeText(shape), " has a negative extent");
    if (__builtin_mul_overflow(count, extent, &count) || count > limits.tensorElements ||
        extent > limits.tensorElements) {
      return invalid("shape ", graph::shapeText(shape), " has more than ", limits.tensorElements, " elements");
    }
  }
  return count;
}

}  // namespace hone::frontend
