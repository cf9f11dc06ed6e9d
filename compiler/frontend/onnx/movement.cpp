// Operators that move elements to other places.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {
namespace {

// No extent is larger, so that indices and steps beyond mean the same as these; it keeps sums from overflowing.
constexpr int64_t kFarAway = int64_t{1} << 40;
constexpr int64_t kMostRounds = 1000;

struct Range {
  int64_t start, step, count;
};

/// Python's rule for start:end:step over \p extent elements.
Range resolveRange(int64_t start, int64_t end, int64_t step, int64_t extent) {
  step = std::clamp(step, -kFarAway, kFarAway);
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? extent : extent - 1;
  start = std::clamp(start, std::min(step > 0 ? lowest : int64_t{0}, highest), highest);
  end = std::clamp(end, std::min(lowest, highest), highest);
  int64_t away = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
  int64_t count = away <= 0 ? 0 : (away + stride - 1) / stride;
  return {count == 0 ? 0 : start, step, count};
}

/// One of Slice's lists: an operand from version 10 on, before that an attribute.
absl::StatusOr<std::optional<std::vector<int64_t>>> sliceList(const NodeContext &node, const char *name, int position) {
  if (node.version() >= 10) return node.has(position) ? node.listFrom(name, position) : std::nullopt;
  return node.listFrom(name, node.inputCount());
}

/// The extents of Split's parts.
absl::StatusOr<std::vector<int64_t>> splitExtents(const NodeContext &node, int64_t extent) {
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> extents, node.listFrom("split", 1));
  auto parts = static_cast<int64_t>(node.outputCount());
  if (extents) {
    bool isValid = static_cast<int64_t>(extents->size()) == parts;
    int64_t left = extent;
    for (int64_t part : *extents) {
      isValid = isValid && part >= 0 && part <= left;
      if (isValid) left -= part;
    }
    if (isValid && left == 0) return *extents;
    return invalid("parts of ", graph::shapeText(*extents), " do not divide ", extent, " elements among ", parts,
                   " outputs");
  }
  HONE_ASSIGN_OR_RETURN(int64_t wanted, node.integer("num_outputs", parts));
  if (wanted != parts) return invalid("attribute 'num_outputs' is ", wanted, ", but there are ", parts, " outputs");
  if (node.version() < 18 && extent % parts != 0) {
    return invalid(extent, " elements do not divide into ", parts, " equal parts");
  }
  int64_t part = (extent + parts - 1) / parts;
  std::vector<int64_t> result(static_cast<size_t>(parts), part);
  result.back() = extent - part * (parts - 1);
  if (result.back() < 0) return invalid(extent, " elements do not divide into ", parts, " parts");
  return result;
}

/// Begins and ends of Pad for every dim, from wherever this version keeps them.
absl::StatusOr<Shape> padAmounts(const NodeContext &node) {
  const char *name = node.version() < 2 ? "paddings" : "pads";
  HONE_ASSIGN_OR_RETURN(Shape pads, node.version() < 11 ? node.integers(name) : node.constantIntegers(1, name));
  auto rank = static_cast<size_t>(node.rank(0));
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (node.version() >= 18 && node.has(3)) {
    HONE_ASSIGN_OR_RETURN(axes, node.constantIntegers(3, "axes"));
    // Sorting checks the axes; the pads go with the unsorted ones.
    HONE_RETURN_IF_ERROR(normalizeAxes(axes, node.rank(0)).status());
  }
  if (pads.size() != 2 * axes.size()) {
    return invalid("pads ", graph::shapeText(pads), " need a begin and an end for each of ", axes.size(), " dims");
  }
  Shape result(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + node.rank(0) : axes[i]);
    result[axis] = std::clamp(pads[i], -kFarAway, kFarAway);
    result[rank + axis] = std::clamp(pads[axes.size() + i], -kFarAway, kFarAway);
  }
  return result;
}

/// Negative pads cut off; what remains of \p pads is not negative.
Result cropNegative(Builder &build, ValueId data, Shape &pads) {
  size_t rank = pads.size() / 2;
  Shape starts(rank, 0), extents = build.shape(data);
  for (size_t i = 0; i < rank; ++i) {
    starts[i] = std::max<int64_t>(-pads[i], 0);
    extents[i] -= starts[i] + std::max<int64_t>(-pads[rank + i], 0);
    if (extents[i] < 0) return invalid("pads ", graph::shapeText(pads), " cut off more than there is");
    pads[i] = std::max<int64_t>(pads[i], 0);
    pads[rank + i] = std::max<int64_t>(pads[rank + i], 0);
  }
  return build.slice(data, starts, Shape(rank, 1), extents);
}

/// Slice where its ends, or the extents that they are in, are known at run time only.
Result sliceAtRunTime(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::vector<ValueId> first, elementsOf(build, node.input(1)));
  HONE_ASSIGN_OR_RETURN(std::vector<ValueId> last, elementsOf(build, node.input(2)));
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> axes, sliceList(node, "axes", 3));
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> steps, sliceList(node, "steps", 4));
  if (!axes) {
    axes.emplace(first.size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (!steps) steps.emplace(first.size(), 1);
  if (last.size() != first.size() || axes->size() != first.size() || steps->size() != first.size()) {
    return invalid("starts, ends, axes and steps differ in length");
  }
  HONE_RETURN_IF_ERROR(normalizeAxes(*axes, node.rank(0)).status());
  ValueId data = node.input(0);
  for (size_t i = 0; i < first.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(int64_t axis, normalizeAxis((*axes)[i], node.rank(0)));
    if ((*steps)[i] == 0) return invalid("the step of axis ", axis, " is 0");
    const int64_t step = std::clamp((*steps)[i], -kFarAway, kFarAway);
    HONE_ASSIGN_OR_RETURN(data, sliceTo(build, data, axis, first[i], last[i], step));
  }
  return data;
}

/// The extents of Split's parts as scalars: those that are given, or equal ones of which the last may be shorter.
absl::StatusOr<std::vector<ValueId>> partSizes(NodeContext &node, int64_t axis) {
  Builder &build = node.build;
  const bool isOperand = node.version() >= 13 && node.has(1);
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> given,
                        isOperand ? std::nullopt : node.listFrom("split", node.inputCount()));
  if (isOperand) return elementsOf(build, node.input(1));
  std::vector<ValueId> sizes;
  for (int64_t size : given.value_or(std::vector<int64_t>())) {
    HONE_ASSIGN_OR_RETURN(sizes.emplace_back(), build.integer(DType::I64, size));
  }
  if (given) return sizes;
  const int64_t parts = node.outputCount();
  HONE_ASSIGN_OR_RETURN(int64_t wanted, node.integer("num_outputs", parts));
  if (wanted != parts) return invalid("attribute 'num_outputs' is ", wanted, ", but there are ", parts, " outputs");
  const Result raised =
      build.apply(ScalarOp::Add, {sizeOf(build, node.input(0), axis), build.integer(DType::I64, parts - 1)});
  HONE_ASSIGN_OR_RETURN(ValueId size, build.apply(ScalarOp::Div, {raised, build.integer(DType::I64, parts)}));
  return std::vector<ValueId>(static_cast<size_t>(parts), size);
}

/// Split where its parts, or what they are of, are known at run time only.
Result splitAtRunTime(NodeContext &node, int64_t axis) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::vector<ValueId> sizes, partSizes(node, axis));
  if (sizes.size() != static_cast<size_t>(node.outputCount())) {
    return invalid(sizes.size(), " parts for ", node.outputCount(), " outputs");
  }
  HONE_ASSIGN_OR_RETURN(ValueId start, build.integer(DType::I64, 0));
  std::vector<ValueId> parts;
  for (ValueId size : sizes) {
    HONE_ASSIGN_OR_RETURN(ValueId end, build.apply(ScalarOp::Add, {start, size}));
    HONE_ASSIGN_OR_RETURN(parts.emplace_back(), sliceTo(build, node.input(0), axis, start, end, 1));
    start = end;
  }
  for (size_t i = 1; i < parts.size(); ++i) node.addOutput(parts[i]);
  return parts[0];
}

/// \p data repeated along \p axis, where its size there or how often is known at run time only.
Result tileAxis(Builder &build, ValueId data, int64_t axis, ValueId times) {
  const std::optional<int64_t> most = highest(build, times);
  if (!most) return unsupported("nothing bounds how often axis ", axis, " is repeated");
  int64_t bound = 0;
  if (*most < 0 || __builtin_mul_overflow(build.shape(data)[static_cast<size_t>(axis)], *most, &bound)) {
    return invalid("axis ", axis, " is repeated ", *most, " times");
  }
  Shape wide = build.shape(data);
  wide[static_cast<size_t>(axis)] = bound;
  HONE_RETURN_IF_ERROR(build.checkSize({build.dtype(data), wide}));
  const Result size = sizeOf(build, data, axis);
  const Result from = build.apply(ScalarOp::FloorMod, {count(build, bound), size});
  Extents extents = build.allExtents(data);
  HONE_ASSIGN_OR_RETURN(extents[static_cast<size_t>(axis)], build.apply(ScalarOp::Mul, {size, times}));
  return build.bounded(build.gather(build.asBounds(data, build.shape(data)), from, axis), std::move(extents));
}

}  // namespace

Result sliceAxis(Builder &build, ValueId data, int64_t axis, int64_t start, int64_t extent) {
  Shape starts(build.shape(data).size(), 0), steps(starts.size(), 1), extents = build.shape(data);
  starts[static_cast<size_t>(axis)] = start;
  extents[static_cast<size_t>(axis)] = extent;
  return build.slice(data, starts, steps, extents);
}

Result importConcat(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.version() < 4 ? node.integer("axis", 1) : node.integer("axis"));
  std::vector<Result> parts;
  for (int i = 0; i < node.inputCount(); ++i) {
    if (!node.has(i)) return invalid("operand ", i, " is missing");
    parts.emplace_back(node.input(i));
  }
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  return node.build.concat(parts, axis);
}

Result importGather(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 0));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  return node.build.gather(node.input(0), node.input(1), axis);
}

Result importTranspose(NodeContext &node) {
  std::vector<int64_t> permutation(static_cast<size_t>(node.rank(0)));
  std::iota(permutation.rbegin(), permutation.rend(), 0);
  if (node.hasAttribute("perm")) {
    HONE_ASSIGN_OR_RETURN(permutation, node.integers("perm"));
  }
  return node.build.transpose(node.input(0), permutation);
}

Result importSlice(NodeContext &node) {
  const auto isRunTime = [&](int position) { return node.build.constant(node.input(position)) == nullptr; };
  if (node.version() >= 10 && (node.build.isBounded(node.input(0)) || isRunTime(1) || isRunTime(2))) {
    return sliceAtRunTime(node);
  }
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> first, sliceList(node, "starts", 1));
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> last, sliceList(node, "ends", 2));
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> axes, sliceList(node, "axes", 3));
  HONE_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> strides, sliceList(node, "steps", 4));
  if (!first || !last) return invalid("starts and ends are missing");
  size_t count = first->size();
  if (!axes) {
    axes.emplace(count);
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (!strides) strides.emplace(count, 1);
  if (last->size() != count || axes->size() != count || strides->size() != count) {
    return invalid("starts, ends, axes and steps have ", count, ", ", last->size(), ", ", axes->size(), " and ",
                   strides->size(), " entries");
  }
  HONE_RETURN_IF_ERROR(normalizeAxes(*axes, node.rank(0)).status());
  Shape extents = node.shape(0), starts(extents.size(), 0), steps(extents.size(), 1);
  for (size_t i = 0; i < count; ++i) {
    auto axis = static_cast<size_t>((*axes)[i] < 0 ? (*axes)[i] + node.rank(0) : (*axes)[i]);
    if ((*strides)[i] == 0) return invalid("the step of axis ", axis, " is 0");
    Range range = resolveRange((*first)[i], (*last)[i], (*strides)[i], extents[axis]);
    starts[axis] = range.start;
    steps[axis] = range.step;
    extents[axis] = range.count;
  }
  return node.build.slice(node.input(0), starts, steps, extents);
}

Result importSplit(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 0));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  const bool isKnown = node.version() < 13 || !node.has(1) || node.build.constant(node.input(1)) != nullptr;
  if (!isKnown || node.build.isBounded(node.input(0), axis)) return splitAtRunTime(node, axis);
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> extents, splitExtents(node, node.shape(0)[static_cast<size_t>(axis)]));
  int64_t start = extents[0];
  HONE_ASSIGN_OR_RETURN(ValueId first, sliceAxis(node.build, node.input(0), axis, 0, extents[0]));
  for (size_t i = 1; i < extents.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(ValueId part, sliceAxis(node.build, node.input(0), axis, start, extents[i]));
    node.addOutput(part);
    start += extents[i];
  }
  return first;
}

// Every repeated dim becomes two, of which the outer one is broadcast.
Result importTile(NodeContext &node) {
  if (node.version() >= 6 && (node.build.isBounded(node.input(0)) || node.build.numbers(node.input(1)) != nullptr)) {
    HONE_ASSIGN_OR_RETURN(std::vector<ValueId> times, elementsOf(node.build, node.input(1)));
    if (static_cast<int64_t>(times.size()) != node.rank(0)) {
      return invalid(times.size(), " repeats for ", node.rank(0), " dims");
    }
    Result tiled = node.input(0);
    for (size_t axis = 0; axis < times.size(); ++axis) {
      const graph::ConstantData *known = node.build.constant(times[axis]);
      if (!tiled.ok() || (known != nullptr && graph::elementAsInteger(*known, 0) == 1)) continue;
      tiled = tileAxis(node.build, *tiled, static_cast<int64_t>(axis), times[axis]);
    }
    return tiled;
  }
  const Shape &from = node.shape(0);
  std::vector<int64_t> repeats(from.size(), 1);
  if (node.version() < 6) {
    HONE_ASSIGN_OR_RETURN(int64_t tiles, node.constantInteger(1, "tiles"));
    HONE_ASSIGN_OR_RETURN(int64_t axis, node.constantInteger(2, "axis"));
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
    repeats[static_cast<size_t>(axis)] = tiles;
  } else {
    HONE_ASSIGN_OR_RETURN(repeats, node.constantIntegers(1, "repeats"));
  }
  if (repeats.size() != from.size()) return invalid(repeats.size(), " repeats for ", from.size(), " dims");
  Shape split, wide, result;
  for (size_t i = 0; i < from.size(); ++i) {
    if (repeats[i] < 0 || repeats[i] > kFarAway) return invalid("dim ", i, " is repeated ", repeats[i], " times");
    if (repeats[i] != 1 && from[i] != 1) {
      split.push_back(1);
      wide.push_back(repeats[i]);
    }
    split.push_back(from[i]);
    wide.push_back(from[i] == 1 ? repeats[i] : from[i]);
    if (__builtin_mul_overflow(from[i], repeats[i], &result.emplace_back())) {
      return invalid("dim ", i, " of ", from[i], " is repeated ", repeats[i], " times");
    }
  }
  HONE_RETURN_IF_ERROR(node.build.checkSize({node.dtype(0), result}));
  return node.build.reshape(node.build.broadcast(node.build.reshape(node.input(0), split), wide), result);
}

/// Pads with an integer that a double need not hold: a mask says where it goes.
Result padWithInteger(Builder &build, Result data, graph::PadAttributes attributes, int64_t value) {
  if (!data.ok()) return data;
  attributes.value = 0;
  Result isData = build.pad(build.broadcast(build.number(DType::Bool, 1), build.shape(*data)), attributes);
  return build.apply(ScalarOp::Select, {isData, build.pad(data, attributes), build.integer(build.dtype(*data), value)});
}

/// Pads each dim with what is at its other end, around and around.
Result padWrapped(Builder &build, ValueId data, const Shape &pads) {
  const size_t rank = pads.size() / 2;
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t extent = build.shape(data)[axis], begin = -pads[axis], end = extent + pads[rank + axis];
    if (begin == 0 && end == extent) continue;
    if (extent == 0) return invalid("dim ", axis, " has no elements to pad with");
    if ((end - begin) / extent > kMostRounds) {
      return unsupported("pads that go around dim ", axis, " of ", extent, " elements more than ", kMostRounds,
                         " times");
    }
    std::vector<Result> parts;
    for (int64_t at = begin; at < end;) {
      const int64_t from = (at % extent + extent) % extent, count = std::min(extent - from, end - at);
      parts.push_back(sliceAxis(build, data, static_cast<int64_t>(axis), from, count));
      at += count;
    }
    HONE_ASSIGN_OR_RETURN(data, build.concat(parts, static_cast<int64_t>(axis)));
  }
  return data;
}

Result importPad(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("mode", "constant"));
  HONE_ASSIGN_OR_RETURN(Shape pads, padAmounts(node));
  if (mode == "wrap" && node.version() >= 19) {
    HONE_ASSIGN_OR_RETURN(ValueId cropped, cropNegative(node.build, node.input(0), pads));
    return padWrapped(node.build, cropped, pads);
  }
  graph::PadAttributes attributes;
  if (mode == "edge") {
    attributes.mode = graph::PadMode::Edge;
  } else if (mode == "reflect") {
    attributes.mode = graph::PadMode::Reflect;
  } else if (mode != "constant") {
    return invalid("attribute 'mode' is '", mode, "', not constant, reflect", node.version() < 19 ? "" : ", wrap",
                   " or edge");
  }
  const DType dtype = node.dtype(0);
  std::optional<int64_t> integer;
  if (node.version() < 11) {
    HONE_ASSIGN_OR_RETURN(attributes.value, node.real("value", 0.0));
    if (!tensor::canHold(dtype, attributes.value)) {
      return invalid("attribute 'value' is ", attributes.value, ", which ", std::string(shortName(dtype)),
                     " cannot hold");
    }
  } else if (node.has(2) && mode == "constant") {
    HONE_ASSIGN_OR_RETURN(attributes.value, node.constantNumber(2, "constant_value"));
    if (node.dtype(2) != dtype) {
      return invalid("operand 2 (constant_value) is ", std::string(shortName(node.dtype(2))), ", but the data ",
                     std::string(shortName(dtype)));
    }
    if (isInteger(dtype)) integer = graph::elementAsInteger(*node.build.constant(node.input(2)), 0);
  }
  Result cropped = cropNegative(node.build, node.input(0), pads);
  attributes.pads = pads;
  if (cropped.ok() && node.build.isBounded(*cropped)) {
    const Result fill = integer ? node.build.integer(dtype, *integer) : node.build.number(dtype, attributes.value);
    return padAtRunTime(node.build, *cropped, std::move(attributes), fill);
  }
  constexpr double kExact = 0x1p53;  // every integer below is a double
  if (integer && std::abs(attributes.value) >= kExact) {
    return padWithInteger(node.build, cropped, attributes, *integer);
  }
  return node.build.pad(cropped, attributes);
}

// What is too long loses as much in front as behind, or one element more behind; what is too short gets zeros likewise.
Result importCenterCropPad(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Shape wanted, node.constantIntegers(1, "shape"));
  std::vector<int64_t> axes(static_cast<size_t>(node.rank(0)));
  std::iota(axes.begin(), axes.end(), 0);
  if (node.hasAttribute("axes")) {
    HONE_ASSIGN_OR_RETURN(axes, node.integers("axes"));
    HONE_RETURN_IF_ERROR(normalizeAxes(axes, node.rank(0)).status());
  }
  if (wanted.size() != axes.size()) return invalid(wanted.size(), " extents for ", axes.size(), " axes");
  const size_t rank = node.shape(0).size();
  Shape starts(rank, 0), kept = node.shape(0), pads(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + node.rank(0) : axes[i]);
    if (wanted[i] < 0 || wanted[i] > kFarAway) return invalid("extent ", wanted[i], " for axis ", axis);
    const int64_t missing = std::max<int64_t>(wanted[i] - kept[axis], 0);
    starts[axis] = std::max<int64_t>(kept[axis] - wanted[i], 0) / 2;
    kept[axis] = std::min(kept[axis], wanted[i]);
    pads[axis] = missing / 2;
    pads[rank + axis] = missing - missing / 2;
  }
  Result cropped = node.build.slice(node.input(0), starts, Shape(rank, 1), kept);
  return node.build.pad(cropped, {pads, graph::PadMode::Constant, 0});
}

// [N, b, b, C', H, W] (or [N, C', b, b, H, W] in CRD order) -> [N, C', H, b, W, b]
Result importDepthToSpace(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t block, node.integer("blocksize"));
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("mode", "DCR"));
  const Shape shape = node.shape(0);
  if (shape.size() != 4 || block < 1 || block > (1 << 15) || shape[1] % (block * block) != 0) {
    return invalid("shape ", graph::shapeText(shape), " does not divide into blocks of ", block);
  }
  if (mode != "DCR" && mode != "CRD") return invalid("attribute 'mode' is '", mode, "', not DCR or CRD");
  int64_t channels = shape[1] / (block * block);
  bool isDepthFirst = mode == "DCR";
  Shape split = isDepthFirst ? Shape{shape[0], block, block, channels, shape[2], shape[3]}
                             : Shape{shape[0], channels, block, block, shape[2], shape[3]};
  std::vector<int64_t> order =
      isDepthFirst ? std::vector<int64_t>{0, 3, 4, 1, 5, 2} : std::vector<int64_t>{0, 1, 4, 2, 5, 3};
  return node.build.reshape(node.build.transpose(node.build.reshape(node.input(0), split), order),
                            {shape[0], channels, shape[2] * block, shape[3] * block});
}

Result importSpaceToDepth(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t block, node.integer("blocksize"));
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("mode", "DCR"));
  const Shape shape = node.shape(0);
  if (shape.size() != 4 || block < 1 || block > (1 << 15) || shape[2] % block != 0 || shape[3] % block != 0) {
    return invalid("shape ", graph::shapeText(shape), " does not divide into blocks of ", block);
  }
  if (mode != "DCR" && mode != "CRD") return invalid("attribute 'mode' is '", mode, "', not DCR or CRD");
  int64_t height = shape[2] / block, width = shape[3] / block;
  Result split = node.build.reshape(node.input(0), {shape[0], shape[1], height, block, width, block});
  // The place in the block comes before the channel, or behind it.
  const std::vector<int64_t> order =
      mode == "DCR" ? std::vector<int64_t>{0, 3, 5, 1, 2, 4} : std::vector<int64_t>{0, 1, 3, 5, 2, 4};
  return node.build.reshape(node.build.transpose(split, order), {shape[0], shape[1] * block * block, height, width});
}

}  // namespace hone::frontend
