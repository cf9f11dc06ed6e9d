// orderOfGroups(): the order in which kernels run.
#include <algorithm>
#include <cassert>
#include <set>

#include "compiler/plan/program.h"

namespace hone::plan {
namespace {

using graph::ValueId;

class GroupOrderer {
 public:
  explicit GroupOrderer(const Program &program)
      : program_(program), groups_(program.groups.size()), units_(groups_ + program.loops.loops.size()) {}

  std::vector<int> run() {
    findWaits();
    first_.assign(units_, static_cast<int>(program_.graph.nodes.size()));
    members_.resize(program_.loops.loops.size() + 1);
    for (size_t g = 0; g < groups_; ++g) {
      first_[g] = firstNode(program_.groups[g]);
      members(loopOf(g)).push_back(static_cast<int>(g));
      for (int loop = loopOf(g); loop >= 0; loop = around(loop)) {
        first_[unitOf(loop)] = std::min(first_[unitOf(loop)], first_[g]);
      }
    }
    for (size_t loop = 0; loop < program_.loops.loops.size(); ++loop) {
      members(around(static_cast<int>(loop))).push_back(static_cast<int>(unitOf(static_cast<int>(loop))));
    }
    append(-1);
    assert(order_.size() == groups_ && "groups wait for each other");
    return std::move(order_);
  }

 private:
  // A unit is a group, or a loop with all that is in it.

  int loopOf(size_t group) const { return program_.groups[group].loop; }
  int around(int loop) const { return program_.loops.loops[static_cast<size_t>(loop)].around; }
  size_t unitOf(int loop) const { return groups_ + static_cast<size_t>(loop); }
  std::vector<int> &members(int loop) { return members_[static_cast<size_t>(loop + 1)]; }

  int firstNode(const Group &group) const {
    if (group.anchor >= 0) return group.anchor;
    if (!group.epilogue.empty()) return group.epilogue[0];
    return program_.planned(group.copied).producer;
  }

  /// Which units have to be done before which: noted for the two that are in the same loop.
  void findWaits() {
    waits_.resize(units_);
    for (size_t g = 0; g < groups_; ++g) {
      for (ValueId input : inputsOf(program_, static_cast<int>(g))) {
        if (memberBehind(program_, static_cast<int>(g), input) >= 0) continue;
        for (ValueId leaf : leavesOf(program_, input)) {
          if (const int below = program_.planned(leaf).group; below >= 0) wait(g, static_cast<size_t>(below));
        }
      }
    }
    // States change when nobody reads them any more.
    for (size_t loop = 0; loop < program_.loops.loops.size(); ++loop) {
      const graph::Node &end = program_.graph.nodes[static_cast<size_t>(program_.loops.loops[loop].end)];
      const auto last = static_cast<size_t>(program_.planned(end.output).group);
      for (size_t g = 0; g < groups_; ++g) {
        if (g != last && program_.loops.isWithin(loopOf(g), static_cast<int>(loop))) wait(last, g);
      }
    }
  }

  void wait(size_t group, size_t below) {
    size_t waiting = group, awaited = below;
    int ofWaiting = loopOf(group), ofAwaited = loopOf(below);
    while (!program_.loops.isWithin(ofAwaited, ofWaiting)) {
      waiting = unitOf(ofWaiting);
      ofWaiting = around(ofWaiting);
    }
    while (ofAwaited != ofWaiting) {
      awaited = unitOf(ofAwaited);
      ofAwaited = around(ofAwaited);
    }
    if (waiting != awaited) waits_[waiting].insert(static_cast<int>(awaited));
  }

  /// Appends what is in \p loop. Of those that are ready, the first in the order of the graph.
  void append(int loop) {
    std::vector<std::vector<int>> feeds(units_);
    std::set<std::pair<int, int>> ready;
    const auto makeReady = [&](int unit) { ready.insert({first_[static_cast<size_t>(unit)], unit}); };
    for (int unit : members(loop)) {
      for (int below : waits_[static_cast<size_t>(unit)]) feeds[static_cast<size_t>(below)].push_back(unit);
      if (waits_[static_cast<size_t>(unit)].empty()) makeReady(unit);
    }
    while (!ready.empty()) {
      const int next = ready.begin()->second;
      ready.erase(ready.begin());
      if (static_cast<size_t>(next) < groups_) {
        order_.push_back(next);
      } else {
        append(next - static_cast<int>(groups_));
      }
      for (int above : feeds[static_cast<size_t>(next)]) {
        std::set<int> &waits = waits_[static_cast<size_t>(above)];
        waits.erase(next);
        if (waits.empty()) makeReady(above);
      }
    }
  }

  const Program &program_;
  const size_t groups_, units_;
  std::vector<std::set<int>> waits_;       // per unit: units of the same loop
  std::vector<int> first_;                 // per unit: node
  std::vector<std::vector<int>> members_;  // per loop, -1 first: units
  std::vector<int> order_;
};

}  // namespace

std::vector<int> orderOfGroups(const Program &program) { return GroupOrderer(program).run(); }

}  // namespace hone::plan
