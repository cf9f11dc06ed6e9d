#include "bench/tile_variants.h"

#include <algorithm>
#include <optional>
#include <random>
#include <string>

namespace hone::bench {

namespace {

using schedule::Loop;
using schedule::Schedule;
using schedule::StageSchedule;

constexpr int64_t kMostRows = 28, kMostVectors = 8;

/// The first stage with a register tile of the vector dim and another.
std::optional<size_t> tiledStage(const Schedule &schedule) {
  for (size_t s = 0; s < schedule.stages.size(); ++s)
    if (schedule.stages[s].registers.size() >= 2 && !schedule.stages[s].vectorDim.empty()) return s;
  return std::nullopt;
}

void scale(std::vector<Loop> &loops, const std::string &dim, int64_t before, int64_t after) {
  for (Loop &loop : loops)
    if (loop.dim == dim && loop.step % before == 0) loop.step = loop.step / before * after;
}

/// Blocks of \p before of a packed parameter become blocks of \p after.
void scale(tensor::Layout &layout, const std::vector<int64_t> &shape, int64_t before, int64_t after) {
  for (tensor::LayoutAxis &axis : layout.axes) {
    if (axis.divisor == before) {
      axis.divisor = after;
      axis.extent = (shape[static_cast<size_t>(axis.dim)] + after - 1) / after;
    } else if (axis.divisor == 1 && axis.extent == before) {
      axis.extent = after;
    }
  }
}

/// \p schedule with \p count elements or vectors in the registers of a dim instead of what it has.
void setTile(const tensor::Kernel &kernel, Schedule &schedule, size_t position, size_t reg, int64_t count) {
  StageSchedule &stage = schedule.stages[position];
  schedule::RegisterTile &tile = stage.registers[reg];
  const bool isVector = tile.dim == stage.vectorDim;
  const int64_t lanes = isVector ? stage.lanes : 1;
  const int64_t before = tile.count * lanes, after = count * lanes;
  tile.count = count;
  scale(stage.parallel, tile.dim, before, after);
  scale(stage.tile, tile.dim, before, after);
  for (StageSchedule &other : schedule.stages)
    if (other.at && other.at->stage == stage.stage && other.at->loop.dim == tile.dim)
      other.at->loop.step = other.at->loop.step / before * after;
  if (!isVector) return;
  for (schedule::Pack &pack : stage.packs)
    for (const tensor::Buffer &buffer : kernel.buffers)
      if (buffer.name == pack.buffer) scale(pack.layout, buffer.shape, before, after);
}

}  // namespace

std::vector<Schedule> tileVariants(const tensor::Kernel &kernel, const Schedule &schedule,
                                   const TargetDescription &target, int count, uint64_t seed) {
  std::vector<Schedule> variants;
  const std::optional<size_t> stage = tiledStage(schedule);
  if (!stage) return variants;
  // The innermost two: rows and vectors of a contraction.
  const size_t last = schedule.stages[*stage].registers.size() - 1;
  for (int64_t rows = 1; rows <= kMostRows; ++rows) {
    for (int64_t vectors = 1; vectors <= kMostVectors; ++vectors) {
      Schedule next = schedule;
      setTile(kernel, next, *stage, last - 1, rows);
      setTile(kernel, next, *stage, last, vectors);
      if (next == schedule || !schedule::legal(kernel, next, target).ok()) continue;
      variants.push_back(std::move(next));
    }
  }
  std::mt19937_64 random(seed);
  std::shuffle(variants.begin(), variants.end(), random);
  variants.resize(std::min(variants.size(), static_cast<size_t>(count)));
  return variants;
}

}  // namespace hone::bench
