// Resizing of tensors by interpolation along some of their axes. Pure functions; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

enum class Interpolation : uint8_t { Nearest, Linear, Cubic };

struct ResizeOptions {
  Interpolation interpolation = Interpolation::Nearest;
  std::string coordinates = "half_pixel";
  std::string rounding = "round_prefer_floor";
  double cubicCoefficient = -0.75;
  bool excludeOutside = false;
  bool antialias = false;
  double extrapolation = 0;
};

struct ResizedAxis {
  size_t position = 0;
  int64_t input = 1, output = 1;
  double scale = 1;
  double cropBegin = 0, cropEnd = 1;  ///< of the region of interest, as shares of the input
};

/// \p data with each of \p axes resized by itself, those that shrink first. Elements that are no floats are
/// interpolated in float32.
Result resize(Builder &build, ValueId data, const ResizeOptions &options, std::vector<ResizedAxis> axes);

/// One axis whose size, a scalar (i64), shows at run time only.
struct AxisToSize {
  size_t position = 0;
  ValueId size = -1;
};

/// \p data, whose own sizes are fixed, with \p axes resized: their sizes are at most what is known of the scalars.
/// Nearest, and linear of floats, without antialiasing and regions of interest.
Result resizeToSizes(Builder &build, ValueId data, const ResizeOptions &options, const std::vector<AxisToSize> &axes);

}  // namespace hone::frontend
