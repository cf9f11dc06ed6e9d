// BoundedDims: what a Builder knows beside the graph of sizes that depend on data. The graph's shapes are static: the
// shape of such a value has the *bound* of each dim, its true extents are scalars of the graph. The true elements are
// those at indices below the true extents; what lies beyond is padding, whose contents are defined but mean nothing.
//
// Shapes become values at run time then, and what is computed from them bounds further dims: of small tensors of
// numbers the table keeps between which numbers each element lies, and of which scalar it is a copy. Sizes may also be
// computed from data, as those of boxes that are clipped to an image: number_ranges.h follows what bounds them.
//
// One thread at a time; a plain table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "compiler/frontend/build/number_ranges.h"
#include "compiler/graph/graph.h"

namespace hone::frontend {

/// One per dim: the scalar (i64) that holds the true extent, -1 where that is the shape's own. Empty: all are.
using Extents = std::vector<graph::ValueId>;

/// What is known of the elements of a value: three constants of its shape.
struct KnownNumbers {
  graph::Constant low, high;  ///< both inclusive
  graph::Constant origin;     ///< i64: the scalar that the element is a copy of, -1 where it is none
  bool isOfData = false;      ///< some follow from elements of the inputs, not from how many there are
};

class BoundedDims {
 public:
  const Extents &extents(graph::ValueId value) const;
  void setExtents(graph::ValueId value, Extents extents);

  /// Null when nothing is known.
  const KnownNumbers *numbers(graph::ValueId value) const;
  void setNumbers(graph::ValueId value, KnownNumbers numbers);
  /// The elements of \p value are 1 or 0, for true or false.
  void setTruths(graph::ValueId value) { truths_.insert(value); }
  bool areTruths(graph::ValueId value) const { return truths_.count(value) != 0; }
  /// The elements of \p value, of \p type, lie between 0 and \p most; nothing where there are too many to keep.
  void boundCounts(graph::ValueId value, const graph::TensorType &type, int64_t most);
  /// Follows from what is known of the operands of \p node, the last of \p graph.
  void derive(const graph::Graph &graph, const graph::Node &node);

 private:
  void deriveNumbers(const graph::Graph &graph, const graph::Node &node);
  void deriveRange(const graph::Graph &graph, const graph::Node &node);
  /// What is known of an operand; nothing when nothing is.
  std::optional<NumberRange> rangeOfValue(const graph::Graph &graph, graph::ValueId value) const;

  std::map<graph::ValueId, Extents> extents_;
  std::map<graph::ValueId, KnownNumbers> numbers_;
  std::map<graph::ValueId, NumberRange> ranges_;  ///< of those that have no numbers
  std::set<graph::ValueId> truths_;
};

}  // namespace hone::frontend
