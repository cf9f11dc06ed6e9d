// Register tiles of a sum of products: how many rows by how many vectors one innermost iteration computes. A pure
// function; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/base/target.h"

namespace hone::schedule {

struct ContractionShape {
  int64_t vectors = 1;             ///< along the vector dim
  int64_t rows = 1;                ///< along the innermost row dim
  int64_t outerRows = 1;           ///< along the row dim around it
  int64_t registersPerVector = 1;  ///< two where elements are twice as wide as the lanes are counted for
};

struct RegisterShape {
  int64_t vectors = 1;
  int64_t rows = 1;
  int64_t outerRows = 1;
};

/// All tiles whose sums stay in the target's registers beside one row's operands; several outer rows only where whole
/// rows are in it, and none with far fewer sums than others, or of so many
/// vectors that the last tile would be nearly empty. At least one.
std::vector<RegisterShape> registerTiles(const ContractionShape &shape, const TargetDescription &target);

}  // namespace hone::schedule
