#include "compiler/frontend/build/sizes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

// Longer ones are counted at run time: constants are part of the artifact.
constexpr int64_t kLongestConstant = 1 << 16;

int64_t productOf(const Shape &shape, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= shape[i];
  return product;
}

Result add(Builder &build, const Result &a, const Result &b) { return build.apply(Op::Add, {a, b}); }
Result multiply(Builder &build, const Result &a, const Result &b) { return build.apply(Op::Mul, {a, b}); }
Result divide(Builder &build, const Result &a, const Result &b) { return build.apply(Op::Div, {a, b}); }
Result number(Builder &build, int64_t value) { return build.integer(DType::I64, value); }

Result productOf(Builder &build, const std::vector<ValueId> &sizes) {
  Result product = number(build, 1);
  for (ValueId size : sizes) product = multiply(build, product, size);
  return product;
}

std::vector<ValueId> allAxes(Builder &build, ValueId value, absl::Status &status) {
  std::vector<ValueId> sizes;
  for (int64_t axis = 0; axis < build.rank(value); ++axis) {
    const Result size = sizeOf(build, value, axis);
    if (!size.ok()) status = size.status();
    sizes.push_back(size.ok() ? *size : -1);
  }
  return sizes;
}

/// Whether the true elements are the first ones already: at most one dim is bounded, and none in front of it repeats.
bool isPrefix(const Builder &build, ValueId value) {
  bool isLeading = true;
  for (int64_t axis = 0; axis < build.rank(value); ++axis) {
    if (build.isBounded(value, axis) && !isLeading) return false;
    isLeading = isLeading && build.shape(value)[static_cast<size_t>(axis)] == 1 && !build.isBounded(value, axis);
  }
  return true;
}

/// The elements of \p flat, a list, at places that the extents \p sizes say, in a tensor of the bounds \p shape.
Result spread(Builder &build, ValueId flat, const Shape &shape, const std::vector<ValueId> &sizes) {
  Result place = number(build, 0), stride = number(build, 1);
  for (size_t d = shape.size(); d-- > 0;) {
    Shape along(shape.size() - d, 1);
    along[0] = shape[d];
    place = add(build, place, multiply(build, build.reshape(count(build, shape[d]), along), stride));
    stride = multiply(build, stride, sizes[d]);
  }
  place = build.apply(Op::Min, {place, number(build, build.shape(flat)[0] - 1)});
  return build.gather(build.asBounds(flat, build.shape(flat)), place, 0);
}

struct Group {
  size_t firstFrom, endFrom, firstTo, endTo;
};

/// The dims of both shapes in the least groups whose products are equal.
std::vector<Group> groupDims(const Shape &from, const Shape &to) {
  std::vector<Group> groups;
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    Group group{i, i, j, j};
    int64_t a = 1, b = 1;
    if (i < from.size()) a = from[group.endFrom++];
    if (j < to.size()) b = to[group.endTo++];
    while (a != b) {
      if ((a < b || group.endTo == to.size()) && group.endFrom < from.size()) {
        a *= from[group.endFrom++];
      } else if (group.endTo < to.size()) {
        b *= to[group.endTo++];
      } else {
        break;
      }
    }
    i = group.endFrom;
    j = group.endTo;
    groups.push_back(group);
  }
  return groups;
}

}  // namespace

Result sizeOf(Builder &build, ValueId value, int64_t axis) {
  if (build.isBounded(value, axis)) return build.extents(value)[static_cast<size_t>(axis)];
  return number(build, build.shape(value)[static_cast<size_t>(axis)]);
}

Result count(Builder &build, int64_t extent) {
  if (extent <= kLongestConstant) return positions(build, DType::I64, extent, 0);
  tensor::KernelBuilder b("count");
  const int y = b.output("places", {extent}, DType::I64);
  b.begin("count", {tensor::parallel("i", extent)});
  b.put(tensor::indexValue(tensor::dim(0)), y, {tensor::dim(0)});
  return build.compute(b.finish(), {});
}

absl::StatusOr<std::optional<ValueId>> trueElements(Builder &build, ValueId value, const std::vector<int64_t> &axes) {
  std::optional<ValueId> result;
  for (int64_t axis : axes) {
    if (!build.isBounded(value, axis)) continue;
    Shape along(build.shape(value).size(), 1);
    along[static_cast<size_t>(axis)] = build.shape(value)[static_cast<size_t>(axis)];
    const Result place = build.reshape(count(build, along[static_cast<size_t>(axis)]), along);
    Result isThere = build.apply(Op::Less, {place, sizeOf(build, value, axis)});
    if (result) isThere = build.apply(Op::And, {*result, isThere});
    HONE_ASSIGN_OR_RETURN(result, isThere);
  }
  return result;
}

std::optional<int64_t> highest(const Builder &build, ValueId value) {
  if (const graph::ConstantData *constant = build.constant(value)) return graph::elementAsInteger(*constant, 0);
  const KnownNumbers *known = build.numbers(value);
  if (known == nullptr) return std::nullopt;
  return graph::elementAsInteger(*known->high, 0);
}

std::optional<int64_t> lowest(const Builder &build, ValueId value) {
  if (const graph::ConstantData *constant = build.constant(value)) return graph::elementAsInteger(*constant, 0);
  const KnownNumbers *known = build.numbers(value);
  if (known == nullptr) return std::nullopt;
  return graph::elementAsInteger(*known->low, 0);
}

absl::StatusOr<std::vector<ValueId>> elementsOf(Builder &build, ValueId values) {
  if (!isInteger(build.dtype(values)) || build.rank(values) > 1) {
    return invalid("a list of sizes is ", graph::typeText(build.type(values)), ", not integers");
  }
  std::vector<ValueId> scalars;
  const KnownNumbers *known = build.numbers(values);
  const graph::ConstantData *constant = build.constant(values);
  for (int64_t i = 0; i < build.type(values).elements(); ++i) {
    Result scalar;
    if (constant != nullptr) {
      scalar = number(build, graph::elementAsInteger(*constant, i));
    } else if (known != nullptr &&
               graph::elementAsInteger(*known->low, i) == graph::elementAsInteger(*known->high, i)) {
      scalar = number(build, graph::elementAsInteger(*known->low, i));
    } else if (known != nullptr && graph::elementAsInteger(*known->origin, i) >= 0) {
      scalar = static_cast<ValueId>(graph::elementAsInteger(*known->origin, i));
    } else {
      const Result one = build.rank(values) == 0 ? Result(values) : build.slice(values, {i}, {1}, {1});
      scalar = build.cast(build.reshape(one, {}), DType::I64);
    }
    HONE_ASSIGN_OR_RETURN(scalars.emplace_back(), scalar);
  }
  return scalars;
}

Result listOf(Builder &build, const std::vector<ValueId> &scalars) {
  if (scalars.empty()) return build.integers({});
  std::vector<Result> parts;
  for (ValueId scalar : scalars) parts.push_back(build.reshape(scalar, {1}));
  return build.concat(parts, 0);
}

absl::StatusOr<std::optional<Extents>> reshapedExtents(Builder &build, ValueId data, const Shape &shape) {
  const Shape from = build.shape(data);
  Extents result(shape.size(), -1);
  for (const Group &group : groupDims(from, shape)) {
    std::optional<size_t> bounded;
    size_t lead = group.firstFrom;
    while (lead + 1 < group.endFrom && from[lead] == 1 && !build.isBounded(data, static_cast<int64_t>(lead))) ++lead;
    for (size_t d = group.firstFrom; d < group.endFrom; ++d) {
      if (!build.isBounded(data, static_cast<int64_t>(d))) continue;
      if (d != lead) return std::optional<Extents>();
      bounded = d;
    }
    if (!bounded) continue;
    size_t to = group.firstTo;
    while (to + 1 < group.endTo && shape[to] == 1) ++to;
    if (to >= group.endTo) return std::optional<Extents>();
    const int64_t inner = productOf(from, lead + 1, group.endFrom), wanted = productOf(shape, to + 1, group.endTo);
    if (inner == 0 || wanted == 0 || (inner % wanted != 0 && wanted % inner != 0)) return std::optional<Extents>();
    Result extent = build.extents(data)[*bounded];
    if (inner > wanted) extent = multiply(build, extent, number(build, inner / wanted));
    if (wanted > inner) extent = divide(build, extent, number(build, wanted / inner));
    HONE_ASSIGN_OR_RETURN(result[to], extent);
  }
  return std::optional<Extents>(std::move(result));
}

Result flattened(Builder &build, ValueId data) {
  const Shape shape = build.shape(data);
  const int64_t all = productOf(shape, 0, shape.size());
  absl::Status status;
  const std::vector<ValueId> sizes = allAxes(build, data, status);
  if (!status.ok()) return status;
  HONE_ASSIGN_OR_RETURN(ValueId total, productOf(build, sizes));
  const Result flat = build.asBounds(data, {all});
  if (!build.isBounded(data) || isPrefix(build, data) || all == 0) return build.bounded(flat, {total});
  // Where each element of the list lies among the padding: its indices by the true extents, its place by the bounds.
  Result left = count(build, all), place = number(build, 0);
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    const Result size = build.apply(Op::Max, {sizes[d], number(build, 1)});
    const Result index =
        d == 0 ? build.apply(Op::Min, {left, number(build, shape[0] - 1)}) : build.apply(Op::FloorMod, {left, size});
    place = add(build, place, multiply(build, index, number(build, stride)));
    left = divide(build, left, size);
    stride *= shape[d];
  }
  return build.bounded(build.gather(flat, place, 0), {total});
}

Result dense(Builder &build, ValueId data) {
  if (!build.isBounded(data) || isPrefix(build, data)) return data;
  HONE_ASSIGN_OR_RETURN(ValueId flat, flattened(build, data));
  return build.asBounds(flat, build.shape(data));
}

Result reshapeTo(Builder &build, ValueId data, std::vector<ValueId> sizes) {
  absl::Status status;
  std::vector<ValueId> left = allAxes(build, data, status);
  if (!status.ok()) return status;
  const auto open = std::find(sizes.begin(), sizes.end(), kOpenSize);
  // What an open size is left with: sizes that both sides have are no part of it.
  std::vector<ValueId> others;
  for (ValueId size : sizes) {
    if (size == kOpenSize) continue;
    const auto same = std::find(left.begin(), left.end(), size);
    if (same == left.end()) {
      others.push_back(size);
    } else {
      left.erase(same);
    }
  }
  if (open != sizes.end()) {
    const Result rest = divide(build, productOf(build, left), productOf(build, others));
    HONE_ASSIGN_OR_RETURN(ValueId size, rest);
    if (!highest(build, size)) {
      // Nothing bounds the quotient by itself; it is no more than there are elements.
      int64_t most = 1;
      for (ValueId part : left) most *= highest(build, part).value_or(1);
      for (ValueId part : others) most /= std::max<int64_t>(lowest(build, part).value_or(1), 1);
      HONE_ASSIGN_OR_RETURN(
          size, build.apply(Op::Min, {build.apply(Op::Max, {size, number(build, 0)}), number(build, most)}));
      build.setRange(size, 0, most);
    }
    *open = size;
  }
  Shape shape;
  Extents extents;
  for (ValueId size : sizes) {
    const std::optional<int64_t> most = highest(build, size);
    if (!most || *most < 0) return unsupported("nothing bounds a size that depends on the contents of the inputs");
    shape.push_back(*most);
    extents.push_back(build.constant(size) == nullptr ? size : -1);
  }
  HONE_RETURN_IF_ERROR(build.checkSize({build.dtype(data), shape}));
  const bool isSame = productOf(shape, 0, shape.size()) == build.type(data).elements();
  if (isSame && build.isBounded(data)) {
    HONE_ASSIGN_OR_RETURN(std::optional<Extents> kept, reshapedExtents(build, data, shape));
    const auto isStatic = [](ValueId extent) { return extent < 0; };
    if (kept && std::equal(kept->begin(), kept->end(), extents.begin(), extents.end(),
                           [&](ValueId a, ValueId b) { return isStatic(a) == isStatic(b); })) {
      return build.bounded(build.asBounds(data, shape), std::move(extents));
    }
  }
  HONE_ASSIGN_OR_RETURN(ValueId flat, flattened(build, data));
  return build.bounded(spread(build, flat, shape, sizes), std::move(extents));
}

Result expandTo(Builder &build, ValueId data, const std::vector<ValueId> &sizes) {
  const auto behind = static_cast<int64_t>(sizes.size()) - build.rank(data);
  Shape shape;
  Extents extents;
  for (int64_t d = std::min<int64_t>(behind, 0); d < static_cast<int64_t>(sizes.size()); ++d) {
    const int64_t axis = d - behind, own = axis < 0 ? 1 : build.shape(data)[static_cast<size_t>(axis)];
    ValueId size = d < 0 ? -1 : sizes[static_cast<size_t>(d)];
    const std::optional<int64_t> most = size < 0 ? 1 : highest(build, size);
    if (!most) return unsupported("nothing bounds a size that depends on the contents of the inputs");
    if (size >= 0 && build.constant(size) == nullptr && lowest(build, size).value_or(-1) < 0) {
      HONE_ASSIGN_OR_RETURN(size, build.apply(Op::Max, {size, number(build, 0)}));
    }
    const bool isOwn = axis >= 0 && (own != 1 || build.isBounded(data, axis));
    shape.push_back(isOwn ? own : *most);
    extents.push_back(isOwn && build.isBounded(data, axis)                   ? *sizeOf(build, data, axis)
                      : isOwn || size < 0 || build.constant(size) != nullptr ? -1
                                                                             : size);
  }
  HONE_RETURN_IF_ERROR(build.checkSize({build.dtype(data), shape}));
  return build.bounded(build.broadcast(build.asBounds(data, build.shape(data)), shape), std::move(extents));
}

Result sliceTo(Builder &build, ValueId data, int64_t axis, ValueId start, ValueId end, int64_t step) {
  const int64_t bound = build.shape(data)[static_cast<size_t>(axis)];
  const Result size = sizeOf(build, data, axis), zero = number(build, 0);
  // x[i:i + n], as loops walk over their operands: as many as that, if none of them is beyond the end.
  if (step == 1 && !build.isBounded(data, axis) && build.constant(start) == nullptr) {
    const std::optional<int64_t> length = build.distance(start, end), least = lowest(build, start),
                                 most = highest(build, start);
    if (length && least && most && *length > 0 && *least >= 0 && *most <= bound - *length) {
      return build.gather(data, add(build, count(build, *length), start), axis);
    }
  }
  const auto resolved = [&](ValueId place, const Result &low, const Result &high) {
    Result counted = place;
    if (const graph::ConstantData *known = build.constant(place)) {
      if (graph::elementAsInteger(*known, 0) < 0) counted = add(build, place, size);
    } else if (lowest(build, place).value_or(-1) < 0) {
      const Result isFromEnd = build.apply(Op::Less, {place, zero});
      counted = build.apply(Op::Select, {isFromEnd, add(build, place, size), place});
    }
    return build.apply(Op::Max, {build.apply(Op::Min, {counted, high}), low});
  };
  // Python's rule: with a step back the places run from the last element to the one in front of the first.
  const Result last = build.apply(Op::Sub, {size, number(build, 1)});
  const Result first = step > 0 ? resolved(start, zero, size) : resolved(start, number(build, -1), last);
  const Result stop = step > 0 ? resolved(end, zero, size) : resolved(end, number(build, -1), last);
  const int64_t stride = step > 0 ? step : -step;
  Result away = step > 0 ? build.apply(Op::Sub, {stop, first}) : build.apply(Op::Sub, {first, stop});
  away = build.apply(Op::Max, {away, zero});
  HONE_ASSIGN_OR_RETURN(ValueId wanted,
                        divide(build, add(build, away, number(build, stride - 1)), number(build, stride)));
  const int64_t most = std::min(highest(build, wanted).value_or(bound), (bound + stride - 1) / stride);
  if (!build.isBounded(data, axis) && build.constant(start) != nullptr && build.constant(end) != nullptr) {
    // All is known: a slice, which costs nothing.
    Shape starts(build.shape(data).size(), 0), steps(starts.size(), 1), kept = build.shape(data);
    kept[static_cast<size_t>(axis)] = highest(build, wanted).value_or(0);
    starts[static_cast<size_t>(axis)] = kept[static_cast<size_t>(axis)] == 0 ? 0 : *lowest(build, *first);
    steps[static_cast<size_t>(axis)] = step;
    return build.slice(data, starts, steps, kept);
  }
  Result place = add(build, multiply(build, count(build, most), number(build, step)), first);
  place = build.apply(Op::Max, {build.apply(Op::Min, {place, number(build, std::max<int64_t>(bound - 1, 0))}), zero});
  Extents extents = build.isBounded(data) ? build.extents(data) : Extents(build.shape(data).size(), -1);
  extents[static_cast<size_t>(axis)] = wanted;
  // The places are true ones, which need no correction by the extent: the padding is there like any other element.
  return build.bounded(build.gather(build.asBounds(data, build.shape(data)), place, axis), std::move(extents));
}

Result chosenPlaces(Builder &build, ValueId isChosen) {
  const int64_t n = build.type(isChosen).elements();
  if (n == 0) return build.integers({});
  HONE_ASSIGN_OR_RETURN(std::optional<ValueId> isThere, trueElements(build, isChosen, {0}));
  Result chosen = build.asBounds(isChosen, {n});
  if (isThere) chosen = build.apply(Op::And, {chosen, *isThere});
  HONE_ASSIGN_OR_RETURN(ValueId all, build.reduce(graph::ReduceKind::Sum, build.cast(chosen, DType::I64), {0}, false));

  // The place of each among those that are chosen; of the others, one that is none.
  const tensor::Index i = tensor::dim(0), only = tensor::constant(0);
  tensor::KernelBuilder ranks("chosen_ranks");
  const int mask = ranks.input("is_chosen", {n}, DType::Bool), total = ranks.temporary("total", {1}, DType::I64);
  const int rank = ranks.output("rank", {n}, DType::I64);
  ranks.begin("start", {tensor::parallel("r", 1)});
  ranks.put(tensor::number(0, DType::I64), total, {tensor::dim(0)});
  ranks.begin("rank", {tensor::scan("i", n)});
  ranks.put(tensor::select(ranks.get(mask, {i}), ranks.get(total, {only}),
                           tensor::number(static_cast<double>(n), DType::I64)),
            rank, {i});
  ranks.begin("add", {tensor::scan("i", n)});
  ranks.put(ranks.get(total, {only}) + tensor::cast(DType::I64, ranks.get(mask, {i})), total, {only});
  const Result order = build.compute(ranks.finish(), {chosen});

  tensor::KernelBuilder places("chosen_places");
  const int from = places.input("rank", {n}, DType::I64), result = places.output("places", {n}, DType::I64);
  places.begin("clear", {tensor::parallel("p", n)});
  places.put(tensor::number(0, DType::I64), result, {tensor::dim(0)});
  places.begin("place", {tensor::parallel("i", n)});
  places.put(tensor::indexValue(i), result, {tensor::load(from, {i})});
  return build.bounded(build.compute(places.finish(), {order}), {all});
}

}  // namespace hone::frontend
