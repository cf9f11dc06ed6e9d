// Which dims a node is computed over, and what they are called. Dims that correspond have the same name in all stages
// of a kernel.
#include <algorithm>
#include <cassert>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/plan/program.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;
using graph::Shape;
using tensor::Dim;

/// Names of \p count dims: "r" alone, or "r0", "r1", …
std::vector<std::string> numbered(const std::string &name, size_t count) {
  if (count == 1) return {name};
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(absl::StrCat(name, i));
  return names;
}

std::vector<std::string> valueDimNames(size_t rank) {
  if (rank == 4) return {"n", "c", "y", "x"};
  return numbered("i", rank);
}

Dim parallel(std::string name, int64_t extent) { return {std::move(name), extent, tensor::DimKind::Parallel}; }

int lastDim(const std::vector<Dim> &dims) { return static_cast<int>(dims.size()) - 1; }

/// n, channels, then the spatial dims of a conv or pool.
Domain windowDomain(const Shape &shape, const char *channels) {
  Domain domain;
  const std::vector<std::string> spatial = spatialNames(shape.size() - 2);
  domain.dims = {parallel("n", shape[0]), parallel(channels, shape[1])};
  for (size_t i = 2; i < shape.size(); ++i) domain.dims.push_back(parallel(spatial[i - 2], shape[i]));
  domain.coords = dimsFrom(0, shape.size());
  domain.vectorDim = 1;
  return domain;
}

Domain convDomain(const Graph &graph, const Node &node) {
  const Shape &shape = graph.values[static_cast<size_t>(node.output)].type.shape;
  const Shape &data = graph.values[static_cast<size_t>(node.inputs[0])].type.shape;
  const int64_t groups = std::get<graph::ConvAttributes>(node.attributes).groups;
  if (groups == 1) return windowDomain(shape, "oc");
  if (groups == shape[1] && groups == data[1]) return windowDomain(shape, "c");
  const int64_t perGroup = shape[1] / groups;
  Domain domain = windowDomain(shape, "oc");
  domain.dims[1].extent = perGroup;
  domain.dims.insert(domain.dims.begin() + 1, parallel("g", groups));
  domain.coords = {tensor::dim(0), tensor::dim(1) * perGroup + tensor::dim(2)};
  for (size_t i = 2; i < shape.size(); ++i) domain.coords.push_back(tensor::dim(static_cast<int>(i) + 1));
  domain.vectorDim = 2;
  return domain;
}

Domain matMulDomain(const Shape &shape) {
  Domain domain;
  const std::vector<std::string> batch = numbered("b", shape.size() - 2);
  for (size_t i = 0; i + 2 < shape.size(); ++i) domain.dims.push_back(parallel(batch[i], shape[i]));
  domain.dims.push_back(parallel("m", shape[shape.size() - 2]));
  domain.dims.push_back(parallel("n", shape.back()));
  domain.coords = dimsFrom(0, shape.size());
  domain.vectorDim = lastDim(domain.dims);
  return domain;
}

/// Dims of a value of \p shape with those of \p row moved to the end.
Domains rowDomains(const Shape &shape, const std::vector<int64_t> &row, const std::vector<std::string> &names) {
  Domains domains;
  Domain &input = domains.input;
  input.coords.resize(shape.size());
  for (const bool inRow : {false, true}) {
    if (inRow) domains.outer = input.dims.size();
    for (size_t i = 0; i < shape.size(); ++i) {
      if (std::binary_search(row.begin(), row.end(), static_cast<int64_t>(i)) != inRow) continue;
      input.coords[i] = tensor::dim(static_cast<int>(input.dims.size()));
      input.dims.push_back(parallel(names[i], shape[i]));
    }
  }
  input.vectorDim = lastDim(input.dims);
  domains.output = input;
  return domains;
}

/// r for the outer dims, c for those of a row.
Domains normDomains(const Shape &shape, const std::vector<int64_t> &row) {
  const std::vector<std::string> outer = numbered("r", shape.size() - row.size()), inner = numbered("c", row.size());
  std::vector<std::string> names;
  size_t outerUsed = 0, innerUsed = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool inRow = std::binary_search(row.begin(), row.end(), static_cast<int64_t>(i));
    names.push_back(inRow ? inner[innerUsed++] : outer[outerUsed++]);
  }
  return rowDomains(shape, row, names);
}

Domains reduceDomains(const Shape &shape, const graph::ReduceAttributes &reduce) {
  Domains domains = rowDomains(shape, reduce.axes, valueDimNames(shape.size()));
  Domain &output = domains.output;
  output.dims.resize(domains.outer);
  output.coords.clear();
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool reduced = std::binary_search(reduce.axes.begin(), reduce.axes.end(), static_cast<int64_t>(i));
    if (!reduced) output.coords.push_back(domains.input.coords[i]);
    if (reduced && reduce.keepDims) output.coords.push_back(tensor::constant(0));
  }
  output.vectorDim = lastDim(output.dims);
  return domains;
}

}  // namespace

std::vector<std::string> spatialNames(size_t count) {
  const std::vector<std::string> names = {"z", "y", "x"};
  if (count > names.size()) return numbered("s", count);
  return {names.end() - static_cast<std::ptrdiff_t>(count), names.end()};
}

Domains mapDomains(const Shape &shape) {
  Domain domain;
  const std::vector<std::string> names = valueDimNames(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) domain.dims.push_back(parallel(names[i], shape[i]));
  domain.coords = dimsFrom(0, shape.size());
  domain.vectorDim = lastDim(domain.dims);
  return {domain, domain, 0};
}

Domains anchorDomains(const Graph &graph, const Node &node) {
  const Shape &shape = graph.values[static_cast<size_t>(node.output)].type.shape;
  switch (node.op) {
    case Op::Conv:
      return {{}, convDomain(graph, node), 0};
    case Op::Pool:
      return {{}, windowDomain(shape, "c"), 0};
    case Op::MatMul:
      return {{}, matMulDomain(shape), 0};
    case Op::Reduce:
      return reduceDomains(graph.values[static_cast<size_t>(node.inputs[0])].type.shape,
                           std::get<graph::ReduceAttributes>(node.attributes));
    case Op::Softmax:
    case Op::LogSoftmax:
      return normDomains(shape, {std::get<graph::AxisAttributes>(node.attributes).axis});
    case Op::LayerNorm: {
      std::vector<int64_t> row;
      for (int64_t i = std::get<graph::LayerNormAttributes>(node.attributes).axis;
           i < static_cast<int64_t>(shape.size()); ++i) {
        row.push_back(i);
      }
      return normDomains(shape, row);
    }
    default:
      return mapDomains(shape);
  }
}

}  // namespace hone::plan
