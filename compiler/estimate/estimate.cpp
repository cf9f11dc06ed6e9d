#include "compiler/estimate/estimate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "compiler/estimate/machine.h"
#include "compiler/estimate/memory.h"
#include "compiler/estimate/scopes.h"
#include "compiler/estimate/work.h"

namespace hone::estimate {
namespace {

// Leaving a loop is guessed wrong by the core now and then, unless it is short.
constexpr double kExit = 6, kShortExit = 1, kShortTrips = 5;
// Pieces by which a thread is late at the end.
constexpr double kHeldUp = 0.3;
// Instructions that a core has in flight.
constexpr double kLookAhead = 256, kShownBeside = 0.9;
// Of code for vectors.
constexpr double kInstructionBytes = 8;
// What goes on beside something else shows a little all the same.
constexpr double kShownLoads = 0.07, kShownCache = 0.2, kShownL3 = 0.15, kShownMemory = 0.5;

class Summer {
 public:
  Summer(const Scopes &scopes, const TargetDescription &target, const Machine &machine)
      : scopes_(scopes), work_(workOf(scopes, target, machine)) {}

  /// Instructions of the whole phase, as they lie in memory.
  double code() const {
    return std::accumulate(work_.begin(), work_.end(), 0.0,
                           [](double sum, const Work &work) { return sum + work.code; });
  }

  /// Instructions of the longest code beside a loop: what a tile does with its results.
  double longestBesideLoops() const {
    double longest = 0;
    for (size_t s = 0; s < work_.size(); ++s)
      if (scopes_.isBesideLoops(static_cast<int>(s))) longest = std::max(longest, work_[s].code);
    return longest;
  }

  /// One iteration of a scope.
  Cycles of(int number) const {
    const Scope &scope = scopes_.at(number);
    const Work &work = work_[static_cast<size_t>(number)];
    Cycles cycles;
    cycles.arithmetic = work.vectors;
    cycles.loads = work.loads;
    cycles.stores = work.stores;
    cycles.divisions = work.divisions;
    cycles.instructions = work.instructions;
    cycles.total = work.bound();
    cycles.latency = std::max(
        0.0, work.chain - std::max({work.vectors, work.loads, work.stores, work.divisions, work.instructions}));
    cycles.spills = work.spills;
    for (const int child : scope.children) {
      const Scope &inner = scopes_.at(child);
      add(cycles, of(child), inner.isUnrolled ? 1 : inner.trips);
      if (inner.isUnrolled || inner.variable < 0) continue;
      const double leaving = inner.trips <= 1 ? 0 : inner.trips <= kShortTrips ? kShortExit : kExit;
      cycles.loops += leaving;
      cycles.total += leaving;
    }
    return cycles;
  }

 private:
  static void add(Cycles &to, const Cycles &of, double times) {
    to.arithmetic += of.arithmetic * times;
    to.loads += of.loads * times;
    to.stores += of.stores * times;
    to.divisions += of.divisions * times;
    to.instructions += of.instructions * times;
    to.latency += of.latency * times;
    to.spills += of.spills * times;
    to.loops += of.loops * times;
    to.total += of.total * times;
  }

  const Scopes &scopes_;
  const std::vector<Work> work_;
};

Cycles ofPhase(const loop::Phase &phase, const loop::Kernel &kernel, const std::vector<bool> &isCold,
               const TargetDescription &target, const Machine &machine) {
  const Scopes scopes(phase);
  const Summer summer(scopes, target, machine);
  Cycles cycles = summer.of(0);
  const Traffic traffic = trafficOf(scopes, kernel, isCold, target);
  cycles.fromL2 = traffic.fromL2 / machine.fromL2;
  cycles.fromL3 = traffic.fromL3 / machine.fromL3;
  // In a network, code is as cold as parameters are.
  cycles.fromMemory = (traffic.fromMemory + kInstructionBytes * summer.code()) / machine.fromMemory;
  const double core = cycles.total, caches = std::max(cycles.fromL2, cycles.fromL3);
  cycles.total = std::max(core, caches) + kShownLoads * cycles.loads + kShownCache * std::min(core, caches) +
                 kShownL3 * cycles.fromL3 + kShownMemory * cycles.fromMemory;
  // The core goes on with the next tile while the results of the last one are under way, as far as it can look ahead.
  cycles.total +=
      kShownBeside * std::min(1.0, summer.longestBesideLoops() / kLookAhead) * traffic.betweenLoops / machine.fromL3;
  cycles.total = std::max(cycles.total, cycles.fromMemory);
  const double threads = std::min(static_cast<double>(target.cores), static_cast<double>(phase.extent));
  const double pieces = static_cast<double>(phase.extent);
  // The part of the thread that has most; where there are several, one of them is held up now and then.
  const double heldUp = threads > 1 ? kHeldUp : 0;
  const double most = (std::ceil(pieces / threads) + heldUp) / pieces;
  cycles.threads = cycles.total * (most - 1 / static_cast<double>(target.cores));
  cycles.total = cycles.total * most;
  const double entering = target.cores > 1 ? machine.fork : 0;
  cycles.threads += entering;
  cycles.total += entering;
  return cycles;
}

}  // namespace

std::string_view Cycles::limit() const {
  const std::array<std::pair<std::string_view, double>, 12> parts = {{{"arithmetic", arithmetic},
                                                                      {"loads", loads},
                                                                      {"stores", stores},
                                                                      {"divisions", divisions},
                                                                      {"instructions", instructions},
                                                                      {"latency", latency},
                                                                      {"loops", loops},
                                                                      {"spills", spills},
                                                                      {"L2", fromL2},
                                                                      {"L3", fromL3},
                                                                      {"memory", fromMemory},
                                                                      {"threads", threads}}};
  return std::max_element(parts.begin(), parts.end(), [](const auto &a, const auto &b) { return a.second < b.second; })
      ->first;
}

Cycles estimate(const loop::Kernel &kernel, const tensor::Kernel &source, const TargetDescription &target) {
  std::vector<bool> isCold;
  for (const loop::BufferSlot &slot : kernel.buffers) {
    isCold.push_back(std::any_of(source.buffers.begin(), source.buffers.end(), [&](const tensor::Buffer &buffer) {
      return buffer.name == slot.name && buffer.role == tensor::BufferRole::Parameter;
    }));
  }
  const Machine &machine = machineOf(target);
  Cycles cycles;
  for (const loop::Phase &phase : kernel.phases) {
    const Cycles more = ofPhase(phase, kernel, isCold, target, machine);
    for (double Cycles::*part :
         {&Cycles::arithmetic, &Cycles::loads, &Cycles::stores, &Cycles::divisions, &Cycles::instructions,
          &Cycles::latency, &Cycles::loops, &Cycles::spills, &Cycles::fromL2, &Cycles::fromL3, &Cycles::fromMemory,
          &Cycles::threads, &Cycles::total})
      cycles.*part += more.*part;
  }
  return cycles;
}

}  // namespace hone::estimate
