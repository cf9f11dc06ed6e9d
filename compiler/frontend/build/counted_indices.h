// CountedIndices: the indices that one operator of the model reads from data, those that are outside of their axis
// counted beside it. A plain value.
#pragma once

#include <cstdint>
#include <string>

#include "compiler/graph/graph.h"

namespace hone::frontend {

/// Scalars (i64) of the graph, as graph::IndexCheck says.
struct CountedIndices {
  std::string node, op;
  int64_t axis = 0;
  graph::ValueId count = -1, example = -1, extent = -1;
};

}  // namespace hone::frontend
