// Conversions between all element types that models have, narrow ones among them: by value, or of the bits. Pure
// functions over a Builder.
#pragma once

#include <cstdint>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

enum class RoundMode : uint8_t { Nearest, Up, Down };

/// What a conversion to a narrow float does where its numbers end or lie too far apart.
struct Narrowing {
  bool saturates = true;                  ///< else what is too large becomes infinity or NaN
  RoundMode powersOfTwo = RoundMode::Up;  ///< of float8e8m0; all others round half to even
};

/// \p data converted by value to \p to.
Result converted(Builder &build, Result data, ElementType to, Narrowing narrowing = {});

/// \p data as numbers of a dtype: those of a narrow type are converted, floats to \p dtype, integers to their
/// container.
Result plainNumbers(Builder &build, Result data, DType dtype);

/// The bits of \p data as elements of \p to, which is as wide.
Result bitsAs(Builder &build, Result data, ElementType to);

}  // namespace hone::frontend
