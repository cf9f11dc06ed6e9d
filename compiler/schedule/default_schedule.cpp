// The analytic first choice: which stages share loops, then, for each nest, vector dim, register tile and loop order
// from the structure of its accesses and the target's registers and caches.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "compiler/schedule/pieces.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/structure.h"
#include "compiler/tensor/rewrite.h"

namespace hone::schedule {
namespace {

using tensor::DimKind;
using tensor::Kernel;
using tensor::TensorOp;

// Rows that several stages share are kept in thread scratch up to this many elements.
constexpr int64_t kLongestSharedRow = 1 << 16;
// Reduction loops whose product is at most this are expanded around vectorised parallel dims.
constexpr int64_t kExpandedReduction = 25;

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

class Chooser {
 public:
  Chooser(const Kernel &kernel, const TargetDescription &target) : kernel_(kernel), target_(target) {}

  Schedule run() {
    Schedule schedule;
    for (const TensorOp &op : kernel_.stages) {
      StageSchedule stage;
      stage.stage = op.name;
      schedule.stages.push_back(std::move(stage));
    }
    if (!shareRows(schedule)) followHosts(schedule);
    divideScan(kernel_, target_, schedule);
    return schedule;
  }

 private:
  const TensorOp &stage(size_t i) const { return kernel_.stages[i]; }
  int64_t lanes() const { return target_.lanes(); }
  static int64_t extent(const TensorOp &op, int dim) { return op.dims[static_cast<size_t>(dim)].extent; }
  static const std::string &nameOf(const TensorOp &op, int dim) { return op.dims[static_cast<size_t>(dim)].name; }

  // ------------------------------------------------------------------------------------------- stages in one row

  // Row reductions and what follows them (s = sum over c; out[r, c] reads s[r]): all stages inside the last one's
  // loops over the dims that the reductions keep.
  bool shareRows(Schedule &schedule) const {
    if (kernel_.stages.size() < 2) return false;
    const TensorOp &host = kernel_.stages.back();
    if (reduces(host)) return false;
    std::vector<std::string> rows;
    if (!findRows(host, rows)) return false;
    size_t last = kernel_.stages.size() - 1;
    StageSchedule &outer = schedule.stages[last];
    vectorise(host, outer, rows);
    for (const std::string &row : rows) outer.parallel.push_back({row, 1});
    appendRest(host, outer, rows, outer.tile);
    for (size_t s = 0; s < last; ++s) {
      StageSchedule &inner = schedule.stages[s];
      inner.at = Attachment{host.name, {rows.back(), 1}};
      if (reduces(stage(s))) {
        reduceRow(stage(s), inner);
      } else {
        vectorise(stage(s), inner, rows);
        appendRest(stage(s), inner, {}, inner.tile);
      }
    }
    return true;
  }

  // The dims that every reduction stage keeps, as dims of the host, if all stages fit into loops over them.
  bool findRows(const TensorOp &host, std::vector<std::string> &rows) const {
    bool found = false;
    for (const tensor::Dim &dim : host.dims) rows.push_back(dim.name);
    for (size_t s = 0; s + 1 < kernel_.stages.size(); ++s) {
      const TensorOp &op = stage(s);
      if (scans(op) || op.writes.size() != 1 || !writesPlainDims(op) || !isRead(op.writes[0].buffer)) return false;
      if (kernel_.buffers[static_cast<size_t>(op.writes[0].buffer)].role == tensor::BufferRole::Output && reduces(op))
        return false;
      if (isLoaded(op.writes[0].buffer)) return false;
      if (!reduces(op)) continue;
      found = true;
      std::erase_if(rows, [&](const std::string &row) {
        int dim = dimPosition(op, row);
        return dim < 0 || op.dims[static_cast<size_t>(dim)].kind != DimKind::Parallel;
      });
      // The reduced dims must be the host's, or this is no row that it shares.
      for (int dim : dimsOfKind(op, DimKind::Reduction)) {
        if (dimPosition(host, nameOf(op, dim)) < 0) return false;
      }
    }
    if (!found || rows.empty() || rows.size() == host.dims.size()) return false;
    int64_t elements = 1;
    for (const tensor::Dim &dim : host.dims) {
      if (std::find(rows.begin(), rows.end(), dim.name) == rows.end()) elements *= dim.extent;
    }
    if (elements > kLongestSharedRow) return false;
    return std::all_of(kernel_.stages.begin(), kernel_.stages.end(), [&](const TensorOp &op) {
      return std::all_of(rows.begin(), rows.end(), [&](const std::string &row) { return dimPosition(op, row) >= 0; });
    });
  }

  bool isRead(int buffer) const {
    return std::any_of(kernel_.stages.begin(), kernel_.stages.end(), [&](const TensorOp &op) {
      return std::any_of(op.reads.begin(), op.reads.end(),
                         [&](const tensor::Access &read) { return read.buffer == buffer; });
    });
  }

  bool isLoaded(int buffer) const {
    return std::any_of(kernel_.stages.begin(), kernel_.stages.end(),
                       [&](const TensorOp &op) { return tensor::loads(op, buffer); });
  }

  static bool writesPlainDims(const TensorOp &op) {
    return std::all_of(op.writes[0].indices.begin(), op.writes[0].indices.end(),
                       [](const tensor::Index &index) { return index->kind == tensor::IndexKind::Dim; });
  }

  // ------------------------------------------------------------------------------------------- stage by stage

  void followHosts(Schedule &schedule) const {
    std::vector<int> host(kernel_.stages.size(), -1);
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      for (size_t h = s; h-- > 0 && host[s] < 0;) {
        if (host[h] >= 0) continue;
        std::vector<int> chain;
        for (size_t c = h + 1; c < s; ++c) {
          if (host[c] == static_cast<int>(h)) chain.push_back(static_cast<int>(c));
        }
        if (!canFollow(kernel_, static_cast<int>(s), static_cast<int>(h), chain)) continue;
        host[s] = static_cast<int>(h);
      }
      if (host[s] < 0) {
        scheduleRoot(stage(s), schedule.stages[s]);
        continue;
      }
      const StageSchedule &outer = schedule.stages[static_cast<size_t>(host[s])];
      if (outer.parallel.empty() && outer.tile.empty()) {
        host[s] = -1;
        scheduleRoot(stage(s), schedule.stages[s]);
        continue;
      }
      schedule.stages[s].at = Attachment{outer.stage, outer.tile.empty() ? outer.parallel.back() : outer.tile.back()};
    }
  }

  void scheduleRoot(const TensorOp &op, StageSchedule &out) const {
    if (std::optional<Contraction> contraction = findContraction(kernel_, op, lanes())) {
      contract(op, *contraction, out);
      return;
    }
    if (!reduces(op)) {
      mapElements(op, out);
      return;
    }
    int vector = vectorDimOf(op);
    if (vector >= 0) {
      reduceVectors(op, vector, out);
      return;
    }
    reduceRow(op, out);
    out.parallel = std::move(out.tile);
    out.tile.clear();
  }

  // A parallel dim along which the output and every read that varies is contiguous.
  int vectorDimOf(const TensorOp &op) const {
    int best = -1;
    int64_t bestScore = 0;
    for (int dim : dimsOfKind(op, DimKind::Parallel)) {
      if (extent(op, dim) < 2 || insideLoad(op, dim)) continue;
      std::optional<int64_t> written = outputStride(kernel_, op, dim, lanes());
      if (!written || *written == 0) continue;
      int64_t score = *written == 1 ? 4 : 1;
      for (const tensor::Access &read : op.reads) {
        std::optional<int64_t> step = laneStride(kernel_, read, dim, lanes());
        if (!step)
          score -= 2;
        else if (*step == 1)
          score += 2;
        else if (*step != 0)
          score -= 1;
      }
      if (extent(op, dim) >= lanes()) score += 2;
      if (score > bestScore) {
        bestScore = score;
        best = dim;
      }
    }
    return best;
  }

  static bool insideLoad(const TensorOp &op, int dim) {
    auto inAccess = [&](const tensor::Access &access) {
      return std::any_of(access.indices.begin(), access.indices.end(),
                         [&](const tensor::Index &index) { return mentionsInsideLoad(index, dim); });
    };
    return std::any_of(op.reads.begin(), op.reads.end(), inAccess) ||
           std::any_of(op.writes.begin(), op.writes.end(), inAccess) ||
           std::any_of(op.body.begin(), op.body.end(), [&](const tensor::Scalar &s) { return inBodyLoad(s, dim); });
  }

  static bool inBodyLoad(const tensor::Scalar &scalar, int dim) {
    if (scalar->kind == tensor::ScalarKind::IndexValue) return mentionsInsideLoad(scalar->index, dim);
    return std::any_of(scalar->args.begin(), scalar->args.end(),
                       [&](const tensor::Scalar &arg) { return inBodyLoad(arg, dim); });
  }

  // Vector dim and register tile of a stage without loops over \p rows.
  void vectorise(const TensorOp &op, StageSchedule &out, const std::vector<std::string> &rows) const {
    int vector = vectorDimOf(op);
    if (vector < 0 || std::find(rows.begin(), rows.end(), nameOf(op, vector)) != rows.end()) return;
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanes();
    out.registers = {{out.vectorDim, std::min<int64_t>(2, divideUp(extent(op, vector), lanes()))}};
  }

  // Loops over the parallel dims that are not in \p done, in order, the vector dim's by its tile.
  static void appendRest(const TensorOp &op, const StageSchedule &stage, const std::vector<std::string> &done,
                         std::vector<Loop> &loops) {
    for (int dim : dimsOfKind(op, DimKind::Parallel)) {
      const std::string &name = nameOf(op, dim);
      if (std::find(done.begin(), done.end(), name) != done.end()) continue;
      if (name != stage.vectorDim) loops.push_back({name, 1});
    }
    if (!stage.vectorDim.empty()) loops.push_back({stage.vectorDim, stage.lanes * stage.registers.back().count});
  }

  // No reduction: vectors along memory, pieces of the outer dims in parallel.
  void mapElements(const TensorOp &op, StageSchedule &out) const {
    vectorise(op, out, {});
    std::vector<Loop> loops;
    appendRest(op, out, {}, loops);
    if (loops.empty()) return;
    int64_t outer = 1;
    for (size_t i = 0; i + 1 < loops.size(); ++i) outer *= extent(op, dimPosition(op, loops[i].dim));
    const Loop &inner = loops.back();
    int64_t tiles = divideUp(extent(op, dimPosition(op, inner.dim)), inner.step);
    int64_t wanted = kPiecesPerCore * target_.cores;
    for (size_t i = 0; i + 1 < loops.size(); ++i) out.parallel.push_back(loops[i]);
    int64_t chunk = outer >= wanted ? tiles : divideUp(tiles, divideUp(wanted, outer));
    chunk = std::max(chunk, std::min(tiles, kPieceCycles / 40));
    if (chunk < tiles) out.parallel.push_back({inner.dim, inner.step * chunk});
    out.tile.push_back(inner);
  }

  // A reduction with vectors along a parallel dim (windows per channel, sums over outer dims).
  void reduceVectors(const TensorOp &op, int vector, StageSchedule &out) const {
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanes();
    std::vector<int> parallel = dimsOfKind(op, DimKind::Parallel);
    std::erase(parallel, vector);
    int64_t points = reductionPoints(op);
    int row = parallel.empty() ? -1 : parallel.back();
    int64_t vectors = divideUp(extent(op, vector), lanes());
    int64_t rowCount = row < 0 ? 1 : bestDivisor(extent(op, row), 8);
    int64_t vectorCount = rowCount >= 4 ? 1 : std::min<int64_t>(vectors, 4);
    if (row >= 0) out.registers.push_back({nameOf(op, row), rowCount});
    out.registers.push_back({out.vectorDim, vectorCount});
    for (int dim : parallel) {
      if (dim != row) out.parallel.push_back({nameOf(op, dim), 1});
    }
    // Blocked channels lie outside of rows and columns: walk them in that order.
    Loop vectorLoop{out.vectorDim, lanes() * vectorCount};
    bool blocked = std::any_of(op.reads.begin(), op.reads.end(),
                               [&](const tensor::Access &read) { return layoutBlock(kernel_, read, vector) > 1; });
    size_t at = blocked && !out.parallel.empty() ? out.parallel.size() - 1 : out.parallel.size();
    out.parallel.insert(out.parallel.begin() + static_cast<std::ptrdiff_t>(at), vectorLoop);
    if (row >= 0) out.tile.push_back({nameOf(op, row), rowCount});
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      out.reduction.push_back({nameOf(op, dim), 1});
      if (points <= kExpandedReduction) out.unroll.push_back(nameOf(op, dim));
    }
    packVectors(op, vector, out);
  }

  // Parameters that vary along the vector dim, so that its elements lie side by side.
  void packVectors(const TensorOp &op, int vector, StageSchedule &out) const {
    for (const tensor::Access &read : op.reads) {
      const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(read.buffer)];
      if (buffer.role != tensor::BufferRole::Parameter || laneStride(kernel_, read, vector, lanes()) == 1) continue;
      auto plain = std::find_if(read.indices.begin(), read.indices.end(), [&](const tensor::Index &index) {
        return index->kind == tensor::IndexKind::Dim && index->value == vector;
      });
      if (plain == read.indices.end()) continue;
      auto position = static_cast<int>(plain - read.indices.begin());
      tensor::Layout layout;
      layout.axes.push_back({position, lanes(), 0});
      for (int k = 0; k < static_cast<int>(read.indices.size()); ++k) {
        if (k != position) layout.axes.push_back({k, 1, 0});
      }
      layout.axes.push_back({position, 1, lanes()});
      out.packs.push_back({buffer.name, std::move(layout)});
    }
  }

  // The count of at most `most` elements that wastes least of `size` in a tail.
  static int64_t bestDivisor(int64_t size, int64_t most) {
    int64_t best = 1;
    double bestCost = std::numeric_limits<double>::infinity();
    for (int64_t count = std::min<int64_t>(most, size); count >= 1; --count) {
      double cost = static_cast<double>(divideUp(size, count)) * (1.0 + 0.25 * static_cast<double>(count));
      if (cost < bestCost) {
        bestCost = cost;
        best = count;
      }
    }
    return best;
  }

  // A reduction over contiguous elements: vectors along the innermost reduction dim, several accumulators.
  void reduceRow(const TensorOp &op, StageSchedule &out) const {
    std::vector<int> reduction = dimsOfKind(op, DimKind::Reduction);
    int vector = -1;
    for (int dim : reduction) {
      bool contiguous = !insideLoad(op, dim) && extent(op, dim) >= lanes() &&
                        std::any_of(op.reads.begin(), op.reads.end(), [&](const tensor::Access &read) {
                          return laneStride(kernel_, read, dim, lanes()) == 1;
                        });
      if (contiguous) vector = dim;
    }
    for (int dim : dimsOfKind(op, DimKind::Parallel)) out.tile.push_back({nameOf(op, dim), 1});
    for (int dim : reduction) {
      if (dim != vector) out.reduction.push_back({nameOf(op, dim), 1});
    }
    if (vector < 0) return;
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanes();
    int64_t count = std::min<int64_t>(4, divideUp(extent(op, vector), lanes()));
    out.registers = {{out.vectorDim, count}};
    out.reduction.push_back({out.vectorDim, lanes() * count});
  }

  // ------------------------------------------------------------------------------------------- sums of products

  static int64_t reductionPoints(const TensorOp &op) {
    int64_t points = 1;
    for (int dim : dimsOfKind(op, DimKind::Reduction)) points *= extent(op, dim);
    return points;
  }

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

  void contract(const TensorOp &op, const Contraction &contraction, StageSchedule &out) const {
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
      int64_t block = layoutBlock(kernel_, op.reads[static_cast<size_t>(contraction.rowOperand)], dim);
      if (block > 1 && extent(op, dim) > block) {
        out.reduction.push_back({nameOf(op, dim), block});
        inner.push_back({nameOf(op, dim), 1});
      } else if (block > 1) {
        inner.push_back({nameOf(op, dim), 1});
      }
    }
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      bool isInner =
          std::any_of(inner.begin(), inner.end(), [&](const Loop &loop) { return loop.dim == nameOf(op, dim); });
      if (!isInner) out.reduction.push_back({nameOf(op, dim), 1});
    }
    out.reduction.insert(out.reduction.end(), inner.begin(), inner.end());
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
    bool isPlain = access.indices[static_cast<size_t>(vector)]->kind == tensor::IndexKind::Dim;
    tensor::Layout layout;
    std::vector<bool> placed(access.indices.size(), false);
    placed[static_cast<size_t>(vector)] = true;
    if (isPlain) layout.axes.push_back({vector, width, 0});
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
    for (size_t k = 0; k < placed.size(); ++k) {
      if (!placed[k]) layout.axes.push_back({static_cast<int>(k), 1, 0});
    }
    layout.axes.insert(layout.axes.end(), order.begin(), order.end());
    layout.axes.push_back({vector, 1, isPlain ? width : 0});
    out.packs.push_back({buffer.name, std::move(layout)});
  }

  const Kernel &kernel_;
  const TargetDescription &target_;
};

}  // namespace

Schedule defaultSchedule(const Kernel &kernel, const TargetDescription &target) {
  return Chooser(kernel, target).run();
}

}  // namespace hone::schedule
