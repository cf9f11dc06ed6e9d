// The analytic first choice: which stages share loops, then, for each nest, vector dim, register tile and loop order
// from the structure of its accesses and the target's registers and caches.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "compiler/schedule/contraction.h"
#include "compiler/schedule/pieces.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/structure.h"
#include "compiler/schedule/winograd_schedule.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/rewrite.h"

namespace hone::schedule {
namespace {

using tensor::DimKind;
using tensor::Kernel;
using tensor::TensorOp;

// Rows that several stages share are kept in thread scratch up to this many elements.
constexpr int64_t kLongestSharedRow = 1 << 16;
// Where reads run across writes, a piece is this long along what the vectors cross: as many cache lines, and a few
// pages.
constexpr int64_t kCrossedPiece = 64;
// Reduction loops whose product is at most this are expanded around vectorised parallel dims.
constexpr int64_t kExpandedReduction = 25;

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
    packOnce(schedule);
    divideScan(kernel_, target_, schedule);
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
      scheduleContraction(kernel_, target_, op, *contraction, out);
      return;
    }
    if (!reduces(op)) {
      mapElements(op, out);
      return;
    }
    int vector = vectorDimOf(op);
    // Vectors of neighbours in memory, folded at the end, rather than lanes that are gathered for every step.
    bool rowIsBetter = vector >= 0 && crossedBy(op, vector, DimKind::Reduction) >= 0 && contiguousReduction(op) >= 0;
    if (vector >= 0 && !rowIsBetter) {
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
        if (isStrided && !insideLoad(op, dim) && laneStride(kernel_, read, dim, 2) == 1) return dim;
      }
      if (kind == DimKind::Reduction) continue;
      if (outputStride(kernel_, op, vector, lanes()) != 1 && outputStride(kernel_, op, dim, 2) == 1) return dim;
    }
    return -1;
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
    out.lanes = lanesThatFill(extent(op, vector), lanes());
    out.registers = {{out.vectorDim, std::min<int64_t>(2, divideUp(extent(op, vector), out.lanes))}};
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
    int crossed = out.vectorDim.empty() ? -1 : crossedBy(op, dimPosition(op, out.vectorDim), DimKind::Parallel);
    if (crossed >= 0) {
      mapAcross(op, crossed, out);
      return;
    }
    std::vector<Loop> loops;
    appendRest(op, out, {}, loops);
    if (loops.empty()) return;
    int64_t outer = 1;
    for (size_t i = 0; i + 1 < loops.size(); ++i) outer *= extent(op, dimPosition(op, loops[i].dim));
    const Loop &inner = loops.back();
    int64_t tiles = divideUp(extent(op, dimPosition(op, inner.dim)), inner.step);
    int64_t wanted = kPiecesPerCore * target_.cores;
    // Pieces enough to balance, and no more: loops inside a piece step where pieces divide to find their place.
    int64_t pieces = 1;
    size_t shared = 0;
    while (shared + 1 < loops.size() && pieces < wanted) pieces *= extent(op, dimPosition(op, loops[shared++].dim));
    for (size_t i = 0; i + 1 < loops.size(); ++i) (i < shared ? out.parallel : out.tile).push_back(loops[i]);
    if (shared + 1 < loops.size()) {
      out.tile.push_back(inner);
      return;
    }
    int64_t chunk = outer >= wanted ? tiles : divideUp(tiles, divideUp(wanted, outer));
    chunk = std::max(chunk, std::min(tiles, kPieceCycles / 40));
    if (chunk < tiles) out.parallel.push_back({inner.dim, inner.step * chunk});
    out.tile.push_back(inner);
  }

  // A transposition: square blocks, so that every cache line that vectors step over is used up while it is there.
  void mapAcross(const TensorOp &op, int crossed, StageSchedule &out) const {
    out.registers = {{out.vectorDim, 1}};
    for (int dim : dimsOfKind(op, DimKind::Parallel)) {
      if (dim != crossed && nameOf(op, dim) != out.vectorDim) out.parallel.push_back({nameOf(op, dim), 1});
    }
    bool cutsCrossed = extent(op, crossed) > kCrossedPiece;
    if (cutsCrossed) {
      out.parallel.push_back({nameOf(op, crossed), kCrossedPiece});
    } else {
      out.parallel.push_back({out.vectorDim, divideUp(kPieceCycles / 16, lanes()) * lanes()});
    }
    out.tile = {{out.vectorDim, out.lanes}, {nameOf(op, crossed), 1}};
  }

  // A reduction with vectors along a parallel dim (windows per channel, sums over outer dims).
  void reduceVectors(const TensorOp &op, int vector, StageSchedule &out) const {
    out.vectorDim = nameOf(op, vector);
    out.lanes = lanesThatFill(extent(op, vector), lanes());
    std::vector<int> parallel = dimsOfKind(op, DimKind::Parallel);
    std::erase(parallel, vector);
    int64_t points = reductionPoints(op);
    int row = parallel.empty() ? -1 : parallel.back();
    int64_t vectors = divideUp(extent(op, vector), out.lanes);
    int64_t wide = registersPerVector(op, lanes(), target_.vectorBytes);
    int64_t rowCount = row < 0 ? 1 : bestDivisor(extent(op, row), 8 / wide);
    int64_t vectorCount = rowCount >= 4 ? 1 : std::min<int64_t>({vectors, 4, 12 / (rowCount * wide)});
    if (row >= 0) out.registers.push_back({nameOf(op, row), rowCount});
    out.registers.push_back({out.vectorDim, vectorCount});
    for (int dim : parallel) {
      if (dim != row) out.parallel.push_back({nameOf(op, dim), 1});
    }
    // Blocked channels lie outside of rows and columns: walk them in that order.
    Loop vectorLoop{out.vectorDim, out.lanes * vectorCount};
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

  // Parameters that vary along the vector dim, so that its elements lie side by side. One that is read in several ways
  // is packed for the first.
  void packVectors(const TensorOp &op, int vector, StageSchedule &out) const {
    for (const tensor::Access &read : op.reads) {
      const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(read.buffer)];
      if (buffer.role != tensor::BufferRole::Parameter || laneStride(kernel_, read, vector, out.lanes) == 1) continue;
      const bool isPacked =
          std::any_of(out.packs.begin(), out.packs.end(), [&](const Pack &pack) { return pack.buffer == buffer.name; });
      if (isPacked) continue;
      auto plain = std::find_if(read.indices.begin(), read.indices.end(), [&](const tensor::Index &index) {
        return index->kind == tensor::IndexKind::Dim && index->value == vector;
      });
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

  // The innermost reduction dim that lies in memory and fills a vector; -1: there is none.
  int contiguousReduction(const TensorOp &op) const {
    int found = -1;
    for (int dim : dimsOfKind(op, DimKind::Reduction)) {
      bool contiguous = !insideLoad(op, dim) && extent(op, dim) >= lanes() &&
                        std::any_of(op.reads.begin(), op.reads.end(), [&](const tensor::Access &read) {
                          return laneStride(kernel_, read, dim, lanes()) == 1;
                        });
      if (contiguous) found = dim;
    }
    return found;
  }

  // A reduction over contiguous elements: vectors along the innermost reduction dim, several accumulators.
  void reduceRow(const TensorOp &op, StageSchedule &out) const {
    std::vector<int> reduction = dimsOfKind(op, DimKind::Reduction);
    int vector = contiguousReduction(op);
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

  const Kernel &kernel_;
  const TargetDescription &target_;
};

}  // namespace

Schedule defaultSchedule(const Kernel &kernel, const TargetDescription &target) {
  return Chooser(kernel, target).run();
}

Schedule defaultSchedule(const Kernel &kernel, const TargetDescription &target, std::string_view algorithm) {
  const absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(kernel, algorithm);
  assert(rewrite.ok() && "the caller knows that the algorithm fits");
  Schedule schedule = Chooser(rewrite->kernel, target).run();
  schedule.algorithm = std::string(algorithm);
  if (!algorithm.starts_with("winograd")) return schedule;
  const auto products = static_cast<size_t>(rewrite->derivedReader());
  for (size_t s = products - 1; s <= products + 1; ++s) {
    schedule.stages[s] = {};
    schedule.stages[s].stage = rewrite->kernel.stages[s].name;
  }
  scheduleWinograd(rewrite->kernel, target, products - 1, schedule);
  return schedule;
}

}  // namespace hone::schedule
