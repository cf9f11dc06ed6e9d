// Caches of a sequence, of fixed length, into which steps write what is new. Operands may be errors, as the Builder's.
// Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// What is behind the last element that is written.
enum class CacheEnd : uint8_t {
  Kept,     ///< stays; what would be written behind the end of the cache is dropped
  Cleared,  ///< is 0, for it is of no sequence
  Wrapped,  ///< stays; what would be written behind the end of the cache is written from its start on
};

/// \p cache with \p update, which is as long or shorter along \p axis, from place \p places[sample] on; integers, one
/// for each index of dim 0.
Result writeIntoCache(Builder &build, Result cache, Result update, Result places, int64_t axis, CacheEnd end);

}  // namespace hone::frontend
