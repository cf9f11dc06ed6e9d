#include "tests/support/random_schedule.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/schedule/space.h"
#include "compiler/tensor/algorithms.h"
#include "tests/support/random.h"

namespace hone::testing {
namespace {

using schedule::Loop;
using schedule::Schedule;
using schedule::StageSchedule;
using tensor::DimKind;
using tensor::Kernel;
using tensor::TensorOp;

// One that may not fit.
std::string randomAlgorithm(const Kernel &kernel, Random &random) {
  const TensorOp &op =
      kernel.stages[static_cast<size_t>(random.between(0, static_cast<int64_t>(kernel.stages.size()) - 1))];
  std::vector<std::string> reduced;
  for (const tensor::Dim &dim : op.dims)
    if (dim.kind == DimKind::Reduction) reduced.push_back(dim.name);
  if (reduced.empty() || random.chance(50)) return random.chance(50) ? "winograd 2 3" : "winograd 4 3";
  const std::string &dim = reduced[static_cast<size_t>(random.between(0, static_cast<int64_t>(reduced.size()) - 1))];
  return absl::StrCat("split ", op.name, " ", dim, " ", random.between(2, 9));
}

constexpr int kTries = 4;                // proposals per field before it is left as it is
constexpr int64_t kMostElements = 4096;  // of register tile, lanes and expanded reductions together: compile time

class Generator {
 public:
  Generator(const Kernel &kernel, const TargetDescription &target, uint64_t seed)
      : kernel_(kernel), target_(target), random_(seed) {}

  Schedule run() {
    for (const TensorOp &op : kernel_.stages) {
      StageSchedule stage;
      stage.stage = op.name;
      schedule_.stages.push_back(std::move(stage));
    }
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      const TensorOp &op = kernel_.stages[s];
      propose(80, [&](Schedule &next) { vector(op, next.stages[s]); });
      propose(70, [&](Schedule &next) { registers(op, next.stages[s]); });
      propose(85, [&](Schedule &next) { spatialLoops(op, next.stages[s]); });
      propose(80, [&](Schedule &next) { reductionLoops(op, next.stages[s]); });
      propose(50, [&](Schedule &next) { unroll(op, next.stages[s]); });
    }
    propose(70, [&](Schedule &next) { divideScan(next); });
    attachConsumers();
    attachProducers();
    for (const tensor::Buffer &buffer : kernel_.buffers) {
      if (buffer.role == tensor::BufferRole::Parameter) propose(70, [&](Schedule &next) { pack(buffer, next); });
      if (buffer.role == tensor::BufferRole::Temporary) propose(60, [&](Schedule &next) { store(buffer, next); });
    }
    for (size_t s = 0; s < kernel_.stages.size(); ++s) propose(60, [&](Schedule &next) { prefetch(s, next); });
    return schedule_;
  }

 private:
  template <typename Change>
  bool propose(int percent, const Change &change) {
    if (!random_.chance(percent)) return false;
    for (int i = 0; i < kTries; ++i) {
      Schedule next = schedule_;
      change(next);
      if (!isSmall(next) || !schedule::legal(kernel_, next, target_).ok()) continue;
      schedule_ = std::move(next);
      return true;
    }
    return false;
  }

  bool isSmall(const Schedule &next) const {
    for (size_t s = 0; s < next.stages.size(); ++s) {
      const StageSchedule &stage = next.stages[s];
      int64_t elements = stage.vectorDim.empty() ? 1 : stage.lanes;
      for (const schedule::RegisterTile &tile : stage.registers) elements *= tile.count;
      for (const tensor::Dim &dim : kernel_.stages[s].dims) {
        if (std::find(stage.unroll.begin(), stage.unroll.end(), dim.name) != stage.unroll.end()) elements *= dim.extent;
      }
      if (elements > kMostElements) return false;
    }
    return true;
  }

  std::vector<tensor::Dim> dims(const TensorOp &op, bool parallel, bool reduction) {
    std::vector<tensor::Dim> found;
    for (const tensor::Dim &dim : op.dims) {
      if ((dim.kind == DimKind::Parallel && parallel) || (dim.kind == DimKind::Reduction && reduction))
        found.push_back(dim);
    }
    for (size_t i = found.size(); i > 1; --i) {
      std::swap(found[i - 1], found[static_cast<size_t>(random_.between(0, static_cast<int64_t>(i) - 1))]);
    }
    return found;
  }

  void vector(const TensorOp &op, StageSchedule &stage) {
    const bool reduction = random_.chance(45);
    std::vector<tensor::Dim> found = dims(op, !reduction, reduction);
    if (found.empty()) found = dims(op, true, true);
    if (found.empty()) return;
    stage.vectorDim = found[0].name;
    stage.lanes = int64_t{1} << random_.between(1, 5);
  }

  void registers(const TensorOp &op, StageSchedule &stage) {
    stage.registers.clear();
    for (const tensor::Dim &dim : dims(op, true, true)) {
      if (random_.chance(45)) stage.registers.push_back({dim.name, random_.between(1, random_.chance(70) ? 4 : 9)});
    }
  }

  static int64_t covered(const StageSchedule &stage, const std::string &dim) {
    int64_t elements = dim == stage.vectorDim ? stage.lanes : 1;
    for (const schedule::RegisterTile &tile : stage.registers) {
      if (tile.dim == dim) elements *= tile.count;
    }
    return elements;
  }

  // Loops over one dim, outermost first; \p finish: down to the register tile.
  std::vector<Loop> chain(const StageSchedule &stage, const std::string &dim, bool finish) {
    std::vector<Loop> loops;
    int64_t step = covered(stage, dim);
    if (finish || random_.chance(50)) loops.push_back({dim, step});
    for (int i = 0; i < 2 && random_.chance(35); ++i) {
      step *= random_.between(2, 4);
      loops.insert(loops.begin(), {dim, step});
    }
    return loops;
  }

  // One order of all chains' loops that keeps the order within each.
  std::vector<Loop> interleaved(std::vector<std::vector<Loop>> chains) {
    std::vector<Loop> loops;
    std::erase_if(chains, [](const std::vector<Loop> &chain) { return chain.empty(); });
    while (!chains.empty()) {
      auto &chain = chains[static_cast<size_t>(random_.between(0, static_cast<int64_t>(chains.size()) - 1))];
      loops.push_back(chain.front());
      chain.erase(chain.begin());
      std::erase_if(chains, [](const std::vector<Loop> &rest) { return rest.empty(); });
    }
    return loops;
  }

  std::vector<Loop> someLoops(const TensorOp &op, const StageSchedule &stage, bool reduction) {
    const bool finish = random_.chance(60);
    std::vector<std::vector<Loop>> chains;
    for (const tensor::Dim &dim : dims(op, !reduction, reduction)) chains.push_back(chain(stage, dim.name, finish));
    return interleaved(std::move(chains));
  }

  void spatialLoops(const TensorOp &op, StageSchedule &stage) {
    std::vector<Loop> loops = someLoops(op, stage, false);
    const int64_t split = random_.between(0, static_cast<int64_t>(loops.size()));
    stage.parallel.assign(loops.begin(), loops.begin() + split);
    stage.tile.assign(loops.begin() + split, loops.end());
    if (scans(op)) {
      stage.tile = std::move(loops);
      stage.parallel.clear();
    }
    if (random_.chance(40)) cutReductions(op, stage);
  }

  // Blocks of reduction dims around some of the tile loops.
  void cutReductions(const TensorOp &op, StageSchedule &stage) {
    for (const tensor::Dim &dim : dims(op, false, true)) {
      if (random_.chance(40)) continue;
      const Loop block{dim.name, covered(stage, dim.name) * random_.between(1, 4)};
      stage.tile.insert(stage.tile.begin() + random_.between(0, std::ssize(stage.tile)), block);
    }
  }

  static bool scans(const TensorOp &op) {
    return std::any_of(op.dims.begin(), op.dims.end(),
                       [](const tensor::Dim &dim) { return dim.kind == DimKind::Scan; });
  }

  // One parallel loop for all stages of the scan, around what they have of its dim.
  void divideScan(Schedule &next) {
    const auto first = std::find_if(kernel_.stages.begin(), kernel_.stages.end(), scans);
    if (first == kernel_.stages.end()) return;
    const std::vector<tensor::Dim> open = dims(*first, true, false);
    if (open.empty()) return;
    const std::string dim = open[static_cast<size_t>(random_.between(0, std::ssize(open) - 1))].name;
    int64_t step = 1;
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      if (!scans(kernel_.stages[s])) continue;
      const StageSchedule &stage = next.stages[s];
      step = std::lcm(step, dim == stage.vectorDim ? stage.lanes : 1);
      for (const schedule::RegisterTile &tile : stage.registers)
        step = std::lcm(step, dim == tile.dim ? tile.count : 1);
      for (const Loop &loop : stage.tile) step = std::lcm(step, dim == loop.dim ? loop.step : 1);
    }
    step *= random_.between(1, 2);
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      if (!scans(kernel_.stages[s])) continue;
      std::erase(next.stages[s].tile, Loop{dim, step});
      next.stages[s].parallel = {{dim, step}};
    }
  }

  void reductionLoops(const TensorOp &op, StageSchedule &stage) { stage.reduction = someLoops(op, stage, true); }

  void unroll(const TensorOp &op, StageSchedule &stage) {
    stage.unroll.clear();
    for (const tensor::Dim &dim : dims(op, false, true)) {
      if (random_.chance(60)) stage.unroll.push_back(dim.name);
    }
  }

  // Stages computed in the registers of one before them.
  void attachConsumers() {
    for (size_t s = 1; s < kernel_.stages.size(); ++s) {
      for (size_t host = s; host-- > 0;) {
        const StageSchedule &outer = schedule_.stages[host];
        if (outer.at || (outer.parallel.empty() && outer.tile.empty())) continue;
        if (propose(75, [&](Schedule &next) { attach(next, s, host, innermost(outer), true); })) break;
      }
    }
  }

  // Stages computed inside a loop of one that reads them; from the last, so that chains of them share a loop.
  void attachProducers() {
    for (size_t s = kernel_.stages.size(); s-- > 0;) {
      if (schedule_.stages[s].at) continue;
      for (size_t host = s + 1; host < kernel_.stages.size(); ++host) {
        const StageSchedule &outer = schedule_.stages[host];
        std::vector<Loop> loops = outer.parallel;
        loops.insert(loops.end(), outer.tile.begin(), outer.tile.end());
        if (loops.empty()) continue;
        auto random = [&](Schedule &next) {
          const auto last = static_cast<int64_t>(loops.size()) - 1;
          attach(next, s, host, loops[static_cast<size_t>(random_.between(0, last))], false);
        };
        if (propose(75, random)) break;
      }
    }
  }

  static Loop innermost(const StageSchedule &stage) {
    return stage.tile.empty() ? stage.parallel.back() : stage.tile.back();
  }

  static void attach(Schedule &next, size_t s, size_t host, const Loop &loop, bool follows) {
    StageSchedule &stage = next.stages[s];
    stage.at = schedule::Attachment{next.stages[host].stage, loop};
    stage.tile.insert(stage.tile.begin(), stage.parallel.begin(), stage.parallel.end());
    stage.parallel.clear();
    if (!follows) return;
    stage.vectorDim.clear();
    stage.lanes = 1;
    stage.registers.clear();
    stage.tile.clear();
  }

  // Each dim split by nested divisors, and all axes in a random order that keeps those of one dim nested.
  tensor::Layout randomLayout(const tensor::Buffer &buffer) {
    std::vector<std::vector<tensor::LayoutAxis>> chains;
    for (size_t d = 0; d < buffer.shape.size(); ++d) {
      std::vector<tensor::LayoutAxis> axes = {{static_cast<int>(d), 1, 0}};
      for (int i = 0; i < 2 && random_.chance(40); ++i) {
        const int64_t factor = random_.between(2, 5);
        for (tensor::LayoutAxis &axis : axes) axis.divisor *= factor;
        axes.push_back({static_cast<int>(d), 1, factor});
      }
      chains.push_back(std::move(axes));
    }
    tensor::Layout layout;
    while (!chains.empty()) {
      const auto pick = static_cast<size_t>(random_.between(0, static_cast<int64_t>(chains.size()) - 1));
      layout.axes.push_back(chains[pick].front());
      chains[pick].erase(chains[pick].begin());
      if (chains[pick].empty()) chains.erase(chains.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    return layout;
  }

  void pack(const tensor::Buffer &buffer, Schedule &next) {
    tensor::Layout layout = randomLayout(buffer);
    if (layout.axes.empty()) return;
    const auto stage = static_cast<size_t>(random_.between(0, static_cast<int64_t>(next.stages.size()) - 1));
    next.stages[stage].packs.push_back({buffer.name, std::move(layout)});
  }

  void prefetch(size_t s, Schedule &next) {
    for (const tensor::Access &read : kernel_.stages[s].reads) {
      const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(read.buffer)];
      if (buffer.role == tensor::BufferRole::Parameter && random_.chance(70))
        next.stages[s].prefetches.push_back({buffer.name, int64_t{1} << random_.between(0, 24)});
    }
  }

  // In the line of the first stage that writes it.
  void store(const tensor::Buffer &buffer, Schedule &next) {
    tensor::Layout layout = randomLayout(buffer);
    if (layout.axes.empty()) return;
    for (size_t s = 0; s < kernel_.stages.size(); ++s) {
      for (const tensor::Access &write : kernel_.stages[s].writes) {
        if (kernel_.buffers[static_cast<size_t>(write.buffer)].name != buffer.name) continue;
        next.stages[s].stores.push_back({buffer.name, std::move(layout)});
        return;
      }
    }
  }

  const Kernel &kernel_;
  const TargetDescription &target_;
  Random random_;
  Schedule schedule_;
};

}  // namespace

Schedule randomSchedule(const Kernel &kernel, const TargetDescription &target, uint64_t seed) {
  Random random(seed ^ 0x5eed);
  const std::string algorithm = random.chance(60) ? randomAlgorithm(kernel, random) : "direct";
  const absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(kernel, algorithm);
  if (!rewrite.ok()) return Generator(kernel, target, seed).run();
  // What a search may take, beside what nobody would.
  if (random.chance(30) && !algorithm.starts_with("split")) {
    const schedule::Space space(kernel, target, {algorithm});
    std::mt19937_64 rng(seed);
    if (absl::StatusOr<Schedule> point = space.expand(space.random(rng)); point.ok()) return *std::move(point);
  }
  Schedule schedule = Generator(rewrite->kernel, target, seed).run();
  schedule.algorithm = algorithm;
  return schedule;
}

}  // namespace hone::testing
