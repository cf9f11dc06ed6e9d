// Loops: which nodes are repeated. The body of a loop is what depends on its states; nodes say nothing of it, so that
// passes that add and drop nodes need not keep anything. Pure functions; thread-safe.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::graph {

struct Loop {
  int end = -1;             ///< node
  std::vector<int> states;  ///< nodes, in the order of the end's operands
  int around = -1;          ///< the loop within which it is repeated: position in Loops::loops
};

struct Loops {
  std::vector<Loop> loops;  ///< in the order of their ends: inner ones come before those around them
  /// Per node: the innermost loop of whose body it is, -1 for none and for those that no output
  /// needs. States are of the body, ends and results are not.
  std::vector<int> loopOf;

  /// Whether \p loop is \p around or within it; everything is within -1.
  bool isWithin(int loop, int around) const;
};

/// The loops of \p graph, whose nodes have types and an order. The error says what is wrong with them: states without
/// an end, bodies that overlap, or values of a body that somebody outside reads.
absl::StatusOr<Loops> findLoops(const Graph &graph);

}  // namespace hone::graph
