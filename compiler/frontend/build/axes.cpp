#include "compiler/frontend/build/axes.h"

#include <algorithm>

#include "compiler/base/status.h"
#include "compiler/frontend/build/refusal.h"

namespace hone::frontend {

absl::StatusOr<int64_t> normalizeAxis(int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  return invalid("axis ", axis, " is outside -", rank, " to ", rank - 1);
}

absl::StatusOr<std::vector<int64_t>> normalizeAxes(std::vector<int64_t> axes, int64_t rank) {
  for (int64_t &axis : axes) {
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, rank));
  }
  std::sort(axes.begin(), axes.end());
  auto twice = std::adjacent_find(axes.begin(), axes.end());
  if (twice != axes.end()) return invalid("axis ", *twice, " is given twice");
  return axes;
}

}  // namespace hone::frontend
