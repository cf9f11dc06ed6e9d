// Text of the graph's parts, for print(), error messages and --print-after. Pure functions; thread-safe.
#pragma once

#include <string>

#include "compiler/graph/graph.h"

namespace hone::graph {

/// "[1,64,56,56]"
std::string shapeText(const Shape &shape);
/// "f32[1,64,56,56]"
std::string typeText(const TensorType &type);
/// " {axes [1], keepdims}", or nothing when there is nothing to say.
std::string attributesText(const Node &node);
/// How error messages call a node: "conv 'res2a'", or "node 5 (conv)" where the model gave no name.
std::string describe(const Node &node, size_t position);

}  // namespace hone::graph
