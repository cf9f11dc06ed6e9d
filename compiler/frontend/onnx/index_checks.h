// For whoever asks which indices in the data are outside of their axes: they are counted, beside the operators that
// read them. Functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "compiler/frontend/onnx/node.h"

namespace hone::frontend {

/// The indices of one operator along one axis: scalars (i64) of the graph, as graph::IndexCheck says.
struct CountedIndices {
  std::string node, op;
  int64_t axis = 0;
  ValueId count = -1, example = -1, extent = -1;
};

/// Appends what the operator \p op of \p domain, imported as \p node and called \p name, reads as indices to
/// \p counted: nothing for one that reads none, or only such as are known to be inside.
absl::Status countIndices(const NodeContext &node, std::string_view domain, std::string_view op,
                          const std::string &name, std::vector<CountedIndices> &counted);

}  // namespace hone::frontend
