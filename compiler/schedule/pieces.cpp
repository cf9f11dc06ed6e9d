#include "compiler/schedule/pieces.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "compiler/schedule/structure.h"

namespace hone::schedule {
namespace {

/// The outermost loop of all stages, with a step that each of theirs divides; an empty dim where there is none.
Loop sharedLoop(const std::vector<StageSchedule *> &stages) {
  Loop shared;
  for (const StageSchedule *stage : stages) {
    if (stage->tile.empty()) return {};
    const Loop &loop = stage->tile[0];
    if (shared.dim.empty()) shared = loop;
    if (shared.dim != loop.dim) return {};
    shared.step = std::lcm(shared.step, loop.step);
  }
  return shared;
}

}  // namespace

std::vector<std::string> pieceNames() {
  std::vector<std::string> names;
  for (const int64_t pieces : kPieces) names.push_back(std::to_string(pieces));
  return names;
}

void divideScan(const tensor::Kernel &kernel, const TargetDescription &target, Choices &choices, Schedule &schedule) {
  if (std::none_of(kernel.stages.begin(), kernel.stages.end(), scans)) return;
  const int64_t wanted = kPieces[choices.knob("scan.pieces", pieceNames())] * target.cores;
  std::vector<StageSchedule *> stages;
  const tensor::TensorOp *first = nullptr;
  for (size_t s = 0; s < kernel.stages.size(); ++s) {
    if (!scans(kernel.stages[s])) continue;
    StageSchedule &stage = schedule.stages[s];
    stage.tile.insert(stage.tile.begin(), stage.parallel.begin(), stage.parallel.end());
    stage.parallel.clear();
    stages.push_back(&stage);
    if (first == nullptr) first = &kernel.stages[s];
  }
  const Loop loop = sharedLoop(stages);
  if (loop.dim.empty() || !isApartInScan(kernel, loop.dim)) return;
  const int64_t extent = first->dims[static_cast<size_t>(dimPosition(*first, loop.dim))].extent;
  const int64_t tiles = divideUp(extent, loop.step);
  const int64_t pieces = std::min(tiles, wanted);
  if (pieces < 2) return;
  const int64_t step = loop.step * divideUp(tiles, pieces);
  for (StageSchedule *stage : stages) {
    stage->parallel = {{loop.dim, step}};
    if (stage->tile[0].step == step) stage->tile.erase(stage->tile.begin());
  }
}

}  // namespace hone::schedule
