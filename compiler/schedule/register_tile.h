// The register tile of a sum of products: V vectors × R rows of accumulators.
#pragma once

#include <cstdint>

#include "compiler/base/target.h"

namespace hone::schedule {

struct RegisterShape {
  int64_t vectors = 1;
  int64_t rows = 1;
};

/// The tile with the least estimated cycles for \p vectors × \p rows outputs (vectors along the vector dim, rows
/// along the other), tails included. Per reduction step a tile costs the most of its multiply-adds (two per cycle),
/// its loads (two per cycle; vectors of the packed operand come from the second-level cache), and the multiply-adds'
/// latency; V·R + V + 1 registers must fit.
RegisterShape chooseRegisterTile(int64_t vectors, int64_t rows, const TargetDescription &target);

}  // namespace hone::schedule
