// The loops of one stage: tiles, peeled tails and borders, reductions, attached stages.
#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/loop/lowering.h"
#include "compiler/loop/region.h"
#include "compiler/schedule/structure.h"

namespace hone::loop {
namespace {

using schedule::Loop;
using tensor::DimKind;

// Loops longer than this are not searched for borders: nothing that long is worth peeling by hand.
constexpr int64_t kLongestPeeledLoop = 4096;
// Border tiles are emitted one by one; with more than this many on a side, reads keep their guards instead.
constexpr int64_t kMostBorderTiles = 3;

// Tiles `first` … `first + count - 1` of a loop, each `size` long.
struct Segment {
  int64_t first = 0;
  int64_t count = 1;
  int64_t size = 1;
  bool border = false;  // touches the outside: reductions over the same index are expanded, so that it shows where
};

class Nest {
 public:
  Nest(Lowering &lowering, int stage, const std::vector<IntExpr> &parallelDigits)
      : lowering_(lowering),
        stage_(stage),
        op_(lowering.stage(stage)),
        schedule_(lowering.stageSchedule(stage)),
        spatial_(lowering.spatialLoops(stage)),
        reduction_(lowering.reductionLoops(stage)),
        digits_(parallelDigits) {}

  Body run(const Region &region) { return spatialLoop(0, region, {}); }

 private:
  bool isReduction(int dim) const { return op_.dims[static_cast<size_t>(dim)].kind == DimKind::Reduction; }

  // ------------------------------------------------------------------------------------------- parallel and tile loops

  Body spatialLoop(size_t position, const Region &region, const std::set<int> &expanded) {
    if (position == spatial_.size()) return tiles(region, expanded);
    const Loop &loop = spatial_[position];
    int dim = schedule::dimPosition(op_, loop.dim);
    const Extent &extent = region[static_cast<size_t>(dim)];
    const bool isOutermostBlock = isReduction(dim) && loop.step < extent.size && !partial_;
    if (isOutermostBlock) partial_ = holdResults(region);
    bool isLast = std::none_of(spatial_.begin() + static_cast<std::ptrdiff_t>(position) + 1, spatial_.end(),
                               [&](const Loop &other) { return other.dim == loop.dim; });
    std::vector<Segment> segments = segmentsOf(extent, loop.step);
    if (isLast && !isReduction(dim)) segments = peelBorders(dim, loop, region, segments);
    Body out;
    for (const Segment &segment : segments) {
      auto inner = [&](const IntExpr &tile) {
        Region part = region;
        part[static_cast<size_t>(dim)] = {extent.start + tile * loop.step, segment.size};
        std::set<int> expandedHere = expanded;
        if (segment.border) expandReductionsBeside(dim, expandedHere);
        return loopBody(position, part, expandedHere);
      };
      append(out, position < digits_.size() ? parallelSegment(loop, digits_[position], segment, inner)
                                            : serialSegment(loop, segment, inner));
    }
    if (isOutermostBlock) partial_.reset();
    return out;
  }

  // The body of one iteration: what feeds it, and the next loop.
  Body loopBody(size_t position, const Region &region, const std::set<int> &expanded) {
    Body body;
    const Loop &loop = spatial_[position];
    std::vector<int> producers = lowering_.attached(stage_, loop, true);
    if (!producers.empty()) {
      std::vector<Region> regions = requiredRegions(lowering_, producers, stage_, region);
      for (size_t i = 0; i < producers.size(); ++i) append(body, lowerStage(lowering_, producers[i], regions[i], {}));
    }
    append(body, spatialLoop(position + 1, region, expanded));
    return body;
  }

  // Room for the results of `region`, vectors innermost and whole.
  PartialResults holdResults(const Region &region) {
    PartialResults partial;
    partial.strides.assign(region.size(), 0);
    const int vector = schedule::dimPosition(op_, schedule_.vectorDim);
    int64_t elements = 1;
    const auto place = [&](int dim, int64_t size) {
      if (isReduction(dim)) return;
      partial.strides[static_cast<size_t>(dim)] = elements;
      elements *= size;
    };
    if (vector >= 0) {
      const int64_t size = region[static_cast<size_t>(vector)].size;
      place(vector, (size + schedule_.lanes - 1) / schedule_.lanes * schedule_.lanes);
    }
    for (int dim = static_cast<int>(region.size()) - 1; dim >= 0; --dim) {
      partial.origin.insert(partial.origin.begin(), region[static_cast<size_t>(dim)].start);
      if (dim != vector) place(dim, region[static_cast<size_t>(dim)].size);
    }
    for (size_t i = 0; i < op_.body.size(); ++i)
      partial.slots.push_back(lowering_.placePartialResults(stage_, i, elements));
    return partial;
  }

  // `partial_` for a tile in `region`, which says which block of the reduction it is.
  std::optional<PartialResults> partialResults(const Region &region) const {
    if (!partial_) return std::nullopt;
    PartialResults partial = *partial_;
    for (size_t d = 0; d < region.size(); ++d) {
      const int64_t extent = op_.dims[d].extent;
      if (!isReduction(static_cast<int>(d)) || region[d].size == extent) continue;
      partial.begun = partial.begun + region[d].start;
      partial.finished.push_back({region[d].start + region[d].size, extent, extent + 1});
    }
    return partial;
  }

  static std::vector<Segment> segmentsOf(const Extent &extent, int64_t step) {
    std::vector<Segment> segments;
    int64_t whole = extent.size / step;
    if (whole > 0) segments.push_back({0, whole, step});
    if (extent.size % step != 0) segments.push_back({whole, 1, extent.size % step});
    return segments;
  }

  template <typename Inner>
  Body serialSegment(const Loop &loop, const Segment &segment, const Inner &inner) {
    if (segment.count == 1) return inner(segment.first);
    IntExpr variable = lowering_.freshVariable(loop.dim, segment.first, segment.first + segment.count - 1);
    return {makeFor(variable, segment.first, segment.first + segment.count, LoopKind::Serial, inner(variable))};
  }

  // The phase's parallel variable says which tile it is. A loop of one iteration names it, with the segment's range.
  template <typename Inner>
  Body parallelSegment(const Loop &loop, const IntExpr &digit, const Segment &segment, const Inner &inner) {
    Body body;
    if (segment.count == 1 || digit.isConstant()) {
      body = inner(segment.count == 1 ? IntExpr(segment.first) : digit);
    } else {
      IntExpr variable = lowering_.freshVariable(loop.dim, segment.first, segment.first + segment.count - 1);
      body = {makeFor(variable, digit, digit + 1, LoopKind::Serial, inner(variable))};
    }
    if (segment.first == 0 && digit.high() < segment.count) return body;
    Statement guarded;
    guarded.kind = StatementKind::If;
    guarded.guards = {{digit, segment.first, segment.first + segment.count}};
    guarded.body = std::move(body);
    return {std::make_shared<const Statement>(std::move(guarded))};
  }

  // ------------------------------------------------------------------------------------------------------ borders

  // Reads of `dim` that may fall outside: (read, buffer dim).
  std::vector<std::pair<int, int>> guardedIndices(int dim) const {
    std::vector<std::pair<int, int>> found;
    for (size_t r = 0; r < op_.reads.size(); ++r) {
      if (!op_.reads[r].outside) continue;
      for (size_t k = 0; k < op_.reads[r].indices.size(); ++k) {
        if (schedule::mentions(op_.reads[r].indices[k], dim)) found.emplace_back(r, k);
      }
    }
    return found;
  }

  std::vector<int> reductionsIn(const tensor::Index &index) const {
    std::vector<int> dims;
    for (size_t d = 0; d < op_.dims.size(); ++d) {
      if (isReduction(static_cast<int>(d)) && schedule::mentions(index, static_cast<int>(d)))
        dims.push_back(static_cast<int>(d));
    }
    return dims;
  }

  bool isUnrolled(int dim) const {
    return std::find(schedule_.unroll.begin(), schedule_.unroll.end(), op_.dims[static_cast<size_t>(dim)].name) !=
           schedule_.unroll.end();
  }

  // A dim's border tiles are peeled when the bounds of a reduction loop cannot skip what lies outside: several of
  // the dim's values share that loop, or it is expanded.
  bool wantsPeeling(int dim, const Loop &loop) const {
    if (op_.dims[static_cast<size_t>(dim)].name == schedule_.vectorDim) return false;
    for (auto [r, k] : guardedIndices(dim)) {
      for (int reduction : reductionsIn(op_.reads[static_cast<size_t>(r)].indices[static_cast<size_t>(k)])) {
        if (loop.step > 1 || isUnrolled(reduction)) return true;
      }
    }
    return false;
  }

  void expandReductionsBeside(int dim, std::set<int> &expanded) const {
    for (auto [r, k] : guardedIndices(dim)) {
      for (int reduction : reductionsIn(op_.reads[static_cast<size_t>(r)].indices[static_cast<size_t>(k)])) {
        expanded.insert(reduction);
      }
    }
  }

  bool isInside(int dim, const Loop &loop, const Region &region, int64_t tile, int64_t size) {
    Region part = region;
    part[static_cast<size_t>(dim)] = {region[static_cast<size_t>(dim)].start + tile * loop.step, size};
    Point point = pointOfRegion(lowering_, part);
    std::vector<std::pair<int, int>> guarded = guardedIndices(dim);
    return std::all_of(guarded.begin(), guarded.end(), [&](const std::pair<int, int> &use) {
      const tensor::Access &access = op_.reads[static_cast<size_t>(use.first)];
      auto k = static_cast<size_t>(use.second);
      IntExpr e = lowering_.index(access.indices[k], point);
      return e.low() >= 0 && e.high() < lowering_.buffer(access.buffer).shape[k];
    });
  }

  std::vector<Segment> peelBorders(int dim, const Loop &loop, const Region &region, std::vector<Segment> segments) {
    if (!region[static_cast<size_t>(dim)].start.isConstant() || !wantsPeeling(dim, loop)) return segments;
    std::vector<Segment> peeled;
    for (const Segment &segment : segments) {
      if (segment.count > kLongestPeeledLoop) return segments;
      int64_t end = segment.first + segment.count;
      int64_t first = segment.first;
      while (first < end && !isInside(dim, loop, region, first, segment.size)) ++first;
      int64_t last = end;
      while (last > first && !isInside(dim, loop, region, last - 1, segment.size)) --last;
      if (first - segment.first > kMostBorderTiles || end - last > kMostBorderTiles) return segments;
      for (int64_t tile = segment.first; tile < first; ++tile) peeled.push_back({tile, 1, segment.size, true});
      if (last > first) peeled.push_back({first, last - first, segment.size});
      for (int64_t tile = last; tile < end; ++tile) peeled.push_back({tile, 1, segment.size, true});
    }
    return peeled;
  }

  // -------------------------------------------------------------------------------------------------------- tiles

  // The register tile over `region`, in two where the vector dim ends with a partial vector in unpadded storage.
  Body tiles(const Region &region, const std::set<int> &expanded) {
    int vector = schedule::dimPosition(op_, schedule_.vectorDim);
    auto lanes = static_cast<int>(schedule_.lanes);
    if (vector < 0 || isReduction(vector)) return tile(region, vector, lanes, lanes, expanded);
    const Extent &extent = region[static_cast<size_t>(vector)];
    int64_t partial = extent.size % lanes;
    if (partial == 0) return tile(region, vector, lanes, lanes, expanded);
    // What an attached stage is asked for may end before the dim does: the rest is somebody else's, not padding.
    const bool endsTheDim = extent.start + extent.size == IntExpr(op_.dims[static_cast<size_t>(vector)].extent);
    if (endsTheDim && isPadded(vector)) {
      Region rounded = region;
      rounded[static_cast<size_t>(vector)].size += lanes - partial;
      return tile(rounded, vector, lanes, lanes, expanded);
    }
    Body out;
    Region part = region;
    if (extent.size > lanes) {
      part[static_cast<size_t>(vector)] = {extent.start, extent.size - partial};
      append(out, tile(part, vector, lanes, lanes, expanded));
    }
    part[static_cast<size_t>(vector)] = {extent.start + (extent.size - partial), partial};
    append(out, tile(part, vector, lanes, static_cast<int>(partial), expanded));
    return out;
  }

  // Whether the storage of all that the tile touches goes on to a whole vector past the dim's end.
  bool isPadded(int vector) const {
    if (!stageIsPadded(op_, vector)) return false;
    for (int consumer = 0; consumer < static_cast<int>(lowering_.kernel().stages.size()); ++consumer) {
      if (!lowering_.isEpilogue(consumer, stage_)) continue;
      std::vector<int> dims = *lowering_.epilogueDims(consumer, stage_);
      for (size_t d = 0; d < dims.size(); ++d) {
        if (dims[d] == vector && !stageIsPadded(lowering_.stage(consumer), static_cast<int>(d))) return false;
      }
    }
    return true;
  }

  bool stageIsPadded(const tensor::TensorOp &op, int vector) const {
    int64_t lanes = schedule_.lanes;
    int64_t rounded = (op.dims[static_cast<size_t>(vector)].extent + lanes - 1) / lanes * lanes;
    auto accessIsPadded = [&](const tensor::Access &access) {
      if (lowering_.isRegisterOnly(access.buffer)) return true;
      for (size_t k = 0; k < access.indices.size(); ++k) {
        if (!schedule::mentions(access.indices[k], vector)) continue;
        if (access.outside || access.indices[k]->kind != tensor::IndexKind::Dim) return false;
        if (lowering_.storage(access.buffer).layout.allocated(static_cast<int>(k)) < rounded) return false;
      }
      return true;
    };
    // A write without the dim (of extent 1) has room for one lane.
    const bool isWritten = std::all_of(op.writes.begin(), op.writes.end(), [&](const tensor::Access &write) {
      return std::any_of(write.indices.begin(), write.indices.end(),
                         [&](const tensor::Index &index) { return schedule::mentions(index, vector); });
    });
    return isWritten && std::all_of(op.reads.begin(), op.reads.end(), accessIsPadded) &&
           std::all_of(op.writes.begin(), op.writes.end(), accessIsPadded);
  }

  Body tile(const Region &region, int vector, int lanes, int activeLanes, const std::set<int> &expanded) {
    Tile tile;
    tile.region = region;
    tile.vectorDim = vector;
    tile.lanes = vector < 0 ? 1 : lanes;
    tile.activeLanes = activeLanes;
    bool hasVector = false;
    for (const schedule::RegisterTile &registers : schedule_.registers) {
      int dim = schedule::dimPosition(op_, registers.dim);
      hasVector = hasVector || dim == vector;
      if (isReduction(dim)) {
        tile.registers.emplace_back(dim, registers.count);
        continue;
      }
      int64_t size = region[static_cast<size_t>(dim)].size;
      tile.registers.emplace_back(dim, dim == vector ? (size + lanes - 1) / lanes : size);
    }
    if (vector >= 0 && !hasVector) {
      int64_t size = region[static_cast<size_t>(vector)].size;
      tile.registers.emplace_back(vector, isReduction(vector) ? 1 : (size + lanes - 1) / lanes);
    }
    tile.partial = partialResults(region);
    return lowerTile(lowering_, stage_, tile, reduction_, expanded);
  }

  Lowering &lowering_;
  int stage_;
  const tensor::TensorOp &op_;
  const schedule::StageSchedule &schedule_;
  std::vector<Loop> spatial_;
  std::vector<Loop> reduction_;
  const std::vector<IntExpr> &digits_;
  std::optional<PartialResults> partial_;  // inside the outermost loop over blocks of the reduction
};

}  // namespace

Body lowerStage(Lowering &lowering, int stage, const Region &region, const std::vector<IntExpr> &parallelDigits) {
  return Nest(lowering, stage, parallelDigits).run(region);
}

}  // namespace hone::loop
