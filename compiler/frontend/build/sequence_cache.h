// Caches of a sequence, of fixed length, into which steps write what is new. Operands may be errors, as the Builder's.
// Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// \p cache with \p update, which is as long or shorter along \p axis, from place \p places[sample] on; integers, one
/// for each index of dim 0. What would lie behind the end is dropped or, when it \p wraps, written from the start on.
Result writeIntoCache(Builder &build, Result cache, Result update, Result places, int64_t axis, bool wraps);

}  // namespace hone::frontend
