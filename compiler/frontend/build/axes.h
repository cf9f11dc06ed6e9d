// Axes as models give them: counted from either end. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::frontend {

/// \p axis counted from the front, or an error when \p rank dims have no such axis.
absl::StatusOr<int64_t> normalizeAxis(int64_t axis, int64_t rank);
/// The same for a list: sorted; an axis given twice is an error.
absl::StatusOr<std::vector<int64_t>> normalizeAxes(std::vector<int64_t> axes, int64_t rank);

}  // namespace hone::frontend
