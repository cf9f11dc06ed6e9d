// The trees of TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble, read from their attributes.
#pragma once

#include "compiler/frontend/build/tree_ensemble.h"
#include "compiler/frontend/onnx/node.h"

namespace hone::frontend {

/// From lists of nodes and lists of weights, whose names begin with \p prefix ("class" or "target").
absl::StatusOr<TreeEnsemble> readNodeLists(const NodeContext &node, const std::string &prefix, int64_t targets);

/// From lists of inner nodes and lists of leaves.
absl::StatusOr<TreeEnsemble> readLeafLists(const NodeContext &node);

}  // namespace hone::frontend
