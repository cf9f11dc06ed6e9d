#include "compiler/estimate/memory.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>

namespace hone::estimate {
namespace {

using loop::Statement;
using loop::Value;
using loop::ValueKind;

constexpr double kLine = 64;
// Addresses so far apart share a set of the first-level cache.
constexpr double kSetPeriod = 4096;
// Of a cache, what is there for the kernel's data: associativity, the stack and the other thread take the rest.
constexpr double kUsable = 0.8;
// Of that, how much one buffer of the kernel before may take to be there still.
constexpr double kKept = 0.5;
// What is written is fetched first and brought back later, and neither is foreseen as well as reads are.
constexpr double kWritten = 4;

struct Access {
  int buffer = -1;
  bool isStore = false;
  bool isIndirect = false;
  double width = 4;                             ///< bytes side by side
  std::vector<std::pair<double, double>> taps;  ///< bytes of a step and number, of equal accesses side by side
  double laneStep = 0, lanes = 1;               ///< bytes between the lanes of a gather
  std::vector<int> path;                        ///< scopes, outermost first
  std::vector<int64_t> steps;                   ///< bytes, by scope of the path
};

/// Bytes side by side, again and again at equal distances, and all of that again: what nested loops touch.
class Runs {
 public:
  explicit Runs(double width) : run_(width) {}

  /// All of it at \p trips places that lie \p step bytes apart; steps come in ascending order.
  void repeat(double step, double trips) {
    if (step <= std::max(run_, kLine)) {
      run_ += step * (trips - 1);
    } else if (count_ > 1 && std::fmod(step, distance_) == 0 && step / distance_ <= count_) {
      // As the rows of a window and those that the window moves over: the same places, from several sides.
      count_ += step / distance_ * (trips - 1);
    } else {
      outer_ *= count_;
      count_ = trips;
      distance_ = step;
    }
  }

  double bytes() const { return outer_ * count_ * lineBytes(); }

  /// How many times more of a first-level cache of \p ways they take than their bytes: places at a multiple of some
  /// distance share its sets, and where these have room for less, one displaces the other.
  double crowding(double ways) const {
    if (count_ < 2) return 1;
    const double sets = kSetPeriod / kLine;
    const auto apart = static_cast<double>(std::gcd(static_cast<int64_t>(distance_), static_cast<int64_t>(kSetPeriod)));
    const double used = std::min(sets, kSetPeriod / apart * (lineBytes() / kLine));
    const bool isTooMany = outer_ * count_ * (lineBytes() / kLine) > ways * used;
    return std::max(1.0, isTooMany ? sets / used : std::min(sets / used, outer_ * count_));
  }

 private:
  double lineBytes() const { return std::max(kLine, std::ceil(run_ / kLine) * kLine); }

  double run_;
  double count_ = 1, distance_ = 0, outer_ = 1;
};

/// Bytes in whole lines, and how much of a first-level cache they take.
struct Touched {
  double bytes = 0, room = 0;
};

/// Accesses of one scope that differ by constants, as the taps of a window that is written out, or a tile's points.
struct Place {
  size_t access;
  const loop::IntExpr *index;
  std::vector<int64_t> constants;  // bytes
};

/// Constants as loops: runs of equal steps, and runs of those.
std::vector<std::pair<double, double>> loopsOf(std::vector<int64_t> constants) {
  std::sort(constants.begin(), constants.end());
  constants.erase(std::unique(constants.begin(), constants.end()), constants.end());
  const size_t count = constants.size();
  if (count < 2) return {};
  const int64_t step = constants[1] - constants[0];
  size_t inner = 2;
  while (inner < count && constants[inner] - constants[inner - 1] == step) ++inner;
  std::vector<std::pair<double, double>> loops = {{step, inner}};
  if (inner < count) {
    const double outer = std::ceil(static_cast<double>(count) / static_cast<double>(inner));
    loops.emplace_back(static_cast<double>(constants.back() - constants[inner - 1]) / (outer - 1), outer);
  }
  return loops;
}

bool differByConstant(const loop::IntExpr &a, const loop::IntExpr &b) {
  return std::equal(a.terms().begin(), a.terms().end(), b.terms().begin(), b.terms().end(),
                    [](const loop::IntExpr::Term &x, const loop::IntExpr::Term &y) {
                      return x.coefficient == y.coefficient && (x.atom == y.atom || x.atom->text == y.atom->text);
                    });
}

class Collector {
 public:
  explicit Collector(const Scopes &scopes) : scopes_(scopes) {}

  std::vector<Access> run() {
    for (size_t s = 0; s < scopes_.all().size(); ++s) {
      const Scope &scope = scopes_.all()[s];
      if (scope.statements.empty()) continue;
      path_ = scopes_.path(static_cast<int>(s));
      seen_.clear();
      here_.clear();
      for (const Statement *statement : scope.statements) {
        if (statement->kind == loop::StatementKind::Prefetch) continue;
        if (statement->kind == loop::StatementKind::Store)
          add(statement->buffer, statement->index, statement->value->type, statement->lane, true);
        value(*statement->value);
      }
      for (Place &place : here_) accesses_[place.access].taps = loopsOf(std::move(place.constants));
    }
    return std::move(accesses_);
  }

 private:
  void add(int buffer, const loop::IntExpr &index, loop::Type type, int lane, bool isStore) {
    const auto element = static_cast<int64_t>(sizeOf(type.dtype));
    for (Place &place : here_) {
      const Access &other = accesses_[place.access];
      if (other.buffer != buffer || other.isStore != isStore || !differByConstant(*place.index, index)) continue;
      place.constants.push_back(index.constant() * element);
      return;
    }
    here_.push_back({accesses_.size(), &index, {index.constant() * element}});
    Access access;
    access.buffer = buffer;
    access.isStore = isStore;
    const std::optional<int64_t> stride = lane < 0 ? 0 : coefficientOf(index, lane);
    access.width = static_cast<double>(element);
    if (type.lanes > 1 && stride == 1) access.width *= type.lanes;
    if (type.lanes > 1 && stride != 1 && stride != 0) {
      access.laneStep = std::abs(static_cast<double>(stride.value_or(kLine)) * access.width);
      access.lanes = type.lanes;
    }
    access.path = path_.scopes();
    access.isIndirect = isIndirect(index);
    access.steps = path_.steps(index);
    for (int64_t &step : access.steps) step *= element;
    accesses_.push_back(std::move(access));
  }

  void value(const Value &v) {
    if (!seen_.insert(&v).second) return;
    if (v.kind == ValueKind::Load) add(v.buffer, v.index, v.type, v.lane, false);
    for (const loop::ValuePtr &arg : v.args) value(*arg);
    if (v.fill) value(*v.fill);
  }

  const Scopes &scopes_;
  std::vector<Access> accesses_;
  Path path_;
  std::vector<Place> here_;  // in the scope at hand
  std::set<const Value *> seen_;
};

class Footprints {
 public:
  /// \p ways: of the first-level cache.
  Footprints(const Scopes &scopes, const loop::Kernel &kernel, std::vector<Access> accesses, double ways)
      : scopes_(scopes), kernel_(kernel), accesses_(std::move(accesses)), ways_(ways) {
    bodies_.resize(scopes_.all().size());
    for (const Access &access : accesses_) {
      for (size_t depth = 0; depth < access.path.size(); ++depth) {
        Touched &body = bodies_[static_cast<size_t>(access.path[depth])][access.buffer];
        const Touched more = touched(access, depth + 1);
        body.bytes = std::min(body.bytes + more.bytes, bufferBytes(access.buffer));
        body.room = std::max(body.bytes, body.room + more.room);
      }
    }
  }

  /// Bytes that pass into a cache of \p capacity. \p isFirst: its sets are few.
  double into(const Access &access, double capacity, bool isFirst) const {
    size_t kept = access.path.size();
    while (kept > 0 && body(access.path[kept - 1], isFirst) <= capacity) --kept;
    double times = 1;
    for (size_t depth = 0; depth < kept; ++depth) times *= scopes_.at(access.path[depth]).trips;
    return times * touched(access, kept).bytes;
  }

  /// What the loops from \p depth inwards touch.
  Touched touched(const Access &access, size_t depth) const {
    std::vector<std::pair<double, double>> loops = access.taps;  // bytes of a step, trips
    if (access.lanes > 1) loops.emplace_back(access.laneStep, access.lanes);
    double share = 1, iterations = 1;
    for (size_t d = depth; d < access.path.size(); ++d) {
      const Scope &scope = scopes_.at(access.path[d]);
      iterations *= scope.trips;
      if (scope.trips < 1) share *= scope.trips;
      if (access.steps[d] != 0 && scope.trips > 1)
        loops.emplace_back(std::abs(static_cast<double>(access.steps[d])), scope.trips);
    }
    const double most = bufferBytes(access.buffer);
    if (access.isIndirect) {
      const double bytes = std::min(most, iterations * std::max(kLine, access.width));
      return {bytes, bytes};
    }
    std::sort(loops.begin(), loops.end());
    Runs runs{access.width};
    for (const auto &[step, trips] : loops) runs.repeat(step, trips);
    return {share * std::min(most, runs.bytes()), share * std::min(most, runs.bytes()) * runs.crowding(ways_)};
  }

  const std::vector<Access> &accesses() const { return accesses_; }
  double bufferBytes(int buffer) const {
    const loop::BufferSlot &slot = kernel_.buffers[static_cast<size_t>(buffer)];
    return std::max(kLine, static_cast<double>(slot.elements * sizeOf(slot.dtype)));
  }

 private:
  double body(int scope, bool isFirst) const {
    double bytes = 0;
    for (const auto &[buffer, touched] : bodies_[static_cast<size_t>(scope)])
      bytes += isFirst ? touched.room : touched.bytes;
    return bytes;
  }

  const Scopes &scopes_;
  const loop::Kernel &kernel_;
  std::vector<Access> accesses_;
  double ways_;
  std::vector<std::map<int, Touched>> bodies_;  // by scope and buffer: bytes that one iteration touches
};

}  // namespace

Traffic trafficOf(const Scopes &scopes, const loop::Kernel &kernel, const std::vector<bool> &isCold,
                  const TargetDescription &target) {
  const Footprints footprints(scopes, kernel, Collector(scopes).run(),
                              static_cast<double>(target.l1Bytes) / kSetPeriod);
  Traffic traffic;
  std::map<int, double> cold;
  for (const Access &access : footprints.accesses()) {
    const double once = footprints.touched(access, 0).bytes;
    const bool comesFromMemory = isCold[static_cast<size_t>(access.buffer)];
    // What was used by the kernel before is still in the caches, as far as it fits.
    const auto from = [&](double capacity) {
      const double bytes = footprints.into(access, capacity, false);
      return comesFromMemory || bytes > once || once > kKept * capacity ? bytes : 0;
    };
    traffic.fromL2 += footprints.into(access, kUsable * static_cast<double>(target.l1Bytes), true);
    const double ways = access.isStore ? kWritten : 1;
    const double third = ways * from(kUsable * static_cast<double>(target.l2Bytes));
    traffic.fromL3 += third;
    if (scopes.isBesideLoops(scopes.around(access.path.back()))) traffic.betweenLoops += third;
    const double memory = ways * from(kUsable * static_cast<double>(target.l3Bytes));
    traffic.fromMemory += comesFromMemory ? std::max(0.0, memory - once) : memory;
    if (comesFromMemory) {
      double &bytes = cold[access.buffer];
      bytes = std::min(bytes + once, footprints.bufferBytes(access.buffer));
    }
  }
  for (const auto &[buffer, bytes] : cold) traffic.fromMemory += bytes;
  return traffic;
}

}  // namespace hone::estimate
