#include "compiler/schedule/expand.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/pieces.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/structure.h"
#include "compiler/schedule/winograd_schedule.h"
#include "compiler/tensor/rewrite.h"

namespace hone::schedule {
namespace {

using tensor::DimKind;
using tensor::Kernel;
using tensor::TensorOp;

// Accumulators of a reduction over contiguous elements, and vectors of a map: what hides the latency of operations.
constexpr std::array<int64_t, 4> kVectorCounts = {4, 1, 2, 8};
// Rows that several stages share are kept in thread scratch up to this many elements.
constexpr int64_t kLongestSharedRow = 1 << 16;
// Where reads run across writes, a piece is this long along what the vectors cross: as many cache lines, and a few
// pages.
constexpr int64_t kCrossedPiece = 64;
constexpr int64_t kCrossedVectors = 1024;
// Reduction loops whose product is at most this are expanded around vectorised parallel dims.
constexpr int64_t kExpandedReduction = 25;

class Expander {
 public:
  /// \p transforms: the first of the three stages of a convolution by Winograd's algorithm; -1: there are none.
  Expander(const Kernel &kernel, const TargetDescription &target, int transforms, Choices &choices)
      : kernel_(kernel), target_(target), transforms_(transforms), choices_(choices) {}

  Schedule run() {
    Schedule schedule;
    for (const TensorOp &op : kernel_.stages) {
      StageSchedule stage;
      stage.stage = op.name;
      schedule.stages.push_back(std::move(stage));
    }
    if (!shareRows(schedule)) followHosts(schedule);
    packOnce(schedule);
    divideScan(kernel_, target_, choices_, schedule);
    return schedule;
  }

 private:
  const TensorOp &stage(size_t i) const { return kernel_.stages[i]; }
  int64_t lanes() const { return target_.lanes(); }

  // A parameter that several stages want packed lies as the first of them wants it.
  static void packOnce(Schedule &schedule) {
    std::set<std::string> packed;
    for (StageSchedule &stage : schedule.stages)
      std::erase_if(stage.packs, [&packed](const Pack &pack) { return !packed.insert(pack.buffer).second; });
  }

  // ------------------------------------------------------------------------------------------- stages in one row

  // Row reductions and what follows them (s = sum over c; out[r, c] reads s[r]): all stages inside the last one's
  // loops over the dims that the reductions keep.
  bool shareRows(Schedule &schedule) {
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

  void followHosts(Schedule &schedule) {
    std::vector<int> host(kernel_.stages.size(), -1);
    std::vector<Followers> followers(kernel_.stages.size());
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      if (static_cast<int>(s) == transforms_) {
        scheduleWinograd(kernel_, target_, s, choices_, schedule);
        s += 2;
        continue;
      }
      std::optional<std::vector<int>> dims;
      for (size_t h = s; h-- > 0 && host[s] < 0;) {
        if (host[h] >= 0) continue;
        dims = followedDims(kernel_, static_cast<int>(s), static_cast<int>(h), followers[h]);
        if (dims) host[s] = static_cast<int>(h);
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
      followers[static_cast<size_t>(host[s])].emplace(s, *std::move(dims));
      schedule.stages[s].at = Attachment{outer.stage, outer.tile.empty() ? outer.parallel.back() : outer.tile.back()};
    }
  }

  void scheduleRoot(const TensorOp &op, StageSchedule &out) {
    if (std::optional<Contraction> contraction = findContraction(kernel_, op, lanes())) {
      scheduleContraction(kernel_, target_, op, *contraction, choices_, out);
      return;
    }
    if (!reduces(op)) {
      mapElements(op, out);
      return;
    }
    const int vector = vectorDimOf(op);
    const bool hasBoth = vector >= 0 && contiguousReduction(op) >= 0;
    const bool alongRow = hasBoth ? choices_.form(op.name + ".vectors", {"across", "along"}) == 1 : vector < 0;
    if (!alongRow) {
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
      if (extent(op, dim) < 2 || tensor::mentionsInsideLoad(op, dim)) continue;
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
      // Of two equals the one that stores whole vectors: loads in flight are more than stores.
      if (score > bestScore || (score == bestScore && *written == 1)) {
        bestScore = score;
        best = dim;
      }
    }
    return best;
  }

  // A dim of this kind along which lies in memory what vectors along \p vector step over; -1: there is none.
  int crossedBy(const TensorOp &op, int vector, DimKind kind) const {
    for (int dim : dimsOfKind(op, kind)) {
      if (dim == vector || extent(op, dim) < 2) continue;
      for (const tensor::Access &read : op.reads) {
        std::optional<int64_t> step = laneStride(kernel_, read, vector, lanes());
        bool isStrided = step && *step != 0 && *step != 1;
        if (isStrided && !tensor::mentionsInsideLoad(op, dim) && laneStride(kernel_, read, dim, 2) == 1) return dim;
      }
      if (kind == DimKind::Reduction) continue;
      if (outputStride(kernel_, op, vector, lanes()) != 1 && outputStride(kernel_, op, dim, 2) == 1) return dim;
    }
    return -1;
  }

  // Vector dim and register tile of a stage without loops over \p rows.
  void vectorise(const TensorOp &op, StageSchedule &out, const std::vector<std::string> &rows) {
    int vector = vectorDimOf(op);
    if (vector < 0 || std::find(rows.begin(), rows.end(), nameOf(op, vector)) != rows.end()) return;
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanesThatFill(extent(op, vector), lanes());
    out.registers = {{out.vectorDim, vectorCount(op, vector, out.lanes)}};
  }

  // As many vectors at a time as there are, at most.
  int64_t vectorCount(const TensorOp &op, int vector, int64_t lanes) {
    std::vector<std::string> names;
    for (const int64_t count : kVectorCounts) names.push_back(std::to_string(count));
    return std::min(kVectorCounts[choices_.knob(op.name + ".vectors", names)], divideUp(extent(op, vector), lanes));
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
  void mapElements(const TensorOp &op, StageSchedule &out) {
    const int vector = vectorDimOf(op);
    const int crossed = vector < 0 ? -1 : crossedBy(op, vector, DimKind::Parallel);
    if (crossed >= 0 && choices_.form(op.name + ".blocks", {"no", "square"}) == 1) {
      mapAcross(op, vector, crossed, out);
      return;
    }
    vectorise(op, out, {});
    const int64_t wanted = kPieces[choices_.knob(op.name + ".pieces", pieceNames())] * target_.cores;
    std::vector<Loop> loops;
    appendRest(op, out, {}, loops);
    if (loops.empty()) return;
    const Loop inner = loops.back();
    const int64_t tiles = divideUp(extent(op, dimPosition(op, inner.dim)), inner.step);
    // Pieces enough to balance, and no more: loops inside a piece step where pieces divide to find their place.
    int64_t pieces = 1;
    size_t shared = 0;
    while (shared + 1 < loops.size() && pieces < wanted) pieces *= extent(op, dimPosition(op, loops[shared++].dim));
    for (size_t i = 0; i + 1 < loops.size(); ++i) (i < shared ? out.parallel : out.tile).push_back(loops[i]);
    if (shared + 1 == loops.size()) {
      const int64_t chunk = divideUp(tiles, std::min(tiles, divideUp(wanted, pieces)));
      if (chunk < tiles) out.parallel.push_back({inner.dim, inner.step * chunk});
      if (chunk == 1 && chunk < tiles) return;
    }
    out.tile.push_back(inner);
  }

  // A transposition: square blocks, so that every cache line that vectors step over is used up while it is there.
  void mapAcross(const TensorOp &op, int vector, int crossed, StageSchedule &out) {
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanes();
    out.registers = {{out.vectorDim, 1}};
    for (int dim : dimsOfKind(op, DimKind::Parallel)) {
      if (dim != crossed && dim != vector) out.parallel.push_back({nameOf(op, dim), 1});
    }
    if (extent(op, crossed) > kCrossedPiece) {
      out.parallel.push_back({nameOf(op, crossed), kCrossedPiece});
    } else {
      out.parallel.push_back({out.vectorDim, divideUp(kCrossedVectors, lanes()) * lanes()});
    }
    out.tile = {{out.vectorDim, out.lanes}, {nameOf(op, crossed), 1}};
  }

  // A reduction with vectors along a parallel dim (windows per channel, sums over outer dims).
  void reduceVectors(const TensorOp &op, int vector, StageSchedule &out) {
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanesThatFill(extent(op, vector), lanes());
    std::vector<int> parallel = dimsOfKind(op, DimKind::Parallel);
    std::erase(parallel, vector);
    const int row = parallel.empty() ? -1 : parallel.back();
    const RegisterShape shape = chooseSums(op, vector, row, out.lanes);
    if (row >= 0) out.registers.push_back({nameOf(op, row), shape.rows});
    out.registers.push_back({out.vectorDim, shape.vectors});
    for (int dim : parallel) {
      if (dim != row) out.parallel.push_back({nameOf(op, dim), 1});
    }
    // Blocked channels lie outside of rows and columns: walk them in that order.
    Loop vectorLoop{out.vectorDim, out.lanes * shape.vectors};
    bool blocked = std::any_of(op.reads.begin(), op.reads.end(),
                               [&](const tensor::Access &read) { return layoutBlock(kernel_, read, vector) > 1; });
    size_t at = blocked && !out.parallel.empty() ? out.parallel.size() - 1 : out.parallel.size();
    out.parallel.insert(out.parallel.begin() + static_cast<std::ptrdiff_t>(at), vectorLoop);
    if (row >= 0) out.tile.push_back({nameOf(op, row), shape.rows});
    const bool canUnroll = reductionPoints(op) <= kExpandedReduction;
    const bool unrolls = canUnroll && choices_.knob(op.name + ".unroll", {"all", "no"}) == 0;
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      out.reduction.push_back({nameOf(op, dim), 1});
      if (unrolls) out.unroll.push_back(nameOf(op, dim));
    }
    packVectors(op, vector, out);
  }

  // Rows by vectors that are summed at a time.
  RegisterShape chooseSums(const TensorOp &op, int vector, int row, int64_t lanes) {
    ContractionShape whole;
    whole.vectors = divideUp(extent(op, vector), lanes);
    whole.rows = row < 0 ? 1 : std::min<int64_t>(extent(op, row), 8);
    whole.registersPerVector = registersPerVector(op, lanes, target_.vectorBytes);
    std::vector<RegisterShape> tiles = registerTiles(whole, target_);
    std::erase_if(tiles, [](const RegisterShape &tile) { return tile.rows * tile.vectors > 16; });
    std::vector<std::string> names;
    for (const RegisterShape &tile : tiles) names.push_back(absl::StrCat(tile.rows, "x", tile.vectors));
    return tiles[choices_.knob(op.name + ".registers", names)];
  }

  // Parameters that vary along the vector dim, so that its elements lie side by side. One that is read in several ways
  // is packed for the first.
  void packVectors(const TensorOp &op, int vector, StageSchedule &out) const {
    for (const tensor::Access &read : op.reads) {
      const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(read.buffer)];
      if (buffer.role != tensor::BufferRole::Parameter || laneStride(kernel_, read, vector, out.lanes) == 1) continue;
      const bool isPacked =
          std::any_of(out.packs.begin(), out.packs.end(), [&](const Pack &pack) { return pack.buffer == buffer.name; });
      if (isPacked) continue;
      auto plain = std::find_if(read.indices.begin(), read.indices.end(),
                                [&](const tensor::Index &index) { return tensor::isDim(index, vector); });
      if (plain == read.indices.end()) continue;
      auto position = static_cast<int>(plain - read.indices.begin());
      tensor::Layout layout;
      layout.axes.push_back({position, out.lanes, 0});
      for (int k = 0; k < static_cast<int>(read.indices.size()); ++k) {
        if (k != position) layout.axes.push_back({k, 1, 0});
      }
      layout.axes.push_back({position, 1, out.lanes});
      out.packs.push_back({buffer.name, std::move(layout)});
    }
  }

  // The innermost reduction dim that lies in memory and fills a vector; -1: there is none.
  int contiguousReduction(const TensorOp &op) const {
    int found = -1;
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      bool contiguous = !tensor::mentionsInsideLoad(op, dim) && extent(op, dim) >= lanes() &&
                        std::any_of(op.reads.begin(), op.reads.end(), [&](const tensor::Access &read) {
                          return laneStride(kernel_, read, dim, lanes()) == 1;
                        });
      if (contiguous) found = dim;
    }
    return found;
  }

  // A reduction over contiguous elements: vectors along the innermost reduction dim, several accumulators.
  void reduceRow(const TensorOp &op, StageSchedule &out) {
    std::vector<int> reduction = dimsOfKind(op, DimKind::Reduction);
    int vector = contiguousReduction(op);
    for (int dim : dimsOfKind(op, DimKind::Parallel)) out.tile.push_back({nameOf(op, dim), 1});
    for (int dim : reduction) {
      if (dim != vector) out.reduction.push_back({nameOf(op, dim), 1});
    }
    if (vector < 0) return;
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanes();
    const int64_t count = vectorCount(op, vector, lanes());
    out.registers = {{out.vectorDim, count}};
    out.reduction.push_back({out.vectorDim, lanes() * count});
  }

  const Kernel &kernel_;
  const TargetDescription &target_;
  const int transforms_;
  Choices &choices_;
};

}  // namespace

Schedule expandKernel(const tensor::Rewrite &rewrite, const TargetDescription &target, const std::string &algorithm,
                      Choices &choices) {
  const int transforms = algorithm.starts_with("winograd") ? rewrite.derivedReader() - 1 : -1;
  Schedule schedule = Expander(rewrite.kernel, target, transforms, choices).run();
  schedule.algorithm = algorithm;
  return schedule;
}

}  // namespace hone::schedule
