#include "compiler/plan/views.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "compiler/graph/constants.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;
using graph::Shape;
using tensor::Index;
using tensor::IndexKind;

const Shape &shapeOf(const Graph &graph, graph::ValueId value) {
  return graph.values[static_cast<size_t>(value)].type.shape;
}

/// Rows of dims of two shapes with the same number of elements, both without extents of 1.
struct DimGroup {
  std::vector<size_t> from, to;
};

std::vector<size_t> dimsAboveOne(const Shape &shape) {
  std::vector<size_t> dims;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1) dims.push_back(i);
  }
  return dims;
}

/// The finest split of both shapes into groups of equal products.
std::vector<DimGroup> matchDims(const Shape &from, const Shape &to) {
  const std::vector<size_t> a = dimsAboveOne(from), b = dimsAboveOne(to);
  std::vector<DimGroup> groups;
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    DimGroup group{{a[i]}, {b[j]}};
    int64_t left = from[a[i++]], right = to[b[j++]];
    while (left != right) {
      if (left < right) {
        left *= from[a[i]];
        group.from.push_back(a[i++]);
      } else {
        right *= to[b[j]];
        group.to.push_back(b[j++]);
      }
    }
    groups.push_back(std::move(group));
  }
  assert(i == a.size() && j == b.size());
  return groups;
}

/// Elements before `begin` and after the end are mirrored without repeating the border.
Index reflected(const Index &index, int64_t begin, int64_t extent) {
  if (extent == 1) return tensor::constant(0);
  const int64_t last = extent - 1;
  const Index place = tensor::mod(index - begin, 2 * last);
  const Index beyond = tensor::clamp(place - last, 0, last);
  // The outer clamp changes nothing; it shows that the index stays inside.
  return tensor::clamp(tensor::clamp(place, 0, last) + beyond * -1, 0, last);
}

Source padSource(const Graph &graph, const Node &node, const Indices &indices) {
  const auto &pad = std::get<graph::PadAttributes>(node.attributes);
  const Shape &shape = shapeOf(graph, node.inputs[0]);
  Source source;
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t begin = pad.pads[i];
    if (begin == 0 && pad.pads[indices.size() + i] == 0) {
      source.indices.push_back(indices[i]);
      continue;
    }
    switch (pad.mode) {
      case graph::PadMode::Constant:
        source.indices.push_back(indices[i] - begin);
        source.outside = pad.value;
        break;
      case graph::PadMode::Edge:
        source.indices.push_back(tensor::clamp(indices[i] - begin, 0, shape[i] - 1));
        break;
      case graph::PadMode::Reflect:
        source.indices.push_back(reflected(indices[i], begin, shape[i]));
        break;
    }
  }
  return source;
}

/// Whether \p indices are known, and none is negative or beyond \p extent.
bool areInside(const graph::Value &indices, int64_t extent) {
  if (indices.constant == nullptr) return false;
  for (int64_t i = 0; i < indices.type.elements(); ++i) {
    const int64_t index = graph::elementAsInteger(*indices.constant, i);
    if (index < 0 || index >= extent) return false;
  }
  return true;
}

Indices gatherSource(const Graph &graph, const Node &node, const Indices &indices, const IndexLoader &loader) {
  const auto axis = static_cast<size_t>(std::get<graph::AxisAttributes>(node.attributes).axis);
  const Shape &data = shapeOf(graph, node.inputs[0]);
  const size_t indexRank = shapeOf(graph, node.inputs[1]).size();
  const auto at = [&](size_t i) { return indices.begin() + static_cast<std::ptrdiff_t>(i); };
  Indices result(at(0), at(axis));
  const Index loaded = loader(node.inputs[1], Indices(at(axis), at(axis + indexRank)));
  const bool isInside = areInside(graph.values[static_cast<size_t>(node.inputs[1])], data[axis]);
  result.push_back(isInside ? tensor::clamp(loaded, 0, data[axis] - 1) : tensor::elementAt(loaded, data[axis]));
  result.insert(result.end(), at(axis + indexRank), indices.end());
  return result;
}

}  // namespace

Indices dimsFrom(int first, size_t count) {
  Indices indices;
  for (size_t i = 0; i < count; ++i) indices.push_back(tensor::dim(first + static_cast<int>(i)));
  return indices;
}

Index linearIndex(const Shape &shape, const Indices &indices) {
  Index result = tensor::constant(0);
  int64_t stride = 1;
  std::vector<int64_t> strides(shape.size());
  for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) strides[i] = stride;
  for (size_t i = 0; i < shape.size(); ++i) result = result + indices[i] * strides[i];
  return result;
}

Indices reshapeIndices(const Shape &from, const Shape &to, const Indices &indices) {
  Indices result(to.size(), tensor::constant(0));
  for (const DimGroup &group : matchDims(from, to)) {
    Shape extents;
    Indices parts;
    for (size_t i : group.from) {
      extents.push_back(from[i]);
      parts.push_back(indices[i]);
    }
    const Index linear = linearIndex(extents, parts);
    int64_t stride = 1;
    for (size_t k = group.to.size(); k-- > 0;) {
      const size_t i = group.to[k];
      const Index quotient = tensor::floorDiv(linear, stride);
      result[i] = k == 0 ? quotient : tensor::mod(quotient, to[i]);
      stride *= to[i];
    }
  }
  return result;
}

Indices broadcastIndices(const Shape &from, const Shape &to, const Indices &indices) {
  Indices result;
  const size_t skipped = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i) {
    const bool repeated = from[i] == 1 && to[skipped + i] != 1;
    result.push_back(repeated ? tensor::constant(0) : indices[skipped + i]);
  }
  return result;
}

namespace {

void appendKey(const Index &index, const std::vector<tensor::Dim> &dims, std::string &text) {
  if (index->kind == IndexKind::Dim) {
    if (dims[static_cast<size_t>(index->value)].extent == 1) {
      absl::StrAppend(&text, "0");
    } else {
      absl::StrAppend(&text, "d", index->value);
    }
    return;
  }
  if (index->kind == IndexKind::Constant) {
    absl::StrAppend(&text, index->value);
    return;
  }
  absl::StrAppend(&text, static_cast<int>(index->kind), ":", index->low, ":", index->high, ":", index->buffer, "(");
  for (const Index &arg : index->args) {
    appendKey(arg, dims, text);
    text += ",";
  }
  text += ")";
}

}  // namespace

std::string indexKey(const Indices &indices, const std::vector<tensor::Dim> &dims) {
  std::string text;
  for (const Index &index : indices) {
    appendKey(index, dims, text);
    text += ";";
  }
  return text;
}

bool isView(Op op) {
  switch (op) {
    case Op::Reshape:
    case Op::Transpose:
    case Op::Broadcast:
    case Op::Slice:
    case Op::Pad:
    case Op::Gather:
      return true;
    default:
      return false;
  }
}

bool isBijection(Op op) { return op == Op::Reshape || op == Op::Transpose; }

Indices forward(const Graph &graph, const Node &node, const Indices &indices) {
  assert(isBijection(node.op));
  if (node.op == Op::Reshape) {
    return reshapeIndices(shapeOf(graph, node.inputs[0]), shapeOf(graph, node.output), indices);
  }
  Indices result;
  for (int64_t from : std::get<graph::TransposeAttributes>(node.attributes).permutation) {
    result.push_back(indices[static_cast<size_t>(from)]);
  }
  return result;
}

Source backward(const Graph &graph, const Node &node, const Indices &indices, const IndexLoader &loader) {
  const Shape &from = shapeOf(graph, node.inputs[0]), &to = shapeOf(graph, node.output);
  switch (node.op) {
    case Op::Reshape:
      return {reshapeIndices(to, from, indices), std::nullopt};
    case Op::Transpose: {
      const auto &permutation = std::get<graph::TransposeAttributes>(node.attributes).permutation;
      Indices result(indices.size());
      for (size_t i = 0; i < indices.size(); ++i) result[static_cast<size_t>(permutation[i])] = indices[i];
      return {result, std::nullopt};
    }
    case Op::Broadcast:
      return {broadcastIndices(from, to, indices), std::nullopt};
    case Op::Slice: {
      const auto &slice = std::get<graph::SliceAttributes>(node.attributes);
      Indices result;
      for (size_t i = 0; i < indices.size(); ++i) result.push_back(indices[i] * slice.steps[i] + slice.starts[i]);
      return {result, std::nullopt};
    }
    case Op::Pad:
      return padSource(graph, node, indices);
    case Op::Gather:
      return {gatherSource(graph, node, indices, loader), std::nullopt};
    default:
      assert(false && "not a view");
      return {};
  }
}

}  // namespace hone::plan
