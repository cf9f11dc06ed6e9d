// What the recognition of decomposed operators shares. Pure functions of the graph; pointers last until the next add.
#pragma once

#include <optional>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/graph/rewriter.h"

namespace hone::graph {

/// \p value's producer where that reduces \p data by \p kind and keeps the reduced dims.
const Node *reductionOf(const Rewriter &rewriter, ValueId value, ReduceKind kind, ValueId data);
const std::vector<int64_t> &axesOf(const Node &reduce);

struct Quotient {
  ValueId dividend, divisor;
};
/// \p node as a / b; a * (1 / b) in either order counts where nothing else reads 1 / b. The result has a's type.
std::optional<Quotient> matchQuotient(const Rewriter &rewriter, const Node &node);

}  // namespace hone::graph
