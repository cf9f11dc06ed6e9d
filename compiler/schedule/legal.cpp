// The rules of schedules, in the order in which they are checked.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "compiler/base/status.h"
#include "compiler/schedule/pieces.h"
#include "compiler/schedule/rules.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/structure.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/rewrite.h"

namespace hone::schedule {
namespace {

using absl::StrCat;
using tensor::DimKind;
using tensor::Kernel;
using tensor::TensorOp;

// Bounds on what one schedule may ask for, so that an edited or imported text cannot make code without end.
constexpr int64_t kMostLanes = 64;
constexpr int64_t kMostUnrolledSteps = 1024;
constexpr int64_t kMostRegisterElements = 256;
constexpr int64_t kMostTupleValues = 1024;
// Blocks of a layout may be padded to whole ones of so many elements.
constexpr int64_t kBlockRounding = 64;
constexpr int64_t kFarthestPrefetch = int64_t{1} << 24;

class Rules {
 public:
  Rules(const Kernel &kernel, const Schedule &schedule, const TargetDescription &target)
      : kernel_(kernel), schedule_(schedule), target_(target) {}

  absl::Status check() const {
    HONE_RETURN_IF_ERROR(stagesMatch());
    for (size_t s = 0; s < schedule_.stages.size(); ++s) {
      HONE_RETURN_IF_ERROR(vector(s));
      HONE_RETURN_IF_ERROR(registers(s));
      HONE_RETURN_IF_ERROR(loops(s));
      HONE_RETURN_IF_ERROR(unroll(s));
      HONE_RETURN_IF_ERROR(attachment(s));
      HONE_RETURN_IF_ERROR(packs(s));
      HONE_RETURN_IF_ERROR(prefetches(s));
      HONE_RETURN_IF_ERROR(stores(s));
    }
    return absl::OkStatus();
  }

 private:
  const TensorOp &op(size_t s) const { return kernel_.stages[s]; }
  const StageSchedule &stage(size_t s) const { return schedule_.stages[s]; }

  template <typename... Args>
  static absl::Status error(const StageSchedule &stage, Rule rule, const Args &...args) {
    return absl::InvalidArgumentError(
        StrCat("schedule of stage '", stage.stage, "': ", absl::Substitute(sentenceOf(rule), args...)));
  }
  /// Of the schedule as a whole.
  template <typename... Args>
  static absl::Status error(Rule rule, const Args &...args) {
    return absl::InvalidArgumentError(absl::Substitute(sentenceOf(rule), args...));
  }

  absl::Status stagesMatch() const {
    if (schedule_.stages.size() != kernel_.stages.size()) {
      return error(Rule::LinePerStage, schedule_.stages.size(), kernel_.name, kernel_.stages.size());
    }
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      if (stage(s).stage != op(s).name) return error(Rule::LinesInOrder, stage(s).stage, op(s).name);
    }
    return absl::OkStatus();
  }

  absl::Status vector(size_t s) const {
    const StageSchedule &line = stage(s);
    if (line.vectorDim.empty()) return absl::OkStatus();
    int dim = dimPosition(op(s), line.vectorDim);
    if (dim < 0) return error(line, Rule::VectorDimExists, line.vectorDim);
    if (line.lanes < 2 || line.lanes > kMostLanes || (line.lanes & (line.lanes - 1)) != 0) {
      return error(line, Rule::LanesFit, line.lanes, kMostLanes);
    }
    if (op(s).dims[static_cast<size_t>(dim)].kind == DimKind::Scan) {
      return error(line, Rule::VectorDimIsNoScan, line.vectorDim);
    }
    const bool isLoaded = tensor::mentionsInsideLoad(op(s), dim);
    return isLoaded ? error(line, Rule::VectorDimIsNotLoaded, line.vectorDim) : absl::OkStatus();
  }

  absl::Status registers(size_t s) const {
    const StageSchedule &line = stage(s);
    std::set<std::string> seen;
    int64_t elements = 1;
    for (const RegisterTile &tile : line.registers) {
      int dim = dimPosition(op(s), tile.dim);
      if (dim < 0) return error(line, Rule::RegisterDimExists, tile.dim);
      if (op(s).dims[static_cast<size_t>(dim)].kind == DimKind::Scan) {
        return error(line, Rule::RegisterDimIsNoScan, tile.dim);
      }
      if (!seen.insert(tile.dim).second) return error(line, Rule::RegisterDimOnce, tile.dim);
      if (tile.count > kMostRegisterElements / elements) {
        return error(line, Rule::RegisterTileFits, tile.dim, tile.count, kMostRegisterElements);
      }
      elements *= tile.count;
    }
    const auto values = static_cast<int64_t>(op(s).body.size());
    if (elements * values > kMostTupleValues) {
      return error(line, Rule::RegisterTuplesFit, elements, values, kMostTupleValues);
    }
    if (!reduces(op(s)) || line.vectorDim.empty()) return absl::OkStatus();
    int64_t needed = elements * registersPerVector(op(s), line.lanes, target_.vectorBytes);
    if (needed > target_.vectorRegisters) {
      return error(line, Rule::VectorRegistersSuffice, needed, target_.vectorRegisters);
    }
    return absl::OkStatus();
  }

  /// One of the three parts of an order.
  struct Section {
    const char *name;
    std::vector<DimKind> kinds;
    const char *kindNames;
  };

  int64_t covered(const StageSchedule &line, const std::string &dim) const {
    int64_t elements = dim == line.vectorDim ? line.lanes : 1;
    for (const RegisterTile &tile : line.registers) {
      if (tile.dim == dim) elements *= tile.count;
    }
    return elements;
  }

  absl::Status section(size_t s, const std::vector<Loop> &loops, const Section &section,
                       std::vector<Loop> &seen) const {
    const StageSchedule &line = stage(s);
    for (const Loop &loop : loops) {
      int dim = dimPosition(op(s), loop.dim);
      if (dim < 0) return error(line, Rule::LoopDimExists, loop.dim);
      const DimKind kind = op(s).dims[static_cast<size_t>(dim)].kind;
      if (std::find(section.kinds.begin(), section.kinds.end(), kind) == section.kinds.end()) {
        return error(line, Rule::LoopKindFits, loop.dim, section.name, section.kindNames);
      }
      int64_t tile = covered(line, loop.dim);
      if (loop.step % tile != 0) return error(line, Rule::StepIsWholeTiles, loop.dim, loop.step, tile);
      for (const Loop &outer : seen) {
        if (outer.dim != loop.dim) continue;
        if (outer.step <= loop.step || outer.step % loop.step != 0) {
          return error(line, Rule::StepsDivide, loop.dim, loop.step, outer.step);
        }
      }
      seen.push_back(loop);
    }
    return absl::OkStatus();
  }

  absl::Status loops(size_t s) const {
    const StageSchedule &line = stage(s);
    std::vector<Loop> seen;
    HONE_RETURN_IF_ERROR(section(s, line.parallel, {"parallel", {DimKind::Parallel}, "parallel"}, seen));
    HONE_RETURN_IF_ERROR(
        section(s, line.tile, {"tile", {DimKind::Parallel, DimKind::Reduction}, "parallel or reduction"}, seen));
    HONE_RETURN_IF_ERROR(section(s, line.reduction, {"reduction", {DimKind::Reduction}, "reduction"}, seen));
    if (!line.parallel.empty() && line.at) {
      return error(line, Rule::AttachedIsNotParallel);
    }
    return scans(op(s)) ? scanLoops(s) : absl::OkStatus();
  }

  // One piece runs all steps of all stages of a scan.
  absl::Status scanLoops(size_t s) const {
    const StageSchedule &line = stage(s);
    for (const Loop &loop : line.parallel) {
      if (!isApartInScan(kernel_, loop.dim)) return error(line, Rule::ScanPiecesAreApart, loop.dim);
    }
    for (size_t other = 0; other < s; ++other) {
      if (!scans(op(other)) || stage(other).parallel == line.parallel) continue;
      return error(line, Rule::ScanPiecesAreTheSame, stage(other).stage);
    }
    return absl::OkStatus();
  }

  absl::Status unroll(size_t s) const {
    const StageSchedule &line = stage(s);
    int64_t steps = 1;
    for (const std::string &name : line.unroll) {
      int dim = dimPosition(op(s), name);
      if (dim < 0 || op(s).dims[static_cast<size_t>(dim)].kind != DimKind::Reduction) {
        return error(line, Rule::UnrollsReductions, name);
      }
      int64_t extent = op(s).dims[static_cast<size_t>(dim)].extent;
      for (const std::vector<Loop> *loops : {&line.tile, &line.reduction}) {
        for (const Loop &loop : *loops) {
          if (loop.dim == name && loop.step > 1) extent = loop.step;
        }
      }
      // What is too much already grows no further, and so never wraps around.
      if (steps <= kMostUnrolledSteps) steps *= extent;
    }
    for (const RegisterTile &tile : line.registers) {
      if (!line.unroll.empty() && steps <= kMostUnrolledSteps) steps *= tile.count;
    }
    if (steps > kMostUnrolledSteps) return error(line, Rule::UnrolledStepsFit, steps, kMostUnrolledSteps);
    return absl::OkStatus();
  }

  // ------------------------------------------------------------------------------------------------- attachments

  size_t position(const std::string &name) const {
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      if (op(s).name == name) return s;
    }
    return kernel_.stages.size();
  }

  bool readsFrom(size_t reader, size_t writer) const {
    for (const tensor::Access &write : op(writer).writes) {
      for (const tensor::Access &read : op(reader).reads) {
        if (read.buffer == write.buffer) return true;
      }
    }
    return false;
  }

  absl::Status attachment(size_t s) const {
    const StageSchedule &line = stage(s);
    if (!line.at) return absl::OkStatus();
    size_t host = position(line.at->stage);
    if (host == kernel_.stages.size() || host == s) {
      return error(line, Rule::HostIsAnotherStage, line.at->stage);
    }
    if (scans(op(s)) || scans(op(host))) return error(line, Rule::ScansAreNotAttached);
    const StageSchedule &hostLine = stage(host);
    auto in = [&](const std::vector<Loop> &loops) {
      return std::find(loops.begin(), loops.end(), line.at->loop) != loops.end();
    };
    if (!in(hostLine.parallel) && !in(hostLine.tile)) {
      return error(line, Rule::HostHasTheLoop, line.at->loop.dim, line.at->loop.step, hostLine.stage);
    }
    return s < host ? producer(s, host) : consumer(s, host);
  }

  // A stage that feeds its host: all its readers are inside the same loop, and it writes temporaries.
  absl::Status producer(size_t s, size_t host) const {
    const StageSchedule &line = stage(s);
    bool read = false;
    for (size_t r = 0; r < kernel_.stages.size(); ++r) {
      if (r == s || !readsFrom(r, s)) continue;
      read = true;
      bool inside = r == host || (r < host && stage(r).at == line.at);
      if (!inside) return error(line, Rule::ReadersAreInside, op(host).name, op(r).name);
    }
    for (const tensor::Access &write : op(s).writes) {
      auto loaded = std::find_if(kernel_.stages.begin(), kernel_.stages.end(),
                                 [&](const TensorOp &other) { return tensor::loads(other, write.buffer); });
      if (loaded == kernel_.stages.end()) continue;
      return error(line, Rule::NothingLoadsFromIt, op(host).name, loaded->name);
    }
    if (!read) return error(line, Rule::HostReadsIt, op(host).name);
    for (size_t w = 0; w < s; ++w) {
      if (readsFrom(s, w) && stage(w).at && stage(w).at != line.at) {
        return error(line, Rule::WriterIsNotElsewhere, op(w).name);
      }
    }
    for (const tensor::Access &write : op(s).writes) {
      const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(write.buffer)];
      if (buffer.role == tensor::BufferRole::Temporary && tensor::isPlain(write)) continue;
      if (!coversHostOnce(s, host)) return error(line, Rule::WrittenByOnePiece, buffer.name, op(host).name);
    }
    return absl::OkStatus();
  }

  // Whether each piece of the host's loops asks for its own part of stage `s`: all their dims are dims of both.
  bool coversHostOnce(size_t s, size_t host) const {
    std::vector<Loop> around = stage(host).parallel;
    around.insert(around.end(), stage(host).tile.begin(), stage(host).tile.end());
    for (const Loop &loop : around) {
      if (dimPosition(op(s), loop.dim) < 0) return false;
      if (loop == stage(s).at->loop) break;
    }
    return true;
  }

  // A stage that reads its host: element by element, at the innermost loop.
  absl::Status consumer(size_t s, size_t host) const {
    const StageSchedule &line = stage(s);
    const StageSchedule &hostLine = stage(host);
    Followers followers;
    for (size_t f = host + 1; f <= s; ++f) {
      if (!stage(f).at || stage(f).at->stage != hostLine.stage) continue;
      auto dims = followedDims(kernel_, static_cast<int>(f), static_cast<int>(host), followers);
      if (dims) followers.emplace(f, *std::move(dims));
    }
    if (!followers.contains(static_cast<int>(s))) {
      return error(line, Rule::FollowsElementByElement, hostLine.stage);
    }
    const Loop &last = hostLine.tile.empty() ? hostLine.parallel.back() : hostLine.tile.back();
    if (!(line.at->loop == last)) {
      return error(line, Rule::FollowsAtTheInnermostLoop, hostLine.stage, last.dim, last.step);
    }
    for (const tensor::Dim &dim : op(host).dims) {
      int64_t left = dim.extent;
      for (const std::vector<Loop> *loops : {&hostLine.parallel, &hostLine.tile}) {
        for (const Loop &loop : *loops) left = loop.dim == dim.name ? loop.step : left;
      }
      if (dim.kind == DimKind::Parallel && left > covered(hostLine, dim.name)) {
        return error(line, Rule::HostEndsWithItsTile, hostLine.stage, left, dim.name, covered(hostLine, dim.name));
      }
    }
    if (!line.vectorDim.empty() || !line.registers.empty() || !line.tile.empty()) {
      return error(line, Rule::FollowerHasNoLoops, hostLine.stage);
    }
    return absl::OkStatus();
  }

  // ------------------------------------------------------------------------------------------------------- packs

  absl::Status packs(size_t s) const {
    const StageSchedule &line = stage(s);
    for (const Pack &pack : line.packs) {
      auto found = std::find_if(kernel_.buffers.begin(), kernel_.buffers.end(),
                                [&](const tensor::Buffer &buffer) { return buffer.name == pack.buffer; });
      if (found == kernel_.buffers.end() || found->role != tensor::BufferRole::Parameter) {
        return error(line, Rule::PacksParameters, pack.buffer);
      }
      if (isGivenBefore(s, pack, &StageSchedule::packs)) return error(line, Rule::PacksOnce, pack.buffer);
      HONE_RETURN_IF_ERROR(layoutFits(line, pack, *found));
    }
    return absl::OkStatus();
  }

  // Whether stage `s` or one before it gives the layout of that buffer, too.
  bool isGivenBefore(size_t s, const Pack &pack, std::vector<Pack> StageSchedule::*packs) const {
    for (size_t earlier = 0; earlier <= s; ++earlier) {
      const std::vector<Pack> &given = stage(earlier).*packs;
      const auto count =
          std::count_if(given.begin(), given.end(), [&](const Pack &other) { return other.buffer == pack.buffer; });
      if (count > (earlier == s ? 1 : 0)) return true;
    }
    return false;
  }

  static absl::Status layoutFits(const StageSchedule &line, const Pack &pack, const tensor::Buffer &buffer) {
    std::set<int> dims;
    for (const tensor::LayoutAxis &axis : pack.layout.axes) dims.insert(axis.dim);
    const bool isComplete =
        dims.size() == buffer.shape.size() && (dims.empty() || *dims.rbegin() + 1 == static_cast<int>(dims.size()));
    if (!isComplete) return error(line, Rule::PackNamesAllDims, pack.buffer, buffer.shape.size());
    for (const tensor::LayoutAxis &axis : pack.layout.axes) {
      const int64_t extent = buffer.shape[static_cast<size_t>(axis.dim)];
      const int64_t most = divideUp(extent, kBlockRounding) * kBlockRounding;
      if (axis.divisor > most)
        return error(line, Rule::LayoutIsNotPadding, pack.buffer, axis.divisor, axis.dim, extent, most);
    }
    return absl::OkStatus();
  }

  absl::Status prefetches(size_t s) const {
    const StageSchedule &line = stage(s);
    std::set<std::string> seen;
    for (const Prefetch &prefetch : line.prefetches) {
      const bool isRead = std::any_of(op(s).reads.begin(), op(s).reads.end(), [&](const tensor::Access &read) {
        const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(read.buffer)];
        return buffer.name == prefetch.buffer && buffer.role == tensor::BufferRole::Parameter;
      });
      if (!isRead) return error(line, Rule::PrefetchesParameters, prefetch.buffer);
      if (!seen.insert(prefetch.buffer).second) return error(line, Rule::PrefetchesOnce, prefetch.buffer);
      if (!reduces(op(s))) return error(line, Rule::PrefetchesInReductions, prefetch.buffer);
      if (prefetch.distance > kFarthestPrefetch)
        return error(line, Rule::PrefetchIsNear, prefetch.buffer, prefetch.distance, kFarthestPrefetch);
    }
    return absl::OkStatus();
  }

  absl::Status stores(size_t s) const {
    const StageSchedule &line = stage(s);
    for (const Pack &store : line.stores) {
      const auto written = std::find_if(op(s).writes.begin(), op(s).writes.end(), [&](const tensor::Access &write) {
        const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(write.buffer)];
        return buffer.name == store.buffer && buffer.role == tensor::BufferRole::Temporary;
      });
      if (written == op(s).writes.end()) return error(line, Rule::StoresTemporaries, store.buffer);
      if (isGivenBefore(s, store, &StageSchedule::stores)) return error(line, Rule::StoresOnce, store.buffer);
      const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(written->buffer)];
      HONE_RETURN_IF_ERROR(layoutFits(line, store, buffer));
    }
    return absl::OkStatus();
  }

  const Kernel &kernel_;
  const Schedule &schedule_;
  const TargetDescription &target_;
};

}  // namespace

absl::Status legal(const Kernel &kernel, const Schedule &schedule, const TargetDescription &target) {
  if (schedule.algorithm == "direct") return Rules(kernel, schedule, target).check();
  const absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(kernel, schedule.algorithm);
  if (!rewrite.ok()) return absl::InvalidArgumentError(StrCat("schedule: ", rewrite.status().message()));
  return Rules(rewrite->kernel, schedule, target).check();
}

Kernel applyPacks(const Kernel &kernel, const Schedule &schedule) {
  Kernel packed = kernel;
  for (const StageSchedule &stage : schedule.stages) {
    std::vector<Pack> layouts = stage.packs;
    layouts.insert(layouts.end(), stage.stores.begin(), stage.stores.end());
    for (const Pack &pack : layouts) {
      for (tensor::Buffer &buffer : packed.buffers) {
        if (buffer.name != pack.buffer) continue;
        buffer.layout = pack.layout;
        std::set<int> seen;
        for (tensor::LayoutAxis &axis : buffer.layout.axes) {
          if (!seen.insert(axis.dim).second) continue;
          int64_t extent = buffer.shape[static_cast<size_t>(axis.dim)];
          axis.extent = (extent + axis.divisor - 1) / axis.divisor;
        }
      }
    }
  }
  return packed;
}

}  // namespace hone::schedule
