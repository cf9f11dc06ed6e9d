// Rotary positions: pairs of elements turned by an angle that their place says. Operands may be errors, as the
// Builder's. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

struct Rotation {
  Result cosine, sine;         ///< of the angles; broadcast to the data's shape with half of `size` as the last dim
  int64_t size = 0;            ///< how many elements of the last dim are turned; those behind stay
  bool isInterleaved = false;  ///< pairs are neighbours; otherwise one of each half
};

Result rotate(Builder &build, Result data, const Rotation &rotation);

}  // namespace hone::frontend
