#include "compiler/frontend/build/number_ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"

namespace hone::frontend {
namespace {

using graph::Op;
using graph::Shape;
using graph::TensorType;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// More ends than this become one range for all elements.
constexpr int64_t kMostEnds = 64;
// Integers beyond are not followed: sums and products of two such numbers do not leave int64.
constexpr double kLargestInteger = (int64_t{1} << 31) - 1;
// Each operation on floats may round, and a product that goes into a sum may not: both stay within this share.
constexpr double kSlack = 1.0 / (1 << 22);
// Values that are smaller may have been flushed to 0, and larger ones of float32 are infinite.
constexpr double kLeastDivisor = 1e-30, kLargestFloat = 3e38;

struct Interval {
  double low = -kInfinity, high = kInfinity;
};

int64_t countOf(const Shape &shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
}

Interval hull(const Interval &a, const Interval &b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

Interval at(const NumberRange &range, int64_t i) {
  return {range.low[static_cast<size_t>(i)], range.high[static_cast<size_t>(i)]};
}

Interval hullOf(const NumberRange &range) {
  Interval all = at(range, 0);
  for (int64_t i = 1; i < countOf(range.shape); ++i) all = hull(all, at(range, i));
  return all;
}

NumberRange uniform(const Interval &ends, size_t rank) { return {Shape(rank, 1), {ends.low}, {ends.high}}; }

bool isAnything(const NumberRange &range) {
  return std::all_of(range.low.begin(), range.low.end(), [](double end) { return end == -kInfinity; }) &&
         std::all_of(range.high.begin(), range.high.end(), [](double end) { return end == kInfinity; });
}

/// A range of \p shape, whose element at \p index is `of(index)`.
template <typename Function>
NumberRange generate(Shape shape, const Function &of) {
  NumberRange range{std::move(shape), {}, {}};
  Shape index(range.shape.size(), 0);
  for (int64_t i = 0; i < countOf(range.shape); ++i) {
    const Interval ends = of(static_cast<const Shape &>(index));
    range.low.push_back(ends.low);
    range.high.push_back(ends.high);
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < range.shape[d]) break;
      index[d] = 0;
    }
  }
  return range;
}

/// The ends at \p index of a shape to which \p range spreads by numpy's rule.
Interval endsAt(const NumberRange &range, const Shape &index) {
  int64_t place = 0;
  const size_t behind = index.size() - range.shape.size();
  for (size_t d = 0; d < range.shape.size(); ++d) {
    place = place * range.shape[d] + (range.shape[d] == 1 ? 0 : index[behind + d]);
  }
  return at(range, place);
}

/// \p range with one range for all elements along \p axis.
NumberRange collapsed(const NumberRange &range, size_t axis) {
  if (range.shape[axis] == 1) return range;
  Shape shape = range.shape;
  shape[axis] = 1;
  return generate(shape, [&](Shape index) {
    Interval ends = endsAt(range, index);
    for (index[axis] = 1; index[axis] < range.shape[axis]; ++index[axis]) ends = hull(ends, endsAt(range, index));
    return ends;
  });
}

// -------------------------------------------------------------------------------------------------- arithmetic

/// The hull of what \p function makes of the ends.
template <typename Function>
Interval ofEnds(const Interval &a, const Interval &b, const Function &function) {
  const double ends[] = {function(a.low, b.low), function(a.low, b.high), function(a.high, b.low),
                         function(a.high, b.high)};
  if (std::any_of(std::begin(ends), std::end(ends), [](double end) { return std::isnan(end); })) return {};
  return {*std::min_element(std::begin(ends), std::end(ends)), *std::max_element(std::begin(ends), std::end(ends))};
}

/// What was computed, with room for rounding; integers that might have left their type can be anything.
Interval computed(Interval ends, DType dtype) {
  if (std::isnan(ends.low) || std::isnan(ends.high)) return {};
  if (isInteger(dtype)) {
    ends = {std::floor(ends.low), std::ceil(ends.high)};
    return ends.low >= -kLargestInteger && ends.high <= kLargestInteger ? ends : Interval{};
  }
  ends.low -= std::fabs(ends.low) * kSlack;
  ends.high += std::fabs(ends.high) * kSlack;
  if (ends.low < -kLargestFloat) ends.low = -kInfinity;
  if (ends.high > kLargestFloat) ends.high = kInfinity;
  return ends;
}

Interval applied(ScalarOp op, const std::vector<Interval> &x, DType dtype) {
  switch (op) {
    case ScalarOp::Neg:
      return computed({-x[0].high, -x[0].low}, dtype);
    case ScalarOp::Floor:
      return {std::floor(x[0].low), std::floor(x[0].high)};
    case ScalarOp::Ceil:
      return {std::ceil(x[0].low), std::ceil(x[0].high)};
    case ScalarOp::Round:
      return {std::floor(x[0].low), std::ceil(x[0].high)};
    case ScalarOp::Add:
      return computed({x[0].low + x[1].low, x[0].high + x[1].high}, dtype);
    case ScalarOp::Sub:
      return computed({x[0].low - x[1].high, x[0].high - x[1].low}, dtype);
    case ScalarOp::Mul:
      return computed(ofEnds(x[0], x[1], std::multiplies<double>()), dtype);
    case ScalarOp::Div:
      if (x[1].low < kLeastDivisor && x[1].high > -kLeastDivisor) return {};
      return computed(ofEnds(x[0], x[1], std::divides<double>()), dtype);
    case ScalarOp::Min:
      return {std::min(x[0].low, x[1].low), std::min(x[0].high, x[1].high)};
    case ScalarOp::Max:
      return {std::max(x[0].low, x[1].low), std::max(x[0].high, x[1].high)};
    case ScalarOp::Select:
      return hull(x[1], x[2]);
    default:
      return {};
  }
}

std::optional<NumberRange> elementwise(ScalarOp op, std::vector<NumberRange> operands, const TensorType &type) {
  Shape shape(type.shape.size(), 1);
  for (size_t i = op == ScalarOp::Select ? 1 : 0; i < operands.size(); ++i) {
    const std::optional<Shape> wider = graph::broadcastShapes(shape, operands[i].shape);
    if (!wider) return std::nullopt;
    shape = *wider;
  }
  if (countOf(shape) > kMostEnds) {
    for (NumberRange &operand : operands) operand = uniform(hullOf(operand), operand.shape.size());
    shape = Shape(shape.size(), 1);
  }
  return generate(shape, [&](const Shape &index) {
    std::vector<Interval> ends;
    for (size_t i = 0; i < operands.size(); ++i) {
      const bool isCondition = op == ScalarOp::Select && i == 0;
      ends.push_back(isCondition ? Interval{} : endsAt(operands[i], index));
    }
    return applied(op, ends, type.dtype);
  });
}

Interval castEnds(Interval ends, DType from, DType to) {
  if (!hasRange(from)) return {};
  if (!isInteger(to)) return computed(ends, to);
  if (isInteger(from)) return computed(ends, to);
  // Infinite ends would become the type's; NaN becomes 0.
  return computed(hull({std::trunc(ends.low), std::trunc(ends.high)}, {0, 0}), to);
}

/// Along each axis that is reduced an extreme is no lower than the highest of the low ends, and so on.
NumberRange extreme(graph::ReduceKind kind, NumberRange range, const graph::ReduceAttributes &reduce) {
  const bool isMax = kind == graph::ReduceKind::Max;
  for (const int64_t reduced : reduce.axes) {
    const auto axis = static_cast<size_t>(reduced);
    Shape shape = range.shape;
    shape[axis] = 1;
    range = generate(shape, [&](Shape index) {
      Interval ends = endsAt(range, index);
      for (index[axis] = 1; index[axis] < range.shape[axis]; ++index[axis]) {
        ends = applied(isMax ? ScalarOp::Max : ScalarOp::Min, {ends, endsAt(range, index)}, DType::F64);
      }
      return ends;
    });
  }
  if (reduce.keepDims) return range;
  for (auto axis = reduce.axes.rbegin(); axis != reduce.axes.rend(); ++axis)
    range.shape.erase(range.shape.begin() + *axis);
  return range;
}

// ---------------------------------------------------------------------------------------------------- movement

/// Many vectors of a few elements, [n, 2, 2] as [n, 4]: what is known of each place in them; nothing where none is.
std::optional<NumberRange> lastDimsKept(const NumberRange &range, const Shape &from, const Shape &to) {
  size_t i = from.size();
  int64_t inner = 1;
  Shape spread = range.shape;
  std::optional<NumberRange> kept;
  while (i > 0 && inner * from[i - 1] <= kMostEnds) {
    --i;
    inner *= from[i];
    spread[i] = from[i];
    size_t j = to.size();
    int64_t innerOfTo = 1;
    while (j > 0 && innerOfTo < inner) innerOfTo *= to[--j];
    if (innerOfTo != inner) continue;
    if (std::any_of(range.shape.begin(), range.shape.begin() + static_cast<std::ptrdiff_t>(i),
                    [](int64_t extent) { return extent != 1; })) {
      continue;
    }
    kept = spreadTo(range, spread);
    kept->shape = Shape(j, 1);
    kept->shape.insert(kept->shape.end(), to.begin() + static_cast<std::ptrdiff_t>(j), to.end());
  }
  return kept;
}

NumberRange reshaped(const NumberRange &range, const Shape &from, const Shape &to) {
  // Only ones come and go: what is left keeps its ends.
  Shape left, kept(to.size(), 1), ends;
  for (size_t d = 0; d < from.size(); ++d) {
    if (from[d] == 1) continue;
    left.push_back(from[d]);
    ends.push_back(range.shape[d]);
  }
  size_t next = 0;
  bool isSame = true;
  for (size_t d = 0; d < to.size() && isSame; ++d) {
    if (to[d] == 1) continue;
    isSame = next < left.size() && left[next] == to[d];
    if (isSame) kept[d] = ends[next++];
  }
  if (isSame && next == left.size()) return {kept, range.low, range.high};
  if (countOf(from) <= kMostEnds) {
    NumberRange all = spreadTo(range, from);
    all.shape = to;
    return all;
  }
  return lastDimsKept(range, from, to).value_or(uniform(hullOf(range), to.size()));
}

NumberRange transposed(const NumberRange &range, const std::vector<int64_t> &permutation) {
  Shape shape;
  for (const int64_t axis : permutation) shape.push_back(range.shape[static_cast<size_t>(axis)]);
  return generate(shape, [&](const Shape &index) {
    Shape from(index.size());
    for (size_t d = 0; d < index.size(); ++d) from[static_cast<size_t>(permutation[d])] = index[d];
    return endsAt(range, from);
  });
}

NumberRange sliced(const NumberRange &range, const graph::SliceAttributes &slice, const Shape &kept) {
  Shape shape = range.shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1) shape[d] = kept[d];
  }
  return generate(shape, [&](Shape index) {
    for (size_t d = 0; d < index.size(); ++d) index[d] = slice.starts[d] + index[d] * slice.steps[d];
    return endsAt(range, index);
  });
}

NumberRange gathered(NumberRange range, const Shape &data, size_t axis, const Shape &places,
                     const graph::ConstantData *indices) {
  const int64_t count = countOf(range.shape) / range.shape[axis] * countOf(places);
  if (indices == nullptr || count > kMostEnds) range = collapsed(range, axis);
  const bool isPicked = range.shape[axis] != 1;
  const auto along = static_cast<std::ptrdiff_t>(axis);
  Shape shape(range.shape.begin(), range.shape.begin() + along);
  const Shape picked = isPicked ? places : Shape(places.size(), 1);
  shape.insert(shape.end(), picked.begin(), picked.end());
  shape.insert(shape.end(), range.shape.begin() + along + 1, range.shape.end());
  return generate(shape, [&](const Shape &index) {
    Shape from(index.begin(), index.begin() + along);
    int64_t place = 0;
    for (size_t d = 0; d < places.size(); ++d) place = place * picked[d] + index[axis + d];
    if (isPicked) {
      const int64_t wanted = graph::elementAsInteger(*indices, place);
      // Outside of the axis the nearest element is read.
      place = std::clamp<int64_t>(wanted < 0 ? wanted + data[axis] : wanted, 0, data[axis] - 1);
    }
    from.push_back(place);
    from.insert(from.end(), index.begin() + along + static_cast<std::ptrdiff_t>(places.size()), index.end());
    return endsAt(range, from);
  });
}

NumberRange joined(std::vector<NumberRange> parts, const std::vector<TensorType> &types, size_t axis) {
  // Dims in which the parts differ become one; parts that are told apart are spread along the axis.
  Shape shape = parts[0].shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool isSame =
        std::all_of(parts.begin(), parts.end(), [&](const auto &part) { return part.shape[d] == shape[d]; });
    if (d == axis || isSame) continue;
    for (NumberRange &part : parts) part = collapsed(part, d);
    shape[d] = 1;
  }
  shape[axis] = 0;
  for (const TensorType &type : types) shape[axis] += type.shape[axis];
  if (countOf(shape) > kMostEnds) {
    Interval all = hullOf(parts[0]);
    for (const NumberRange &part : parts) all = hull(all, hullOf(part));
    return uniform(all, shape.size());
  }
  return generate(shape, [&](Shape index) {
    size_t part = 0;
    while (index[axis] >= types[part].shape[axis]) index[axis] -= types[part++].shape[axis];
    return endsAt(parts[part], index);
  });
}

std::optional<NumberRange> moved(const graph::Node &node, const std::vector<NumberRange> &operands,
                                 const std::vector<TensorType> &types, const TensorType &type,
                                 const graph::ConstantData *indices) {
  const NumberRange &data = operands[0];
  switch (node.op) {
    case Op::Reshape:
      return reshaped(data, types[0].shape, type.shape);
    case Op::Transpose:
      return transposed(data, std::get<graph::TransposeAttributes>(node.attributes).permutation);
    case Op::Broadcast: {
      NumberRange wide = data;
      wide.shape.insert(wide.shape.begin(), type.shape.size() - data.shape.size(), 1);
      return wide;
    }
    case Op::Concat:
      return joined(operands, types, static_cast<size_t>(std::get<graph::AxisAttributes>(node.attributes).axis));
    case Op::Slice:
      return sliced(data, std::get<graph::SliceAttributes>(node.attributes), type.shape);
    case Op::Gather:
      return gathered(data, types[0].shape, static_cast<size_t>(std::get<graph::AxisAttributes>(node.attributes).axis),
                      types[1].shape, indices);
    default:
      return std::nullopt;
  }
}

}  // namespace

bool hasRange(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F64 || dtype == DType::I32 || dtype == DType::I64;
}

NumberRange anyNumbers(const TensorType &type) { return uniform({}, type.shape.size()); }

NumberRange rangeOfConstant(const graph::ConstantData &constant) {
  const int64_t count = constant.type.elements();
  if (count < 1 || count > kMostEnds || !hasRange(constant.type.dtype)) return anyNumbers(constant.type);
  NumberRange range{constant.type.shape, {}, {}};
  for (int64_t i = 0; i < count; ++i) {
    const double number = graph::elementAsDouble(constant, i);
    range.low.push_back(std::isnan(number) ? -kInfinity : number);
    range.high.push_back(std::isnan(number) ? kInfinity : number);
  }
  return range;
}

NumberRange spreadTo(const NumberRange &range, const Shape &shape) {
  return generate(shape, [&](const Shape &index) { return endsAt(range, index); });
}

std::optional<NumberRange> rangeOf(const graph::Node &node, const std::vector<NumberRange> &operands,
                                   const std::vector<TensorType> &types, const TensorType &type,
                                   const graph::ConstantData *indices) {
  if (!hasRange(type.dtype) || type.elements() == 0) return std::nullopt;
  std::optional<NumberRange> result;
  if (const auto *function = std::get_if<graph::ElementwiseAttributes>(&node.attributes)) {
    result = elementwise(function->op, operands, type);
  } else if (node.op == Op::Cast) {
    result = generate(operands[0].shape, [&](const Shape &index) {
      return castEnds(endsAt(operands[0], index), types[0].dtype, type.dtype);
    });
  } else if (const auto *reduce = std::get_if<graph::ReduceAttributes>(&node.attributes)) {
    if (reduce->kind == graph::ReduceKind::Max || reduce->kind == graph::ReduceKind::Min) {
      result = extreme(reduce->kind, operands[0], *reduce);
    }
  } else {
    result = moved(node, operands, types, type, indices);
  }
  if (!result || isAnything(*result)) return std::nullopt;
  return result;
}

}  // namespace hone::frontend
