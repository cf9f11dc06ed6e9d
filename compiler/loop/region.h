// Regions of attached stages: what a host's part of the domain asks of the stages that feed it, and what it has
// finished for those that read it. Internal to compiler/loop.
#pragma once

#include <set>
#include <vector>

#include "compiler/loop/lowering.h"

namespace hone::loop {

/// A point whose dims range over `region`: each dim is its start plus a fresh variable.
Point pointOfRegion(Lowering &lowering, const Region &region);

/// What \p producers (attached to one loop of \p host, in order) must compute for \p region of the host and
/// for each other. Places the temporaries that pass between them in thread scratch.
std::vector<Region> requiredRegions(Lowering &lowering, const std::vector<int> &producers, int host,
                                    const Region &region);

/// The whole domain of a stage.
Region wholeRegion(const tensor::TensorOp &op);

/// Code of one register tile of \p stage: accumulators, reduction loops, epilogues, stores. \p expanded: reduction
/// dims whose loops are unrolled here because the tile touches a border.
Body lowerTile(Lowering &lowering, int stage, const Tile &tile, const std::vector<schedule::Loop> &reduction,
               const std::set<int> &expanded);

/// What the step of the reduction of \p tile over \p region prefetches.
Body lowerPrefetches(Lowering &lowering, int stage, const Tile &tile, const Region &region);

}  // namespace hone::loop
