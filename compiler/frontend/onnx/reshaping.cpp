// Operators that give the same elements in another shape.
#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// Replaces 0 by the data's own extent (unless zeros are meant) and -1 by what is left over.
absl::StatusOr<Shape> resolveShape(const Shape &from, const Shape &wanted, bool zeroIsZero,
                                   const ImportLimits &limits) {
  Shape shape = wanted;
  std::optional<size_t> open;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !zeroIsZero) {
      if (i >= from.size()) return invalid("shape ", graph::shapeText(wanted), " copies dim ", i, " of ", from.size());
      shape[i] = from[i];
    }
    if (shape[i] != -1) continue;
    if (open) return invalid("shape ", graph::shapeText(wanted), " leaves two dims open");
    open = i;
    shape[i] = 1;
  }
  HONE_ASSIGN_OR_RETURN(int64_t known, checkedElements(shape, limits));
  HONE_ASSIGN_OR_RETURN(int64_t elements, checkedElements(from, limits));
  bool fits = open ? known != 0 && elements % known == 0 : elements == known;
  if (!fits) {
    return invalid("shape ", graph::shapeText(from), " with ", elements, " elements cannot become ",
                   graph::shapeText(wanted));
  }
  if (open) shape[*open] = elements / known;
  return shape;
}

/// What is computed from data may become 0 or -1, which mean other dims.
absl::Status checkIsASize(const Builder &build, size_t axis, ValueId size, bool zeroIsZero) {
  const KnownNumbers *numbers = build.numbers(size);
  const int64_t least = zeroIsZero ? 0 : 1;
  if (numbers == nullptr || !numbers->isOfData || lowest(build, size).value_or(least) >= least) return absl::OkStatus();
  return unsupported("size ", axis, " is computed from data and may be ", zeroIsZero ? "-1" : "0 or -1",
                     ", which do not stand for themselves; keep it above by Max");
}

/// Reshape where the shape, or the data's own, is known at run time only.
Result reshapeAtRunTime(NodeContext &node, bool zeroIsZero) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::vector<ValueId> sizes, elementsOf(build, node.input(1)));
  bool isOpen = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const graph::ConstantData *known = build.constant(sizes[i]);
    if (known == nullptr) {
      HONE_RETURN_IF_ERROR(checkIsASize(build, i, sizes[i], zeroIsZero));
      continue;
    }
    const int64_t size = graph::elementAsInteger(*known, 0);
    if (size == 0 && !zeroIsZero) {
      if (i >= node.shape(0).size()) return invalid("the shape copies dim ", i, " of ", node.rank(0));
      HONE_ASSIGN_OR_RETURN(sizes[i], sizeOf(build, node.input(0), static_cast<int64_t>(i)));
    }
    if (size >= 0) continue;
    if (isOpen || size != -1) return invalid("the shape leaves more than one dim open");
    isOpen = true;
    sizes[i] = kOpenSize;
  }
  return reshapeTo(build, node.input(0), std::move(sizes));
}

}  // namespace

absl::StatusOr<Operands> importIdentity(NodeContext &node) { return Operands{node.operands()[0]}; }

Result importReshape(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t allowZero, node.integer("allowzero", 0));
  if (node.version() >= 5 && (node.build.isBounded(node.input(0)) || node.build.numbers(node.input(1)) != nullptr)) {
    return reshapeAtRunTime(node, allowZero != 0);
  }
  HONE_ASSIGN_OR_RETURN(Shape wanted, node.version() < 5 ? node.integers("shape") : node.constantIntegers(1, "shape"));
  HONE_ASSIGN_OR_RETURN(Shape shape, resolveShape(node.shape(0), wanted, allowZero != 0, node.limits()));
  return node.build.reshape(node.input(0), shape);
}

Result importFlatten(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 1));
  const Shape &shape = node.shape(0);
  // One more place than there are axes: the split may come after the last.
  HONE_ASSIGN_OR_RETURN(axis, axis == node.rank(0) ? axis : normalizeAxis(axis, node.rank(0)));
  auto multiply = std::multiplies<int64_t>();
  int64_t outer = std::accumulate(shape.begin(), shape.begin() + axis, int64_t{1}, multiply);
  int64_t inner = std::accumulate(shape.begin() + axis, shape.end(), int64_t{1}, multiply);
  return node.build.reshape(node.input(0), {outer, inner});
}

Result importSqueeze(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> axes, node.listFrom("axes", 1));
  const Shape &from = node.shape(0);
  if (axes) {
    HONE_ASSIGN_OR_RETURN(axes, normalizeAxes(*axes, node.rank(0)));
  }
  Shape shape;
  for (size_t i = 0; i < from.size(); ++i) {
    bool isNamed = axes && std::binary_search(axes->begin(), axes->end(), static_cast<int64_t>(i));
    if (isNamed && from[i] != 1) return invalid("dim ", i, " of ", graph::shapeText(from), " is not 1");
    if (axes ? !isNamed : from[i] != 1) shape.push_back(from[i]);
  }
  return node.build.reshape(node.input(0), shape);
}

Result importUnsqueeze(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> axes, node.listFrom("axes", 1));
  if (!axes) return invalid("the axes are missing");
  int64_t rank = node.rank(0) + static_cast<int64_t>(axes->size());
  HONE_ASSIGN_OR_RETURN(axes, normalizeAxes(*axes, rank));
  Shape shape = node.shape(0);
  for (int64_t axis : *axes) shape.insert(shape.begin() + axis, 1);
  return node.build.reshape(node.input(0), shape);
}

Result importExpand(NodeContext &node) {
  if (node.build.isBounded(node.input(0)) || node.build.numbers(node.input(1)) != nullptr) {
    HONE_ASSIGN_OR_RETURN(std::vector<ValueId> sizes, elementsOf(node.build, node.input(1)));
    return expandTo(node.build, node.input(0), sizes);
  }
  HONE_ASSIGN_OR_RETURN(Shape wanted, node.constantIntegers(1, "shape"));
  HONE_RETURN_IF_ERROR(checkedElements(wanted, node.limits()).status());
  std::optional<Shape> shape = graph::broadcastShapes(node.shape(0), wanted);
  if (!shape) {
    return invalid("shape ", graph::shapeText(node.shape(0)), " does not broadcast to ", graph::shapeText(wanted));
  }
  return node.build.broadcast(node.input(0), *shape);
}

}  // namespace hone::frontend
