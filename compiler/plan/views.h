// Views: how the elements of one value are found in another by index expressions alone. Pure functions; thread-safe.
//
// A view node (reshape, transpose, broadcast, slice, pad, gather) computes nothing: an element of its output is an
// element of its input (or a constant). backward() maps an index of the output to one of the input (what a reader
// needs), forward() the other way for those that are bijections (what a writer needs).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::plan {

using Indices = std::vector<tensor::Index>;

/// dim(first), dim(first + 1), …
Indices dimsFrom(int first, size_t count);
/// The element offset of \p indices in a row-major buffer of \p shape.
tensor::Index linearIndex(const graph::Shape &shape, const Indices &indices);
/// \p indices of an element of shape \p from as indices of shape \p to with the same row-major position.
Indices reshapeIndices(const graph::Shape &from, const graph::Shape &to, const Indices &indices);
/// Indices into \p from by numpy's rule for \p indices of a value of shape \p to.
Indices broadcastIndices(const graph::Shape &from, const graph::Shape &to, const Indices &indices);

/// Text that is equal for equal indices; dims of extent 1 count as 0.
std::string indexKey(const Indices &indices, const std::vector<tensor::Dim> &dims);

bool isView(graph::Op op);
/// Reshape and Transpose: every element of the input is one of the output.
bool isBijection(graph::Op op);
Indices forward(const graph::Graph &graph, const graph::Node &node, const Indices &indices);

/// Makes the index that element \p indices of value \p value holds (gathers).
using IndexLoader = std::function<tensor::Index(graph::ValueId value, const Indices &indices)>;
struct Source {
  Indices indices;                ///< into the node's first input
  std::optional<double> outside;  ///< the value where they leave its shape
};
Source backward(const graph::Graph &graph, const graph::Node &node, const Indices &indices, const IndexLoader &loader);

}  // namespace hone::plan
