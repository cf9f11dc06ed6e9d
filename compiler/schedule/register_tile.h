// The register tile of a sum of products: V vectors × R rows of accumulators.
#pragma once

#include <cstdint>

#include "compiler/base/target.h"

namespace hone::schedule {

/// What the accumulators of a sum of products are counted over.
struct ContractionShape {
  int64_t vectors = 1;             ///< along the vector dim
  int64_t rows = 1;                ///< along the innermost row dim
  int64_t outerRows = 1;           ///< along the row dim around it
  int64_t points = 1;              ///< of the reduction
  int64_t rowBytes = 0;            ///< from a row to the next in memory; 0: unknown
  int64_t registersPerVector = 1;  ///< two where elements are twice as wide as the lanes are counted for
};

/// A tile of vectors × (outerRows × rows) accumulators; outerRows > 1 only where rows is the whole extent.
struct RegisterShape {
  int64_t vectors = 1;
  int64_t rows = 1;
  int64_t outerRows = 1;
};

/// The tile with the least estimated cycles for all outputs of \p shape, tails included. Per reduction step a tile
/// costs the most of its multiply-adds (two per cycle), its loads (three in two cycles) and the multiply-adds' latency,
/// and half a cycle for each vector of the packed operand that comes from beyond the first-level cache (measured:
/// Sapphire Rapids, 1×1 convolutions with 0.8 to 8 MB of weights). V·R + V + 1 vectors must fit into the registers, and
/// rows whose distance puts them into the same sets of the first-level cache are at most as many as it has ways.
RegisterShape chooseRegisterTile(const ContractionShape &shape, const TargetDescription &target);

}  // namespace hone::schedule
