// What a step of a reduction asks for ahead of time: one place of each cache line that it reads, further on.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "compiler/loop/lowering.h"
#include "compiler/loop/region.h"
#include "compiler/schedule/structure.h"

namespace hone::loop {
namespace {

constexpr int64_t kLineBytes = 64;

class Lines {
 public:
  Lines(Lowering &lowering, const tensor::Access &access, const Tile &tile, const Region &region, int64_t distance)
      : lowering_(lowering), access_(access), tile_(tile), region_(region), distance_(distance) {}

  /// Loops, written out, over the lines along dim \p d and those after it.
  Body from(size_t d, const Point &point) {
    if (d == region_.size()) return {prefetch(point)};
    const int64_t step = region_[d].size > 1 ? elementsPerLine(d, point) : 1;
    const int64_t count = step == 0 ? 1 : (region_[d].size + step - 1) / step;
    if (count == 1) return from(d + 1, point);
    const IntExpr line = lowering_.freshVariable("line", 0, count - 1);
    Point next = point;
    next.dims[d] = region_[d].start + line * step;
    return {makeFor(line, 0, count, LoopKind::Unrolled, from(d + 1, next))};
  }

 private:
  // Along dim `d`; 0: its elements are one place.
  int64_t elementsPerLine(size_t d, const Point &point) {
    const int64_t bytes = sizeOf(lowering_.buffer(access_.buffer).dtype);
    const IntExpr element = lowering_.freshVariable("u", 0, region_[d].size - 1);
    Point along = point;
    along.dims[d] = region_[d].start + element;
    const std::optional<int64_t> stride = coefficientOf(lowering_.address(access_, along), element.terms()[0].atom->id);
    if (stride) return *stride == 0 ? 0 : std::max<int64_t>(1, kLineBytes / (bytes * std::abs(*stride)));
    // Elements that lie side by side as far as a vector reaches.
    const bool isVector = static_cast<int>(d) == tile_.vectorDim;
    return isVector ? std::min<int64_t>(tile_.lanes, kLineBytes / bytes) : 1;
  }

  StatementPtr prefetch(const Point &point) const {
    Statement s;
    s.kind = StatementKind::Prefetch;
    s.buffer = lowering_.storage(access_.buffer).slot;
    s.index = lowering_.address(access_, point) + distance_;
    return std::make_shared<const Statement>(std::move(s));
  }

  Lowering &lowering_;
  const tensor::Access &access_;
  const Tile &tile_;
  const Region &region_;
  const int64_t distance_;
};

}  // namespace

Body lowerPrefetches(Lowering &lowering, int stage, const Tile &tile, const Region &region) {
  Body out;
  Point start;
  for (const Extent &extent : region) start.dims.push_back(extent.start);
  for (const schedule::Prefetch &clause : lowering.stageSchedule(stage).prefetches) {
    for (const tensor::Access &read : lowering.stage(stage).reads) {
      if (lowering.buffer(read.buffer).name != clause.buffer) continue;
      append(out, Lines(lowering, read, tile, region, clause.distance).from(0, start));
    }
  }
  return out;
}

}  // namespace hone::loop
