// Guards: which nodes matter only when a condition has a certain value. The frontend computes both branches of an If,
// and a Select with a single condition chooses: what leads to one of its sides alone need not run when the other side
// is chosen. Pure functions; thread-safe.
#pragma once

#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/graph/loops.h"

namespace hone::plan {

/// That the only element of `value`, a bool that is computed at run time, is `isTrue`.
struct Condition {
  graph::ValueId value = -1;
  bool isTrue = true;
  auto operator<=>(const Condition &) const = default;
};
/// Outermost first: the value of each is there when those before it hold. Empty: always.
using Guard = std::vector<Condition>;

/// The guard of every node of \p graph; that of an operand's node holds whenever that of the node itself does. What
/// takes fewer than about \p leastSteps to compute is not worth one: it had better be fused with what is around it.
/// What runs in a loop is guarded by conditions that are known there, the end of a loop by those that are known in
/// front of it: they decide about the loop as a whole, which always is worth it.
std::vector<Guard> guardsOf(const graph::Graph &graph, const graph::Loops &loops, double leastSteps);

}  // namespace hone::plan
