// The analytic first choice for sums of products: the register tile, which loops are pieces, the order of the weights.
#include "compiler/schedule/contraction.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "compiler/schedule/pieces.h"
#include "compiler/schedule/register_tile.h"

namespace hone::schedule {
namespace {

using tensor::DimKind;
using tensor::Kernel;
using tensor::TensorOp;

// Vectors are not cut to fewer lanes than this to keep them within blocks.
constexpr int64_t kFewestLanes = 4;

class ContractionChooser {
 public:
  ContractionChooser(const Kernel &kernel, const TargetDescription &target, int64_t lanes)
      : kernel_(kernel), target_(target), lanes_(lanes) {}

  void choose(const TensorOp &op, const Contraction &contraction, StageSchedule &out) const {
    int vector = contraction.vectorDim;
    const std::vector<int> &rows = contraction.rowDims;
    int row = rows.empty() ? -1 : rows.back();
    int outerRow = rows.size() < 2 ? -1 : rows[rows.size() - 2];
    ContractionShape whole;
    whole.vectors = divideUp(extent(op, vector), lanes());
    if (row >= 0) {
      const tensor::Access &read = op.reads[static_cast<size_t>(contraction.rowOperand)];
      whole.rows = extent(op, row);
      whole.rowBytes = laneStride(kernel_, read, row, 2).value_or(0) * bytesOf(read);
    }
    if (outerRow >= 0) whole.outerRows = extent(op, outerRow);
    whole.points = reductionPoints(op);
    whole.registersPerVector = registersPerVector(op, lanes(), target_.vectorBytes);
    RegisterShape shape = chooseRegisterTile(whole, target_);
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanes();
    if (shape.outerRows > 1) out.registers.push_back({nameOf(op, outerRow), shape.outerRows});
    if (row >= 0) out.registers.push_back({nameOf(op, row), shape.rows});
    out.registers.push_back({out.vectorDim, shape.vectors});
    orderContraction(op, contraction, row, shape, out);
    reduceContraction(op, contraction, out);
    packContraction(op, contraction, shape, out);
  }

 private:
  int64_t lanes() const { return lanes_; }

  int64_t bytesOf(const tensor::Access &read) const {
    return sizeOf(kernel_.buffers[static_cast<size_t>(read.buffer)].dtype);
  }

  int64_t bytesOver(const TensorOp &op, int read, const std::vector<int> &without) const {
    int64_t elements = 1;
    for (int dim = 0; dim < static_cast<int>(op.dims.size()); ++dim) {
      bool counted = mentions(op.reads[static_cast<size_t>(read)], dim) &&
                     std::find(without.begin(), without.end(), dim) == without.end();
      if (counted) elements *= extent(op, dim);
    }
    return elements * bytesOf(op.reads[static_cast<size_t>(read)]);
  }

  void orderContraction(const TensorOp &op, const Contraction &contraction, int row, const RegisterShape &shape,
                        StageSchedule &out) const {
    int vector = contraction.vectorDim;
    std::vector<int> batch;
    std::vector<int> rows;
    for (int dim : dimsOfKind(op, DimKind::Parallel)) {
      if (dim == vector || dim == row) continue;
      bool ofRow = std::find(contraction.rowDims.begin(), contraction.rowDims.end(), dim) != contraction.rowDims.end();
      (ofRow ? rows : batch).push_back(dim);
    }
    int64_t width = shape.vectors * lanes();
    int64_t blocks = divideUp(extent(op, vector), width);
    for (int dim : batch) out.parallel.push_back({nameOf(op, dim), 1});
    std::vector<Loop> rowLoops;
    int64_t rowPieces = 1;
    for (int dim : rows) {
      // A tile of several outer rows has a tail, which is peeled from loops inside a piece only.
      if (shape.outerRows > 1 && dim == rows.back()) {
        out.tile.push_back({nameOf(op, dim), shape.outerRows});
        continue;
      }
      rowLoops.push_back({nameOf(op, dim), 1});
      rowPieces *= extent(op, dim);
    }
    for (int dim : batch) rowPieces *= extent(op, dim);
    if (row >= 0) {
      int64_t tiles = divideUp(extent(op, row), shape.rows);
      int64_t chunk = rowChunk(op, shape, tiles, rowPieces * blocks);
      if (chunk < tiles) rowLoops.push_back({nameOf(op, row), chunk * shape.rows});
      // A chunk of one tile is a piece by itself: no loop is left inside.
      if (chunk > 1 || chunk >= tiles) out.tile.push_back({nameOf(op, row), shape.rows});
    }
    // Weights that stay in the cache may be walked again for every piece of the rows; others are read once.
    bool rowsOuter = bytesOver(op, contraction.vectorOperand, batch) <= target_.l2Bytes / 2;
    Loop vectorLoop{out.vectorDim, width};
    if (!rowsOuter) out.parallel.push_back(vectorLoop);
    out.parallel.insert(out.parallel.end(), rowLoops.begin(), rowLoops.end());
    if (rowsOuter) out.parallel.push_back(vectorLoop);
  }

  // Register tiles of the row dim per parallel piece: enough work to be worth a piece, enough pieces to balance.
  int64_t rowChunk(const TensorOp &op, const RegisterShape &shape, int64_t tiles, int64_t otherPieces) const {
    int64_t tileCycles = std::max<int64_t>(1, shape.outerRows * shape.rows * shape.vectors * reductionPoints(op) / 2);
    int64_t chunk = divideUp(kPieceCycles, tileCycles);
    int64_t wanted = divideUp(kPiecesPerCore * target_.cores, otherPieces);
    chunk = std::max(chunk, std::min(tiles, divideUp(tiles, std::max<int64_t>(wanted, 1))));
    return std::min(chunk, std::max<int64_t>(1, divideUp(tiles, wanted)));
  }

  // Reduction dims in order; one that the row operand's layout splits is split in the same way around the others.
  void reduceContraction(const TensorOp &op, const Contraction &contraction, StageSchedule &out) const {
    std::vector<Loop> inner;
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      const tensor::Access &read = op.reads[static_cast<size_t>(contraction.rowOperand)];
      int64_t block = layoutBlock(kernel_, read, dim);
      if (block > 1 && extent(op, dim) > block) out.reduction.push_back({nameOf(op, dim), block});
      if (block > 1 || isWithinBlocks(read, dim)) inner.push_back({nameOf(op, dim), 1});
    }
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      bool isInner =
          std::any_of(inner.begin(), inner.end(), [&](const Loop &loop) { return loop.dim == nameOf(op, dim); });
      if (!isInner) out.reduction.push_back({nameOf(op, dim), 1});
    }
    out.reduction.insert(out.reduction.end(), inner.begin(), inner.end());
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

  const Kernel &kernel_;
  const TargetDescription &target_;
  int64_t lanes_;
};

/// As many lanes as the dim fills, within one block of the results: a group of few channels is a short vector.
int64_t lanesAlong(const Kernel &kernel, const TargetDescription &target, const TensorOp &op, int vector) {
  const int64_t within = lanesWithinBlocks(kernel, op, vector, target.lanes());
  return lanesThatFill(extent(op, vector), within < kFewestLanes ? target.lanes() : within);
}

}  // namespace

void scheduleContraction(const Kernel &kernel, const TargetDescription &target, const TensorOp &op,
                         const Contraction &contraction, StageSchedule &out) {
  const int64_t lanes = lanesAlong(kernel, target, op, contraction.vectorDim);
  ContractionChooser(kernel, target, lanes).choose(op, contraction, out);
}

}  // namespace hone::schedule
