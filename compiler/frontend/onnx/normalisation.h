// Normalisations that several operators have, in core ops. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

struct RmsNorm {
  ValueId result;
  ValueId inverse;  ///< 1 / sqrt(mean(x^2) + epsilon), in float32 at least
};

/// x / sqrt(mean(x^2) + epsilon) over the axes from \p axis on, times \p scale, whose dtype the result has.
absl::StatusOr<RmsNorm> rmsNorm(Builder &build, ValueId data, ValueId scale, int64_t axis, double epsilon);

}  // namespace hone::frontend
