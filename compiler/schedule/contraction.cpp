// Schedules of sums of products: the register tile, which loops are pieces, the order of the weights.
#include "compiler/schedule/contraction.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/schedule/pieces.h"
#include "compiler/schedule/register_tile.h"

namespace hone::schedule {
namespace {

using tensor::DimKind;
using tensor::Kernel;
using tensor::TensorOp;

// Steps of a reduction in one block. One vector of weights for each of them fills a quarter to all of a first-level
// cache.
constexpr std::array<int64_t, 3> kBlockSteps = {128, 256, 512};
// Vectors are not cut to fewer lanes than this to keep them within blocks.
constexpr int64_t kFewestLanes = 4;
// Parameters of so many bytes are not in the caches any more when their turn comes again.
constexpr int64_t kFromMemory = 256 << 10;
// From so many on, asking for them ahead gains more than it costs, unless so few rows read each of them that the bytes
// themselves are the limit.
constexpr int64_t kLongFromMemory = 2 << 20;
constexpr int64_t kFewRows = 32;

class ContractionChooser {
 public:
  ContractionChooser(const Kernel &kernel, const TargetDescription &target, int64_t lanes, Choices &choices)
      : kernel_(kernel), target_(target), lanes_(lanes), choices_(choices) {}

  void choose(const TensorOp &op, const Contraction &contraction, StageSchedule &out) {
    int vector = contraction.vectorDim;
    const std::vector<int> &rows = contraction.rowDims;
    int row = rows.empty() ? -1 : rows.back();
    int outerRow = rows.size() < 2 ? -1 : rows[rows.size() - 2];
    const RegisterShape shape = chooseRegisters(op, vector, row, outerRow);
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanes();
    if (shape.outerRows > 1) out.registers.push_back({nameOf(op, outerRow), shape.outerRows});
    if (row >= 0) out.registers.push_back({nameOf(op, row), shape.rows});
    out.registers.push_back({out.vectorDim, shape.vectors});
    orderContraction(op, contraction, row, shape, out);
    reduceContraction(op, contraction, out);
    packContraction(op, contraction, shape, out);
    prefetchContraction(op, contraction, out);
  }

 private:
  int64_t lanes() const { return lanes_; }

  RegisterShape chooseRegisters(const TensorOp &op, int vector, int row, int outerRow) {
    ContractionShape whole;
    whole.vectors = divideUp(extent(op, vector), lanes());
    if (row >= 0) whole.rows = extent(op, row);
    if (outerRow >= 0) whole.outerRows = extent(op, outerRow);
    whole.registersPerVector = registersPerVector(op, lanes(), target_.vectorBytes);
    const std::vector<RegisterShape> tiles = registerTiles(whole, target_);
    std::vector<std::string> names;
    for (const RegisterShape &tile : tiles) {
      names.push_back(absl::StrCat(tile.rows, "x", tile.vectors));
      if (tile.outerRows > 1) names.back() = absl::StrCat(tile.outerRows, "x", names.back());
    }
    return tiles[choices_.knob(op.name + ".registers", names)];
  }

  // Which of two loops is outside: over blocks of the vector dim, so that one block of weights serves all rows, or
  // over the rows, so that a row serves all blocks; and there, whether the blocks are pieces of their own.
  enum class Order : uint8_t { VectorsRows, RowsVectors, RowsWithVectors };

  void orderContraction(const TensorOp &op, const Contraction &contraction, int row, const RegisterShape &shape,
                        StageSchedule &out) {
    int vector = contraction.vectorDim;
    std::vector<int> batch;
    std::vector<int> rows;
    for (int dim : dimsOfKind(op, DimKind::Parallel)) {
      if (dim == vector || dim == row) continue;
      bool ofRow = std::find(contraction.rowDims.begin(), contraction.rowDims.end(), dim) != contraction.rowDims.end();
      (ofRow ? rows : batch).push_back(dim);
    }
    const auto order =
        static_cast<Order>(choices_.knob(op.name + ".order", {"vectors outside", "rows outside", "vectors inside"}));
    const Loop vectorLoop{out.vectorDim, shape.vectors * lanes()};
    const int64_t blocks = divideUp(extent(op, vector), vectorLoop.step);
    int64_t pieces = order == Order::RowsWithVectors ? 1 : blocks;
    for (int dim : batch) {
      out.parallel.push_back({nameOf(op, dim), 1});
      pieces *= extent(op, dim);
    }
    std::vector<Loop> rowLoops;
    for (int dim : rows) {
      // A tile of several outer rows has a tail, which is peeled from loops inside a piece only.
      if (shape.outerRows > 1 && dim == rows.back()) {
        out.tile.push_back({nameOf(op, dim), shape.outerRows});
        continue;
      }
      rowLoops.push_back({nameOf(op, dim), 1});
      pieces *= extent(op, dim);
    }
    const int64_t wanted = kPieces[choices_.knob(op.name + ".pieces", pieceNames())] * target_.cores;
    if (row >= 0) {
      const int64_t tiles = divideUp(extent(op, row), shape.rows);
      const int64_t chunk = std::max<int64_t>(1, divideUp(tiles, divideUp(wanted, pieces)));
      if (chunk < tiles) rowLoops.push_back({nameOf(op, row), chunk * shape.rows});
      // A chunk of one tile is a piece by itself: no loop is left inside.
      if (chunk > 1 || chunk >= tiles) out.tile.push_back({nameOf(op, row), shape.rows});
    }
    if (order == Order::VectorsRows) out.parallel.push_back(vectorLoop);
    out.parallel.insert(out.parallel.end(), rowLoops.begin(), rowLoops.end());
    if (order == Order::RowsVectors) out.parallel.push_back(vectorLoop);
    if (order == Order::RowsWithVectors) out.tile.push_back(vectorLoop);
  }

  // Reduction dims in order; one that the row operand's layout splits is split in the same way, around the others or
  // inside them.
  void reduceContraction(const TensorOp &op, const Contraction &contraction, StageSchedule &out) {
    std::vector<Loop> outer, middle, inner;
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      const tensor::Access &read = op.reads[static_cast<size_t>(contraction.rowOperand)];
      int64_t block = layoutBlock(kernel_, read, dim);
      if (block > 1 && extent(op, dim) > block) outer.push_back({nameOf(op, dim), block});
      (block > 1 || isWithinBlocks(read, dim) ? inner : middle).push_back({nameOf(op, dim), 1});
    }
    const bool hasOrder = !outer.empty() && !middle.empty();
    const bool blocksInside = hasOrder && choices_.knob(op.name + ".blocks", {"outside", "inside"}) == 1;
    std::vector<const std::vector<Loop> *> loops = {&outer, &middle, &inner};
    if (blocksInside) std::swap(loops[0], loops[1]);
    for (const std::vector<Loop> *part : loops) out.reduction.insert(out.reduction.end(), part->begin(), part->end());
    cutReduction(op, out);
  }

  // The outermost loop of the reduction, in blocks around the tile loops.
  void cutReduction(const TensorOp &op, StageSchedule &out) {
    if (out.reduction.empty()) return;
    const Loop outermost = out.reduction.front();
    const int64_t extent = op.dims[static_cast<size_t>(dimPosition(op, outermost.dim))].extent;
    std::vector<int64_t> blocks = {extent};
    std::vector<std::string> names = {"all"};
    for (const int64_t steps : kBlockSteps) {
      const int64_t trips = steps * extent / (reductionPoints(op) * outermost.step);
      const int64_t block = trips * outermost.step;
      if (trips < 2 || 2 * block > extent || block == blocks.back()) continue;
      blocks.push_back(block);
      names.push_back(std::to_string(steps));
    }
    if (blocks.size() == 1) return;
    const int64_t block = blocks[choices_.knob(op.name + ".steps", names)];
    if (block < extent) out.tile.insert(out.tile.begin(), {outermost.dim, block});
  }

  // Whether neighbours along the dim are neighbours within a block: channels of one group.
  bool isWithinBlocks(const tensor::Access &read, int dim) const {
    const tensor::Layout &layout = kernel_.buffers[static_cast<size_t>(read.buffer)].layout;
    for (const tensor::LayoutAxis &axis : layout.axes) {
      const bool isSplit = axis.divisor > 1 && mentions(read.indices[static_cast<size_t>(axis.dim)], dim);
      if (isSplit && laneStride(kernel_, read, dim, 1) == 1) return true;
    }
    return false;
  }

  // Parameters in the order in which the loops read them.
  void packContraction(const TensorOp &op, const Contraction &contraction, const RegisterShape &shape,
                       StageSchedule &out) const {
    const tensor::Access &access = op.reads[static_cast<size_t>(contraction.vectorOperand)];
    const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(access.buffer)];
    if (buffer.role != tensor::BufferRole::Parameter) return;
    int64_t width = shape.vectors * lanes();
    auto positionOf = [&](int dim) {
      for (size_t k = 0; k < access.indices.size(); ++k) {
        if (mentions(access.indices[k], dim)) return static_cast<int>(k);
      }
      return -1;
    };
    int vector = positionOf(contraction.vectorDim);
    // Tiles begin where blocks of their width do, in every group.
    bool fitsBlocks = keepsMultiples(access.indices[static_cast<size_t>(vector)], contraction.vectorDim, width);
    tensor::Layout layout;
    std::vector<bool> placed(access.indices.size(), false);
    placed[static_cast<size_t>(vector)] = true;
    std::vector<tensor::LayoutAxis> order;
    for (const Loop &loop : out.reduction) {
      int k = positionOf(dimPosition(op, loop.dim));
      if (k < 0 || k == vector || access.indices[static_cast<size_t>(k)]->kind != tensor::IndexKind::Dim) continue;
      bool second = placed[static_cast<size_t>(k)];
      int64_t outer = 0;
      for (const tensor::LayoutAxis &axis : order) {
        if (axis.dim == k) outer = axis.divisor;
      }
      order.push_back({k, loop.step, second ? outer / loop.step : 0});
      placed[static_cast<size_t>(k)] = true;
    }
    // Blocks of the vector dim lie inside what the loops around them go through.
    for (size_t k = 0; k < placed.size(); ++k) {
      if (!placed[k]) layout.axes.push_back({static_cast<int>(k), 1, 0});
    }
    if (fitsBlocks) layout.axes.push_back({vector, width, 0});
    layout.axes.insert(layout.axes.end(), order.begin(), order.end());
    layout.axes.push_back({vector, 1, fitsBlocks ? width : 0});
    out.packs.push_back({buffer.name, std::move(layout)});
  }

  // Weights that come from memory, some lines or one block before they are read.
  void prefetchContraction(const TensorOp &op, const Contraction &contraction, StageSchedule &out) {
    const tensor::Access &access = op.reads[static_cast<size_t>(contraction.vectorOperand)];
    const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(access.buffer)];
    if (buffer.role != tensor::BufferRole::Parameter) return;
    int64_t elements = 1;
    for (const int64_t extent : buffer.shape) elements *= extent;
    if (elements * sizeOf(buffer.dtype) < kFromMemory) return;
    const int64_t near = 2048 / sizeOf(buffer.dtype);
    const int64_t block = reductionPoints(op) * out.lanes * out.registers.back().count;
    std::vector<std::pair<const char *, int64_t>> distances = {
        {"no", 0}, {"2 KiB", near}, {"4 KiB", 2 * near}, {"block", block}};
    int64_t rows = 1;
    for (const int dim : contraction.rowDims) rows *= extent(op, dim);
    if (elements * sizeOf(buffer.dtype) >= kLongFromMemory && rows >= kFewRows) std::swap(distances[0], distances[1]);
    std::vector<std::string> names;
    for (const auto &[name, distance] : distances) names.emplace_back(name);
    const int64_t distance = distances[choices_.unestimated(op.name + ".prefetch", names)].second;
    if (distance > 0) out.prefetches.push_back({buffer.name, distance});
  }

  const Kernel &kernel_;
  const TargetDescription &target_;
  int64_t lanes_;
  Choices &choices_;
};

/// As many lanes as the dim fills, within one block of the results: a group of few channels is a short vector.
int64_t lanesAlong(const Kernel &kernel, const TargetDescription &target, const TensorOp &op, int vector) {
  const int64_t within = lanesWithinBlocks(kernel, op, vector, target.lanes());
  return lanesThatFill(extent(op, vector), within < kFewestLanes ? target.lanes() : within);
}

}  // namespace

void scheduleContraction(const Kernel &kernel, const TargetDescription &target, const TensorOp &op,
                         const Contraction &contraction, Choices &choices, StageSchedule &out) {
  const int64_t lanes = lanesAlong(kernel, target, op, contraction.vectorDim);
  ContractionChooser(kernel, target, lanes, choices).choose(op, contraction, out);
}

}  // namespace hone::schedule
