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

/// Counts what the operator \p op of \p domain, imported as \p node and called \p name, reads as indices: nothing for
/// one that reads none, or only such as are known to be inside.
absl::Status countIndices(const NodeContext &node, std::string_view domain, std::string_view op,
                          const std::string &name);

/// Makes one count of those of the same operator, from the one at \p first on: of all iterations of a loop.
absl::Status joinCounts(Builder &build, size_t first);

}  // namespace hone::frontend
