#include "compiler/estimate/least.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "compiler/loop/lower.h"
#include "compiler/schedule/structure.h"

namespace hone::estimate {
namespace {

using schedule::Point;
using schedule::Schedule;
using schedule::Space;

struct Candidate {
  Point point;
  Least least;
};

// The least of each register tile, by the tile's text.
using Tiles = std::map<std::string, Least>;

std::string tileText(const Schedule &schedule) {
  std::string text = schedule.algorithm;
  for (const schedule::StageSchedule &stage : schedule.stages)
    for (const schedule::RegisterTile &tile : stage.registers)
      text += "; " + stage.stage + " " + tile.dim + " " + std::to_string(tile.count);
  return text;
}

class Descent {
 public:
  /// \p tiles takes what is met, too; null: nobody asks.
  Descent(const Space &space, const TargetDescription &target, Tiles *tiles = nullptr)
      : space_(space), target_(target), tiles_(tiles) {}

  /// Knobs with more than \p mostValues values stay as they are, and so do those that no estimate sees.
  std::optional<Candidate> from(const Point &point, size_t mostValues) {
    std::optional<Candidate> best = judge(point);
    const std::vector<schedule::Knob> &knobs = space_.forms()[static_cast<size_t>(point.form)].knobs;
    // The knobs in turn; over when a whole turn changed nothing.
    for (size_t unchanged = 0, k = 0; unchanged < knobs.size(); ++unchanged, k = (k + 1) % knobs.size()) {
      if (knobs[k].values.size() > mostValues || !knobs[k].isEstimated) continue;
      for (int value = 0; value < static_cast<int>(knobs[k].values.size()); ++value) {
        Point next = best ? best->point : point;
        if (next.knobs[k] == value) continue;
        next.knobs[k] = value;
        std::optional<Candidate> candidate = judge(next);
        if (!candidate || (best && candidate->least.cycles.total >= best->least.cycles.total)) continue;
        best = std::move(candidate);
        unchanged = 0;
      }
    }
    return best;
  }

 private:
  // Nothing: the point has no legal schedule, or none that can be lowered.
  std::optional<Candidate> judge(const Point &point) {
    absl::StatusOr<Schedule> schedule = space_.expand(point);
    if (!schedule.ok()) return std::nullopt;
    // Knobs that make no difference make the same schedule.
    if (!known_.insert(schedule::print(*schedule)).second) return std::nullopt;
    const tensor::Kernel &kernel = space_.rewritten(point);
    const auto nest = loop::lower(schedule::applyPacks(kernel, *schedule), *schedule);
    if (!nest.ok()) return std::nullopt;
    const Cycles cycles = estimate(*nest, kernel, target_);
    if (tiles_ != nullptr) {
      const auto [tile, isNew] = tiles_->try_emplace(tileText(*schedule), Least{*schedule, cycles});
      if (!isNew && cycles.total < tile->second.cycles.total) tile->second = {*schedule, cycles};
    }
    return Candidate{point, {*std::move(schedule), cycles}};
  }

  const Space &space_;
  const TargetDescription &target_;
  Tiles *tiles_;
  std::set<std::string> known_;
};

// The point of \p form whose knobs have the values that those of \p like, a point of \p of, have, as far as there are
// such.
Point alike(const Space &space, int form, const Space &of, const Point &like) {
  Point point{form, {}};
  const std::vector<schedule::Knob> &others = of.forms()[static_cast<size_t>(like.form)].knobs;
  for (const schedule::Knob &knob : space.forms()[static_cast<size_t>(form)].knobs) {
    point.knobs.push_back(0);
    for (size_t k = 0; k < others.size(); ++k) {
      if (others[k].name != knob.name) continue;
      const std::string &value = others[k].values[static_cast<size_t>(like.knobs[k])];
      const auto found = std::find(knob.values.begin(), knob.values.end(), value);
      if (found != knob.values.end()) point.knobs.back() = static_cast<int>(found - knob.values.begin());
    }
  }
  return point;
}

// The stage of \p kernel that does most, as a kernel of its own: what it reads and writes comes from outside.
tensor::Kernel mainPart(const tensor::Kernel &kernel) {
  tensor::Kernel part = kernel;
  part.stages = {*std::max_element(kernel.stages.begin(), kernel.stages.end(), [](const auto &a, const auto &b) {
    return schedule::pointsOf(a) < schedule::pointsOf(b);
  })};
  for (tensor::Buffer &buffer : part.buffers)
    if (buffer.role == tensor::BufferRole::Temporary || buffer.role == tensor::BufferRole::Output)
      buffer.role = tensor::BufferRole::Input;
  part.buffers[static_cast<size_t>(part.stages[0].writes[0].buffer)].role = tensor::BufferRole::Output;
  return part;
}

constexpr size_t kFewValues = 8;

std::optional<Candidate> leastOfForm(const Space &space, const TargetDescription &target, int form, Tiles *tiles) {
  Point first{form, std::vector<int>(space.forms()[static_cast<size_t>(form)].knobs.size(), 0)};
  // Transforms are long to lower and have few choices: what does most is searched by itself, and the rest around it.
  if (!space.forms()[static_cast<size_t>(form)].algorithm.starts_with("winograd"))
    return Descent(space, target, tiles).from(first, SIZE_MAX);
  const Space part(mainPart(space.rewritten(first)), target, {"direct"});
  const std::optional<Candidate> least =
      Descent(part, target).from({0, std::vector<int>(part.forms()[0].knobs.size(), 0)}, SIZE_MAX);
  if (least) first = alike(space, form, part, least->point);
  return Descent(space, target, tiles).from(first, kFewValues);
}

Least leastOf(const Space &space, const TargetDescription &target, Tiles *tiles) {
  std::optional<Candidate> best;
  for (size_t form = 0; form < space.forms().size(); ++form) {
    std::optional<Candidate> candidate = leastOfForm(space, target, static_cast<int>(form), tiles);
    if (candidate && (!best || candidate->least.cycles.total < best->least.cycles.total)) best = std::move(candidate);
  }
  if (best) return std::move(best->least);
  // No space that is known has no legal point; should there be one, its kernel is slow, not an end of the compiler.
  const Point first{};
  Schedule plain = schedule::plainSchedule(space.rewritten(first));
  plain.algorithm = space.forms()[0].algorithm;
  Cycles unknown;
  unknown.total = std::numeric_limits<double>::infinity();
  return {std::move(plain), unknown};
}

}  // namespace

Least leastOf(const Space &space, const TargetDescription &target) { return leastOf(space, target, nullptr); }

std::vector<Least> leastOfTiles(const Space &space, const TargetDescription &target, size_t count) {
  Tiles tiles;
  std::vector<Least> least = {leastOf(space, target, &tiles)};
  tiles.erase(tileText(least[0].schedule));
  // Equal ones in the order of their texts.
  std::vector<Tiles::value_type *> others;
  for (Tiles::value_type &tile : tiles) others.push_back(&tile);
  std::sort(others.begin(), others.end(), [](const auto *a, const auto *b) {
    return std::tie(a->second.cycles.total, a->first) < std::tie(b->second.cycles.total, b->first);
  });
  for (size_t i = 0; i < others.size() && least.size() < count; ++i) least.push_back(std::move(others[i]->second));
  return least;
}

Schedule leastSchedule(const tensor::Kernel &kernel, const TargetDescription &target, const std::string &algorithm) {
  return leastOf(Space(kernel, target, {algorithm}), target).schedule;
}

}  // namespace hone::estimate
