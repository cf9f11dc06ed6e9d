// One register tile of a stage: accumulators, reduction loops, epilogues, stores.
#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/loop/lowering.h"
#include "compiler/loop/region.h"
#include "compiler/schedule/structure.h"

namespace hone::loop {
namespace {

using schedule::Loop;
using tensor::CombinerKind;
using tensor::DimKind;

class TileBuilder {
 public:
  TileBuilder(Lowering &lowering, int stage, const Tile &tile, const std::vector<Loop> &reduction,
              const std::set<int> &expanded)
      : lowering_(lowering),
        stage_(stage),
        op_(lowering.stage(stage)),
        tile_(tile),
        reduction_(reduction),
        expanded_(expanded) {
    for (const auto &[dim, count] : tile.registers) (isReduction(dim) ? folded_ : spatial_).emplace_back(dim, count);
    if (tile.lanes > 1) {
      laneId_ = lowering.freshId();
      lane_ = variable(laneId_, absl::StrCat("lane", laneId_), 0, tile.lanes - 1);
    }
  }

  Body run() {
    bool reduces = op_.combiner.kind != CombinerKind::None;
    std::vector<int> epilogues = epilogueStages();
    Body out;
    if (!reduces && epilogues.empty())
      return eachElement(spatialRegion(), [&](const Point &p) { return storeBody(p); });
    append(out, reduces ? reduceAll() : holdBody());
    if (tile_.partial) {
      append(out, eachElement(spatialRegion(), [&](const Point &p) { return addPartialResults(p); }));
      append(out, whenFinished(useResults(epilogues)));
    } else {
      append(out, useResults(epilogues));
    }
    return out;
  }

 private:
  /// Stores the results and computes what follows.
  Body useResults(const std::vector<int> &epilogues) {
    Body out;
    HeldBuffers held;
    for (size_t i = 0; i < op_.writes.size(); ++i) held[op_.writes[i].buffer] = {results_[i], op_.body[i]->dtype};
    bool isStored = std::any_of(op_.writes.begin(), op_.writes.end(),
                                [&](const tensor::Access &write) { return !lowering_.isRegisterOnly(write.buffer); });
    if (isStored) append(out, eachElement(spatialRegion(), [&](const Point &p) { return storeResults(p); }));
    for (int epilogue : epilogues) append(out, lowerEpilogue(epilogue, held));
    return out;
  }

  bool isReduction(int dim) const { return op_.dims[static_cast<size_t>(dim)].kind == DimKind::Reduction; }
  bool vectorReduces() const { return tile_.vectorDim >= 0 && isReduction(tile_.vectorDim); }
  /// Lanes of a value that a spatial point stands for.
  int spatialLanes() const { return vectorReduces() ? 1 : tile_.lanes; }
  int64_t foldedCount() const {
    int64_t count = 1;
    for (const auto &[dim, registers] : folded_) count *= registers;
    return count;
  }
  int64_t spatialCount() const {
    int64_t count = 1;
    for (const auto &[dim, registers] : spatial_) count *= registers;
    return count;
  }
  const Region &spatialRegion() const { return tile_.region; }

  std::vector<int> epilogueStages() const {
    std::vector<int> stages;
    for (int s = 0; s < static_cast<int>(lowering_.kernel().stages.size()); ++s) {
      if (lowering_.isEpilogue(s, stage_)) stages.push_back(s);
    }
    return stages;
  }

  using PointBody = std::function<Body(const Point &)>;

  // Unrolled loops over `registers`; counts come from the region, strides of the register index from the counts that
  // the schedule gives.
  Body eachOf(const std::vector<std::pair<int, int64_t>> &registers, size_t i, const Region &region, Point point,
              const PointBody &body) {
    if (i == registers.size()) return body(point);
    auto [dim, capacity] = registers[i];
    auto d = static_cast<size_t>(dim);
    bool isVector = dim == tile_.vectorDim && tile_.lanes > 1;
    int64_t width = isVector ? tile_.lanes : 1;
    int64_t count = (region[d].size + width - 1) / width;
    IntExpr variable = count > 1 ? lowering_.freshVariable(op_.dims[d].name + "_r", 0, count - 1) : IntExpr(0);
    point.dims[d] = region[d].start + variable * width + (isVector ? lane_ : IntExpr(0));
    point.registerIndex = point.registerIndex * capacity + variable;
    Body inner = eachOf(registers, i + 1, region, point, body);
    if (count == 1) return inner;
    return {makeFor(variable, 0, count, LoopKind::Unrolled, std::move(inner))};
  }

  Point basePoint(const Region &region, bool withLane) const {
    Point point;
    for (const Extent &extent : region) point.dims.push_back(extent.start);
    if (withLane && tile_.lanes > 1) {
      point.lane = laneId_;
      point.lanes = tile_.lanes;
      point.activeLanes = tile_.activeLanes;
    }
    return point;
  }

  Body eachElement(const Region &region, const PointBody &body) {
    return eachOf(spatial_, 0, region, basePoint(region, !vectorReduces()), body);
  }

  // ------------------------------------------------------------------------------------------- without reduction

  ValuePtr bodyValue(size_t element, const Point &point, const HeldBuffers &held = {},
                     const ProvenInside &proven = {}) {
    return lowering_.value(op_, op_.body[element], point, held, proven);
  }

  Body storeBody(const Point &point) {
    Body out;
    const SharedValues shared = lowering_.shareValues(op_, point, out);
    for (size_t i = 0; i < op_.writes.size(); ++i) {
      out.push_back(
          lowering_.store(op_, op_.writes[i], lowering_.value(op_, op_.body[i], point, {}, {}, shared), point));
    }
    return out;
  }

  Body holdBody() {
    Body out;
    for (size_t i = 0; i < op_.writes.size(); ++i) {
      results_.push_back(lowering_.freshRegister());
      out.push_back(makeRegisters(results_[i], op_.name, static_cast<int>(spatialCount()), resultType(i)));
    }
    append(out, eachElement(spatialRegion(), [&](const Point &point) {
             Body set;
             for (size_t i = 0; i < op_.writes.size(); ++i) {
               set.push_back(makeSet(results_[i], point.registerIndex, broadcastTo(bodyValue(i, point), point.lanes)));
             }
             return set;
           }));
    return out;
  }

  Type resultType(size_t element) const { return {op_.body[element]->dtype, spatialLanes()}; }

  Body storeResults(const Point &point) {
    Body out;
    for (size_t i = 0; i < op_.writes.size(); ++i) {
      if (lowering_.isRegisterOnly(op_.writes[i].buffer)) continue;
      out.push_back(
          lowering_.store(op_, op_.writes[i], makeRegister(results_[i], point.registerIndex, resultType(i)), point));
    }
    return out;
  }

  // A stage in this tile's registers: same points under the names of its own dims.
  Body lowerEpilogue(int stage, HeldBuffers &held) {
    const tensor::TensorOp &op = lowering_.stage(stage);
    std::vector<int> hostDims = *lowering_.epilogueDims(stage, stage_);
    std::vector<int> results;
    bool isRead = std::any_of(op.writes.begin(), op.writes.end(),
                              [&](const tensor::Access &write) { return !lowering_.readers(write.buffer).empty(); });
    Body out;
    for (size_t i = 0; isRead && i < op.writes.size(); ++i) {
      results.push_back(lowering_.freshRegister());
      out.push_back(
          makeRegisters(results[i], op.name, static_cast<int>(spatialCount()), {op.body[i]->dtype, spatialLanes()}));
    }
    append(out, eachElement(spatialRegion(), [&](const Point &host) {
             Point point = host;
             point.dims.clear();
             for (int dim : hostDims) point.dims.push_back(host.dims[static_cast<size_t>(dim)]);
             Body set;
             for (size_t i = 0; i < op.writes.size(); ++i) {
               ValuePtr value = broadcastTo(lowering_.value(op, op.body[i], point, held, {}), point.lanes);
               if (isRead) {
                 Type type = value->type;
                 set.push_back(makeSet(results[i], point.registerIndex, std::move(value)));
                 value = makeRegister(results[i], point.registerIndex, type);
               }
               if (!lowering_.isRegisterOnly(op.writes[i].buffer)) {
                 set.push_back(lowering_.store(op, op.writes[i], std::move(value), point));
               }
             }
             return set;
           }));
    for (size_t i = 0; isRead && i < op.writes.size(); ++i) {
      held[op.writes[i].buffer] = {results[i], op.body[i]->dtype};
    }
    return out;
  }

  // ------------------------------------------------------------------------------------------------- reductions

  Type accumulatorType(size_t element) const { return {op_.body[element]->dtype, tile_.lanes}; }

  ValuePtr identityOf(size_t element, int lanes) const { return loop::identityOf(op_, element, lanes); }

  Body reduceAll() {
    Body out;
    auto capacity = static_cast<int>(spatialCount() * foldedCount());
    for (size_t i = 0; i < op_.body.size(); ++i) {
      accumulators_.push_back(lowering_.freshRegister());
      out.push_back(makeRegisters(accumulators_[i], op_.name, capacity, accumulatorType(i)));
      IntExpr each = capacity > 1 ? lowering_.freshVariable("i", 0, capacity - 1) : IntExpr(0);
      StatementPtr set = makeSet(accumulators_[i], each, identityOf(i, tile_.lanes));
      out.push_back(capacity > 1 ? makeFor(each, 0, capacity, LoopKind::Unrolled, {set}) : set);
    }
    append(out, reductionLoop(0, tile_.region, {}));
    append(out, fold());
    return out;
  }

  Body reductionLoop(size_t position, const Region &region, const ProvenInside &proven) {
    if (position == reduction_.size()) return reductionTiles(region, proven);
    const Loop &loop = reduction_[position];
    int dim = schedule::dimPosition(op_, loop.dim);
    auto d = static_cast<size_t>(dim);
    const Extent &extent = region[d];
    Body out;
    auto inner = [&](const IntExpr &tile, int64_t size, const ProvenInside &inside) {
      Region part = region;
      part[d] = {extent.start + tile * loop.step, size};
      return reductionLoop(position + 1, part, inside);
    };
    int64_t whole = extent.size / loop.step;
    if (whole == 1) append(out, inner(0, loop.step, proven));
    if (whole > 1) {
      IntExpr variable = lowering_.freshVariable(loop.dim, 0, whole - 1);
      IntExpr begin = 0;
      IntExpr end = whole;
      ProvenInside inside = proven;
      bool unroll = loop.step == 1 && (expanded_.contains(dim) || isUnrolled(loop.dim));
      if (!unroll && loop.step == 1) skipOutside(dim, region, variable, begin, end, inside);
      out.push_back(makeFor(variable, begin, end, unroll ? LoopKind::Unrolled : LoopKind::Serial,
                            inner(variable, loop.step, inside)));
    }
    int64_t rest = extent.size % loop.step;
    if (rest != 0) append(out, inner(whole, rest, proven));
    return out;
  }

  bool isUnrolled(const std::string &dim) const {
    const std::vector<std::string> &unroll = lowering_.stageSchedule(stage_).unroll;
    return std::find(unroll.begin(), unroll.end(), dim) != unroll.end();
  }

  // Whether everything in `index` but dim `dim` has one value in `region`.
  bool othersAreBound(const tensor::Index &index, int dim, const Region &region) const {
    for (size_t d = 0; d < region.size(); ++d) {
      if (static_cast<int>(d) != dim && region[d].size > 1 && schedule::mentions(index, static_cast<int>(d)))
        return false;
    }
    return true;
  }

  // Bounds of the loop over reduction dim `dim` that leave out what reads outside and adds nothing.
  void skipOutside(int dim, const Region &region, const IntExpr &variable, IntExpr &begin, IntExpr &end,
                   ProvenInside &proven) {
    auto d = static_cast<size_t>(dim);
    for (size_t r = 0; r < op_.reads.size(); ++r) {
      if (!outsideIsNeutral(op_, static_cast<int>(r))) continue;
      const tensor::Access &access = op_.reads[r];
      for (size_t k = 0; k < access.indices.size(); ++k) {
        if (!schedule::mentions(access.indices[k], dim) || !othersAreBound(access.indices[k], dim, region)) continue;
        Point point = basePoint(region, false);
        point.dims[d] = region[d].start + variable;
        IntExpr e = lowering_.index(access.indices[k], point);
        std::optional<int64_t> slope = coefficientOf(e, variable.terms()[0].atom->id);
        if (!slope || *slope <= 0) continue;
        IntExpr rest = e - variable * *slope;
        int64_t last = lowering_.buffer(access.buffer).shape[k] - 1;
        begin = max(begin, floorDiv(rest, *slope) * -1);
        end = min(end, floorDiv(rest * -1 + last, *slope) + 1);
        proven.insert({static_cast<int>(r), static_cast<int>(k)});
      }
    }
  }

  // The innermost step, in two where a vectorised reduction dim ends with a partial vector.
  Body reductionTiles(const Region &region, const ProvenInside &proven) {
    if (!vectorReduces()) return reductionTile(region, tile_.lanes, proven);
    auto v = static_cast<size_t>(tile_.vectorDim);
    int64_t partial = region[v].size % tile_.lanes;
    if (partial == 0) return reductionTile(region, tile_.lanes, proven);
    Body out;
    Region part = region;
    if (region[v].size > tile_.lanes) {
      part[v].size -= partial;
      append(out, reductionTile(part, tile_.lanes, proven));
    }
    part[v] = {region[v].start + (region[v].size - partial), partial};
    append(out, reductionTile(part, static_cast<int>(partial), proven));
    return out;
  }

  Body reductionTile(const Region &region, int activeLanes, const ProvenInside &proven) {
    Point base = basePoint(region, true);
    if (vectorReduces()) base.activeLanes = activeLanes;
    Body out = lowerPrefetches(lowering_, stage_, tile_, region);
    append(out, eachOf(spatial_, 0, region, base, [&](const Point &spatial) {
             return eachOf(folded_, 0, region, spatial, [&](const Point &point) {
               std::vector<ValuePtr> elements;
               for (size_t i = 0; i < op_.body.size(); ++i) {
                 ValuePtr value = broadcastTo(bodyValue(i, point, {}, proven), tile_.lanes);
                 if (vectorReduces() && activeLanes < tile_.lanes) {
                   value = makeApply(ScalarOp::Select, {activeMask(activeLanes), value, identityOf(i, tile_.lanes)});
                 }
                 elements.push_back(std::move(value));
               }
               return combine(accumulators_, point.registerIndex, elements, tile_.lanes);
             });
           }));
    return out;
  }

  ValuePtr activeMask(int activeLanes) const {
    Value v;
    v.kind = ValueKind::ActiveLanes;
    v.type = {DType::Bool, tile_.lanes};
    v.integer = activeLanes;
    return std::make_shared<const Value>(std::move(v));
  }

  // registers[index] = combine(registers[index], elements)
  Body combine(const std::vector<int> &registers, const IntExpr &index, const std::vector<ValuePtr> &elements,
               int lanes) {
    std::vector<ValuePtr> old;
    for (size_t i = 0; i < registers.size(); ++i) {
      old.push_back(makeRegister(registers[i], index, {op_.body[i]->dtype, lanes}));
    }
    return setCombined(lowering_, op_.combiner, registers, index, old, elements, lanes);
  }

  // ------------------------------------------------------------------------------------ blocks of a reduction

  IntExpr partialOffset(const Point &point) const {
    IntExpr offset;
    for (size_t d = 0; d < point.dims.size(); ++d)
      if (tile_.partial->strides[d] != 0)
        offset = offset + (point.dims[d] - tile_.partial->origin[d]) * tile_.partial->strides[d];
    return offset;
  }

  // results = combine(those of the blocks before, results), which are then kept for the blocks after.
  Body addPartialResults(const Point &point) {
    const PartialResults &partial = *tile_.partial;
    std::vector<ValuePtr> before, here;
    Body keep;
    for (size_t i = 0; i < results_.size(); ++i) {
      Value load;
      load.kind = ValueKind::Load;
      load.type = {op_.body[i]->dtype, point.lanes};
      load.buffer = partial.slots[i];
      load.index = partialOffset(point);
      load.guards = {{partial.begun, 1, partial.begun.high() + 1}};
      load.fill = identityOf(i, point.lanes);
      load.activeLanes = point.activeLanes;
      if (point.lanes > 1) load.lane = point.lane;
      before.push_back(std::make_shared<const Value>(std::move(load)));
      here.push_back(makeRegister(results_[i], point.registerIndex, resultType(i)));
      Statement store;
      store.kind = StatementKind::Store;
      store.buffer = partial.slots[i];
      store.index = partialOffset(point);
      store.value = here.back();
      if (point.lanes > 1) {
        store.lane = point.lane;
        store.activeLanes = point.activeLanes;
      }
      keep.push_back(std::make_shared<const Statement>(std::move(store)));
    }
    Body out = setCombined(lowering_, op_.combiner, results_, point.registerIndex, before, here, point.lanes);
    append(out, std::move(keep));
    return out;
  }

  Body whenFinished(Body body) const {
    Statement last;
    last.kind = StatementKind::If;
    last.guards = tile_.partial->finished;
    last.body = std::move(body);
    return {std::make_shared<const Statement>(std::move(last))};
  }

  // Folds the accumulators of expanded reduction dims, then lanes; leaves results_.
  Body fold() {
    int64_t copies = foldedCount();
    if (copies == 1 && !vectorReduces()) {
      results_ = accumulators_;
      return {};
    }
    Body out;
    for (size_t i = 0; i < op_.body.size(); ++i) {
      results_.push_back(lowering_.freshRegister());
      out.push_back(makeRegisters(results_[i], op_.name + "_result", static_cast<int>(spatialCount()), resultType(i)));
    }
    append(out, eachElement(spatialRegion(), [&](const Point &point) { return foldOne(point, copies); }));
    return out;
  }

  Body foldOne(const Point &point, int64_t copies) {
    Body out;
    IntExpr first = point.registerIndex * copies;
    auto accumulator = [&](const IntExpr &index) {
      std::vector<ValuePtr> values;
      for (size_t i = 0; i < accumulators_.size(); ++i) {
        values.push_back(makeRegister(accumulators_[i], index, accumulatorType(i)));
      }
      return values;
    };
    for (int64_t copy = 1; copy < copies; ++copy) {
      append(out, combine(accumulators_, first, accumulator(first + copy), tile_.lanes));
    }
    if (!vectorReduces()) {
      for (size_t i = 0; i < results_.size(); ++i) {
        out.push_back(
            makeSet(results_[i], point.registerIndex, makeRegister(accumulators_[i], first, accumulatorType(i))));
      }
      return out;
    }
    std::vector<ValuePtr> vectors = accumulator(first);
    if (op_.combiner.kind != CombinerKind::Custom) {
      Value v;
      v.kind = ValueKind::Horizontal;
      v.type = resultType(0);
      v.op = combinerOp(op_.combiner.kind);
      v.args = {vectors[0]};
      out.push_back(makeSet(results_[0], point.registerIndex, std::make_shared<const Value>(std::move(v))));
      return out;
    }
    for (int lane = 0; lane < tile_.lanes; ++lane) {
      std::vector<ValuePtr> elements;
      for (size_t i = 0; i < vectors.size(); ++i) {
        Value v;
        v.kind = ValueKind::ExtractLane;
        v.type = resultType(i);
        v.integer = lane;
        v.args = {vectors[i]};
        elements.push_back(std::make_shared<const Value>(std::move(v)));
      }
      if (lane == 0) {
        for (size_t i = 0; i < results_.size(); ++i)
          out.push_back(makeSet(results_[i], point.registerIndex, elements[i]));
      } else {
        append(out, combine(results_, point.registerIndex, elements, 1));
      }
    }
    return out;
  }

  Lowering &lowering_;
  int stage_;
  const tensor::TensorOp &op_;
  const Tile &tile_;
  const std::vector<Loop> &reduction_;
  const std::set<int> &expanded_;
  std::vector<std::pair<int, int64_t>> spatial_, folded_;  // register tiles over parallel and reduction dims
  int laneId_ = -1;
  IntExpr lane_;
  std::vector<int> accumulators_;  // register array per tuple element
  std::vector<int> results_;
};

}  // namespace

Body lowerTile(Lowering &lowering, int stage, const Tile &tile, const std::vector<Loop> &reduction,
               const std::set<int> &expanded) {
  return TileBuilder(lowering, stage, tile, reduction, expanded).run();
}

}  // namespace hone::loop
