// Operators that read or write elements at places that another operand holds.
#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::KernelBuilder;
using tensor::Scalar;

absl::Status checkIndices(const NodeContext &node, int position) {
  if (isInteger(node.dtype(position))) return absl::OkStatus();
  return invalid("the indices ", graph::typeText(node.build.type(node.input(position))), " are not integers");
}

/// What an update does to the element that it meets.
enum class Update : uint8_t { Replace, Add, Multiply, Maximum, Minimum };

absl::StatusOr<Update> readUpdate(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string reduction, node.text("reduction", "none"));
  constexpr std::pair<const char *, Update> kNames[] = {{"none", Update::Replace},
                                                        {"add", Update::Add},
                                                        {"mul", Update::Multiply},
                                                        {"max", Update::Maximum},
                                                        {"min", Update::Minimum}};
  for (const auto &[name, update] : kNames) {
    if (reduction != name) continue;
    if (update != Update::Replace && node.dtype(0) == DType::Bool) {
      return unsupported("attribute 'reduction' is '", reduction, "' for bools");
    }
    return update;
  }
  return invalid("attribute 'reduction' is '", reduction, "', not none, add, mul, max or min");
}

Scalar updated(Update update, const Scalar &old, const Scalar &value) {
  switch (update) {
    case Update::Replace:
      return value;
    case Update::Add:
      return old + value;
    case Update::Multiply:
      return old * value;
    case Update::Maximum:
      return tensor::maximum(old, value);
    case Update::Minimum:
      return tensor::minimum(old, value);
  }
  return value;
}

/// Data, indices, updates and the result of a scatter; the result begins as the data.
struct ScatterBuffers {
  int indices, updates, result;
};

ScatterBuffers beginScatter(KernelBuilder &b, const Shape &shape, DType dtype, const graph::TensorType &places,
                            const Shape &updates) {
  const int data = b.input("data", shape, dtype), indices = b.input("indices", places.shape, places.dtype);
  const int values = b.input("updates", updates, dtype), result = b.output("result", shape, dtype);
  const StageDims all = dimsOver(shape);
  b.begin("copy", all.dims);
  b.put(b.get(data, all.at), result, all.at);
  return {indices, values, result};
}

/// Update \p at meets the element at \p place; outside of the result there is none, and nothing is written.
void putUpdate(KernelBuilder &b, Update update, const ScatterBuffers &buffers, const Indices &at,
               const Indices &place) {
  const Scalar value = b.get(buffers.updates, at);
  const Scalar old = update == Update::Replace ? value : b.get(buffers.result, place, 0);
  b.put(updated(update, old, value), buffers.result, place);
}

absl::Status checkUpdates(const NodeContext &node, const Shape &expected) {
  HONE_RETURN_IF_ERROR(checkIndices(node, 1));
  if (node.dtype(2) != node.dtype(0) || node.shape(2) != expected) {
    return invalid("the updates are ", graph::typeText(node.build.type(node.input(2))), ", not ",
                   graph::typeText({node.dtype(0), expected}));
  }
  return absl::OkStatus();
}

/// Checks the operands of GatherND and ScatterND: the last dim of the indices counts dims of the data from \p first on.
absl::Status checkIndexTuples(const NodeContext &node, int64_t first) {
  HONE_RETURN_IF_ERROR(checkIndices(node, 1));
  const Shape &data = node.shape(0), &indices = node.shape(1);
  if (data.empty() || indices.empty()) return invalid("data and indices need 1 dim or more");
  if (indices.back() < 1 || indices.back() > static_cast<int64_t>(data.size()) - first) {
    return invalid("the indices ", graph::shapeText(indices), " hold ", indices.back(), " positions each, for data ",
                   graph::shapeText(data));
  }
  return absl::OkStatus();
}

/// Operand 1, whose elements (or those of its last dim, one per axis) are places along \p axes of the data: negative
/// ones count from the true end, and with \p marked those in its padding are behind the data, where writes are dropped.
Result truePlaces(NodeContext &node, const std::vector<int64_t> &axes, bool isTuple, bool marked) {
  Builder &build = node.build;
  const ValueId data = node.input(0), indices = node.input(1);
  const DType dtype = node.dtype(1);
  Result places = indices;
  const auto perAxis = [&](const auto &sizeAlong) -> Result {
    std::vector<ValueId> sizes;
    for (int64_t axis : axes) {
      HONE_ASSIGN_OR_RETURN(sizes.emplace_back(), sizeAlong(axis));
    }
    return build.cast(isTuple ? listOf(build, sizes) : Result(sizes[0]), dtype);
  };
  if (std::any_of(axes.begin(), axes.end(), [&](int64_t axis) { return build.isBounded(data, axis); })) {
    const Result sizes = perAxis([&](int64_t axis) { return sizeOf(build, data, axis); });
    const Result isFromEnd = build.apply(ScalarOp::Less, {places, build.integer(dtype, 0)});
    places = build.apply(ScalarOp::Select, {isFromEnd, build.apply(ScalarOp::Add, {places, sizes}), places});
  }
  if (!marked || !build.isBounded(indices)) return places;
  std::vector<int64_t> all(static_cast<size_t>(node.rank(1)));
  std::iota(all.begin(), all.end(), 0);
  HONE_ASSIGN_OR_RETURN(std::optional<ValueId> isThere, trueElements(build, indices, all));
  const Result behind =
      perAxis([&](int64_t axis) { return build.integer(DType::I64, node.shape(0)[static_cast<size_t>(axis)]); });
  return build.apply(ScalarOp::Select, {*isThere, build.asBounds(places, node.shape(1)), behind});
}

/// The axes from \p first to \p last - 1.
std::vector<int64_t> axesBetween(size_t first, size_t last) {
  std::vector<int64_t> axes(last - first);
  std::iota(axes.begin(), axes.end(), static_cast<int64_t>(first));
  return axes;
}

}  // namespace

Result importGatherElements(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 0));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  HONE_RETURN_IF_ERROR(checkIndices(node, 1));
  const Shape &shape = node.shape(0), &result = node.shape(1);
  const auto along = static_cast<size_t>(axis);
  bool fits = result.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = i == along || result[i] <= shape[i];
  if (!fits) {
    return invalid("the indices ", graph::shapeText(result), " reach outside of data ", graph::shapeText(shape));
  }
  KernelBuilder b("gather_elements");
  const int data = b.input("data", shape, node.dtype(0)), indices = b.input("indices", result, node.dtype(1));
  const int output = b.output("result", result, node.dtype(0));
  const StageDims all = dimsOver(result);
  b.begin("gather", all.dims);
  b.put(b.get(data, withIndex(all.at, along, placeFrom(indices, all.at, shape[along]))), output, all.at);
  return node.build.computeBounded(b.finish(), {node.input(0), truePlaces(node, {axis}, false, false)},
                                   node.build.allExtents(node.input(1)));
}

Result importGatherND(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t batches, node.integer("batch_dims", 0));
  const Shape &data = node.shape(0), &indices = node.shape(1);
  if (batches < 0 || batches >= std::min(node.rank(0), node.rank(1)) ||
      !std::equal(data.begin(), data.begin() + batches, indices.begin())) {
    return invalid("attribute 'batch_dims' is ", batches, " for data ", graph::shapeText(data), " and indices ",
                   graph::shapeText(indices));
  }
  HONE_RETURN_IF_ERROR(checkIndexTuples(node, batches));
  const size_t first = static_cast<size_t>(batches), tuples = indices.size() - 1;
  const size_t rest = first + static_cast<size_t>(indices.back());
  Shape shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), data.begin() + static_cast<std::ptrdiff_t>(rest), data.end());

  KernelBuilder b("gather_nd");
  const int from = b.input("data", data, node.dtype(0)), places = b.input("indices", indices, node.dtype(1));
  const int output = b.output("result", shape, node.dtype(0));
  const StageDims all = dimsOver(shape);
  const Indices tuple(all.at.begin(), all.at.begin() + static_cast<std::ptrdiff_t>(tuples));
  Indices source(tuple.begin(), tuple.begin() + batches);
  for (size_t d = first; d < rest; ++d) {
    Indices at = tuple;
    at.push_back(tensor::constant(static_cast<int64_t>(d - first)));
    source.push_back(placeFrom(places, at, data[d]));
  }
  source.insert(source.end(), all.at.begin() + static_cast<std::ptrdiff_t>(tuples), all.at.end());
  b.begin("gather", all.dims);
  b.put(b.get(from, source), output, all.at);
  const Extents outer = node.build.allExtents(node.input(1)), inner = node.build.allExtents(node.input(0));
  Extents extents(outer.begin(), outer.end() - 1);
  extents.insert(extents.end(), inner.begin() + static_cast<std::ptrdiff_t>(rest), inner.end());
  const Result truly = truePlaces(node, axesBetween(first, rest), true, false);
  return node.build.computeBounded(b.finish(), {node.input(0), truly}, std::move(extents));
}

// Only updates that differ in their place along the axis can meet: that dim is serial, so that later ones come last.
Result importScatterElements(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 0));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  HONE_ASSIGN_OR_RETURN(Update update, readUpdate(node));
  const Shape data = node.shape(0), indices = node.shape(1);
  const auto along = static_cast<size_t>(axis);
  HONE_RETURN_IF_ERROR(checkUpdates(node, indices));
  bool fits = indices.size() == data.size();
  for (size_t i = 0; fits && i < data.size(); ++i) fits = i == along || indices[i] <= data[i];
  if (!fits) {
    return invalid("the indices ", graph::shapeText(indices), " reach outside of data ", graph::shapeText(data));
  }
  if (node.build.type(node.input(1)).elements() == 0) return node.input(0);
  KernelBuilder b("scatter_elements");
  const ScatterBuffers buffers = beginScatter(b, data, node.dtype(0), node.build.type(node.input(1)), indices);
  const StageDims each = dimsOver(indices, "u", {along});
  const Indices place = withIndex(each.at, along, targetFrom(buffers.indices, each.at, data[along]));
  b.begin("update", each.dims);
  putUpdate(b, update, buffers, each.at, place);
  return node.build.computeBounded(b.finish(), {node.input(0), truePlaces(node, {axis}, false, true), node.input(2)},
                                   node.build.allExtents(node.input(0)));
}

Result importScatterND(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Update update, readUpdate(node));
  HONE_RETURN_IF_ERROR(checkIndexTuples(node, 0));
  const Shape &data = node.shape(0);
  Shape indices = node.shape(1);
  const auto places = static_cast<size_t>(indices.back());
  Shape updates(indices.begin(), indices.end() - 1);
  updates.insert(updates.end(), data.begin() + static_cast<std::ptrdiff_t>(places), data.end());
  HONE_RETURN_IF_ERROR(checkUpdates(node, updates));
  if (node.build.type(node.input(1)).elements() == 0) return node.input(0);
  // A single tuple is a list of one: what reads and writes the result has to be serial.
  if (indices.size() == 1) {
    indices.insert(indices.begin(), 1);
    updates.insert(updates.begin(), 1);
  }
  const size_t tuples = indices.size() - 1;
  std::set<size_t> scans;
  for (size_t d = 0; d < tuples; ++d) scans.insert(d);

  KernelBuilder b("scatter_nd");
  const ScatterBuffers buffers = beginScatter(b, node.shape(0), node.dtype(0), {node.dtype(1), indices}, updates);
  const StageDims each = dimsOver(updates, "u", scans);
  Indices place;
  for (size_t d = 0; d < places; ++d) {
    Indices at(each.at.begin(), each.at.begin() + static_cast<std::ptrdiff_t>(tuples));
    at.push_back(tensor::constant(static_cast<int64_t>(d)));
    place.push_back(targetFrom(buffers.indices, at, data[d]));
  }
  place.insert(place.end(), each.at.begin() + static_cast<std::ptrdiff_t>(tuples), each.at.end());
  b.begin("update", each.dims);
  putUpdate(b, update, buffers, each.at, place);
  const Result truly = truePlaces(node, axesBetween(0, places), true, true);
  return node.build.computeBounded(
      b.finish(),
      {node.input(0), node.build.asBounds(truly, indices), node.build.asBounds(Result(node.input(2)), updates)},
      node.build.allExtents(node.input(0)));
}

// Each sequence's first elements are mirrored, the others stay.
Result importReverseSequence(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t timeAxis, node.integer("time_axis", 0));
  HONE_ASSIGN_OR_RETURN(int64_t batchAxis, node.integer("batch_axis", 1));
  HONE_ASSIGN_OR_RETURN(timeAxis, normalizeAxis(timeAxis, node.rank(0)));
  HONE_ASSIGN_OR_RETURN(batchAxis, normalizeAxis(batchAxis, node.rank(0)));
  HONE_RETURN_IF_ERROR(checkIndices(node, 1));
  const Shape &shape = node.shape(0);
  const auto time = static_cast<size_t>(timeAxis), batch = static_cast<size_t>(batchAxis);
  if (time == batch) return invalid("time_axis and batch_axis are both ", timeAxis);
  if (node.shape(1) != Shape{shape[batch]}) {
    return invalid("the lengths ", graph::shapeText(node.shape(1)), " are not one for each of ", shape[batch],
                   " sequences");
  }
  KernelBuilder b("reverse_sequence");
  const int data = b.input("data", shape, node.dtype(0)), lengths = b.input("lengths", node.shape(1), node.dtype(1));
  const int output = b.output("result", shape, node.dtype(0));
  const StageDims all = dimsOver(shape);
  const tensor::Index mirrored = tensor::load(lengths, {all.at[batch]}) + (all.at[time] * -1 - 1);
  const Scalar isInside =
      tensor::apply(ScalarOp::LessEqual, {tensor::number(0, DType::I64), tensor::indexValue(mirrored)});
  b.begin("mirror", all.dims);
  const Scalar moved = b.get(data, withIndex(all.at, time, tensor::clamp(mirrored, 0, shape[time] - 1)));
  b.put(tensor::select(isInside, moved, b.get(data, all.at)), output, all.at);
  return node.build.compute(b.finish(), {node.input(0), node.input(1)});
}

}  // namespace hone::frontend
