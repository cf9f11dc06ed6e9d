#include "compiler/frontend/build/resize.h"

// Interpolation is separable: each axis is resized by itself, the ones that shrink first. Which elements of the input
// an output is made of, and with which weights, is known while compiling: what is left is moving (nearest), or a sum of
// a few moved and scaled copies (linear, cubic), or a product with the matrix of weights where they are many.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "compiler/base/status.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// Beyond this many summands a product of matrices is cheaper.
constexpr int64_t kMostSummands = 4;
constexpr int64_t kLargestMatrix = int64_t{1} << 26;
constexpr int64_t kMostPhases = 8;

/// What output i of an axis is made of: `count` elements from `first` on (those outside repeat the border), weighted.
struct Sources {
  int64_t count = 1;
  std::vector<int64_t> first;   ///< per output
  std::vector<double> weights;  ///< per output and element
  std::vector<bool> outside;    ///< per output: has the extrapolation value instead
};

// ------------------------------------------------------------------------------------------------- coordinates

/// Where output \p i lies on the input's axis, in the arithmetic of \p Number.
template <typename Number>
Number coordinate(const ResizeOptions &options, const ResizedAxis &axis, int64_t i) {
  const auto x = static_cast<Number>(i), last = static_cast<Number>(axis.input - 1);
  const auto scale = static_cast<Number>(axis.scale), half = static_cast<Number>(0.5);
  // What counts is the extent that the output has, not the product with the scale, which need not be whole: the first
  // and the last element are those of the input.
  const auto lastOutput = static_cast<Number>(axis.output - 1);
  if (options.coordinates == "align_corners") return axis.output == 1 ? 0 : x * last / lastOutput;
  if (options.coordinates == "asymmetric") return x / scale;
  if (options.coordinates == "tf_half_pixel_for_nn") return (x + half) / scale;
  if (options.coordinates == "tf_crop_and_resize") {
    const auto begin = static_cast<Number>(axis.cropBegin), part = (static_cast<Number>(axis.cropEnd) - begin) * last;
    return begin * last + (axis.output == 1 ? part / 2 : x * part / lastOutput);
  }
  if (options.coordinates == "pytorch_half_pixel" && axis.output == 1) return 0;
  const Number halfPixel = (x + half) / scale - half;
  if (options.coordinates != "half_pixel_symmetric") return halfPixel;
  // The product with the scale is cut off on both sides alike.
  const Number share = static_cast<Number>(axis.output) / (scale * static_cast<Number>(axis.input));
  return halfPixel + static_cast<Number>(axis.input) / 2 * (1 - share);
}

int64_t rounded(const std::string &rounding, double x) {
  if (rounding == "floor") return static_cast<int64_t>(std::floor(x));
  if (rounding == "ceil") return static_cast<int64_t>(std::ceil(x));
  // Halves, which the other two decide, are the only places where both differ.
  if (rounding == "round_prefer_ceil") return static_cast<int64_t>(std::floor(x + 0.5));
  return static_cast<int64_t>(std::ceil(x - 0.5));
}

double cubicWeight(double a, double distance) {
  double x = std::fabs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// Weights of the elements around \p x; all that reach it where antialiasing widens the kernel.
void weigh(const ResizeOptions &options, const ResizedAxis &axis, double x, Sources &sources) {
  bool isCubic = options.interpolation == Interpolation::Cubic;
  double narrowing = options.antialias ? std::min(axis.scale, 1.0) : 1;
  auto reach = static_cast<int64_t>(std::ceil((isCubic ? 2 : 1) / narrowing));
  sources.count = 2 * reach;
  int64_t first = static_cast<int64_t>(std::floor(x)) - reach + 1;
  std::vector<double> weights;
  double total = 0;
  for (int64_t k = first; k < first + sources.count; ++k) {
    double distance = (static_cast<double>(k) - x) * narrowing;
    double weight = isCubic ? cubicWeight(options.cubicCoefficient, distance) : std::max(0.0, 1 - std::fabs(distance));
    if (options.excludeOutside && (k < 0 || k >= axis.input)) weight = 0;
    weights.push_back(weight);
    total += weight;
  }
  bool isScaled = (options.antialias || options.excludeOutside) && total != 0;
  for (double weight : weights) sources.weights.push_back(isScaled ? weight / total : weight);
  sources.first.push_back(first);
}

Sources sourcesOf(const ResizeOptions &options, const ResizedAxis &axis) {
  Sources sources;
  const bool isNearest = options.interpolation == Interpolation::Nearest;
  for (int64_t i = 0; i < axis.output; ++i) {
    // Which element is the nearest depends on the rounding where a coordinate is whole or a half: frameworks compute it
    // in float32.
    double x = isNearest ? coordinate<float>(options, axis, i) : coordinate<double>(options, axis, i);
    if (!std::isfinite(x)) x = 0;
    bool isOutside = options.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(axis.input - 1));
    sources.outside.push_back(isOutside);
    // Far outside everything is the border; within a kernel's reach of it the distance still counts.
    x = std::clamp(x, -4.0, static_cast<double>(axis.input) + 4);
    if (isNearest) {
      sources.first.push_back(rounded(options.rounding, x));
    } else {
      weigh(options, axis, x, sources);
    }
  }
  return sources;
}

// ---------------------------------------------------------------------------------------------------- one axis

/// Elements \p from of one axis: the cheapest movement that says so.
Result pick(Builder &build, ValueId data, size_t axis, const std::vector<int64_t> &from) {
  Shape shape = build.shape(data);
  auto count = static_cast<int64_t>(from.size()), extent = shape[axis];
  int64_t step = count > 1 ? from[1] - from[0] : 1;
  bool isSlice = step != 0, isRepetition = count % extent == 0;
  for (int64_t i = 0; i < count; ++i) {
    isSlice = isSlice && from[static_cast<size_t>(i)] == from[0] + i * step;
    isRepetition = isRepetition && from[static_cast<size_t>(i)] == i / (count / extent);
  }
  if (isSlice) {
    Shape starts(shape.size(), 0), steps(shape.size(), 1);
    starts[axis] = from[0];
    steps[axis] = step;
    shape[axis] = count;
    return build.slice(data, starts, steps, shape);
  }
  if (!isRepetition) return build.gather(data, build.integers(from), static_cast<int64_t>(axis));
  Shape whole = shape, split = shape;
  whole[axis] = count;
  split.insert(split.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
  Shape wide = split;
  wide[axis + 1] = count / extent;
  return build.reshape(build.broadcast(build.reshape(data, split), wide), whole);
}

/// One number for each output of the axis, in a shape that broadcasts to the data's.
Result alongAxis(Builder &build, DType dtype, const std::vector<double> &values, size_t axis, size_t rank) {
  Shape shape(rank - axis, 1);
  shape[0] = static_cast<int64_t>(values.size());
  return build.constant(graph::makeConstant({dtype, shape}, values));
}

Result sumOfPicked(Builder &build, ValueId data, const ResizedAxis &axis, const Sources &sources) {
  const size_t rank = build.shape(data).size();
  const auto picked = [&](int64_t k) {
    std::vector<int64_t> from;
    for (int64_t first : sources.first) from.push_back(std::clamp<int64_t>(first + k, 0, axis.input - 1));
    return pick(build, data, axis.position, from);
  };
  const auto weightsOf = [&](int64_t k) {
    std::vector<double> weights;
    for (size_t i = 0; i < sources.first.size(); ++i) {
      weights.push_back(sources.weights[i * static_cast<size_t>(sources.count) + static_cast<size_t>(k)]);
    }
    return weights;
  };
  const auto factor = [&](const std::vector<double> &weights) {
    return alongAxis(build, build.dtype(data), weights, axis.position, rank);
  };
  const auto isAll = [](const std::vector<double> &weights, double value) {
    return std::all_of(weights.begin(), weights.end(), [&](double weight) { return weight == value; });
  };
  // Two weights add up to 1, and one difference is less work than two products.
  if (sources.count == 2) {
    Result low = picked(0);
    const std::vector<double> weights = weightsOf(1);
    if (isAll(weights, 0)) return low;
    Result difference = build.apply(Op::Sub, {picked(1), low});
    return build.apply(Op::Add, {build.apply(Op::Mul, {difference, factor(weights)}), low});
  }
  std::optional<Result> sum;
  for (int64_t k = 0; k < sources.count; ++k) {
    const std::vector<double> weights = weightsOf(k);
    if (isAll(weights, 0)) continue;
    Result part = isAll(weights, 1) ? picked(k) : build.apply(Op::Mul, {picked(k), factor(weights)});
    sum = sum ? build.apply(Op::Add, {*sum, part}) : part;
  }
  return sum.value_or(build.broadcast(build.number(build.dtype(data), 0), build.shape(data)));
}

/// Where an axis grows by a whole factor and every output of a phase (their places modulo the factor) has the same
/// weights at the same distance: element i of phase p is the sum of weights[p][k] * input[i + first[p] + k].
struct Phases {
  std::vector<int64_t> first;
  std::vector<std::vector<double>> weights;
};

std::optional<Phases> phasesOf(const ResizedAxis &axis, const Sources &sources) {
  const int64_t factor = axis.output / axis.input;
  if (axis.output % axis.input != 0 || factor < 2 || factor > kMostPhases) return std::nullopt;
  const auto count = static_cast<size_t>(sources.count);
  Phases phases;
  for (size_t i = 0; i < sources.first.size(); ++i) {
    const auto phase = static_cast<size_t>(static_cast<int64_t>(i) % factor);
    const int64_t distance = sources.first[i] - static_cast<int64_t>(i) / factor;
    const double *weights = sources.weights.data() + i * count;
    if (phases.first.size() == phase) {
      phases.first.push_back(distance);
      phases.weights.emplace_back(weights, weights + count);
    }
    bool isSame = distance == phases.first[phase];
    for (size_t k = 0; k < count; ++k) isSame = isSame && std::fabs(weights[k] - phases.weights[phase][k]) < 1e-9;
    if (!isSame) return std::nullopt;
  }
  return phases;
}

/// \p data with its first and last elements of one axis repeated.
Result repeatEnds(Builder &build, ValueId data, size_t axis, int64_t before, int64_t behind) {
  Shape first(build.shape(data).size(), 0), one = build.shape(data);
  Shape last = first, steps(first.size(), 1);
  last[axis] = one[axis] - 1;
  one[axis] = 1;
  std::vector<Result> parts;
  for (int64_t i = 0; i < before; ++i) parts.push_back(build.slice(data, first, steps, one));
  parts.emplace_back(data);
  for (int64_t i = 0; i < behind; ++i) parts.push_back(build.slice(data, last, steps, one));
  return build.concat(parts, static_cast<int64_t>(axis));
}

/// Every phase is a sum of moved copies; the phases are woven together.
Result sumOfPhases(Builder &build, ValueId data, const ResizedAxis &axis, const Phases &phases, int64_t count) {
  const auto [least, most] = std::minmax_element(phases.first.begin(), phases.first.end());
  const int64_t before = std::max<int64_t>(-*least, 0), behind = std::max<int64_t>(*most + count - 1, 0);
  HONE_ASSIGN_OR_RETURN(ValueId padded, repeatEnds(build, data, axis.position, before, behind));
  const Shape extents = build.shape(data);
  Shape single = extents, whole = extents;
  single.insert(single.begin() + static_cast<std::ptrdiff_t>(axis.position) + 1, 1);
  whole[axis.position] = axis.output;
  std::vector<Result> parts;
  for (size_t p = 0; p < phases.first.size(); ++p) {
    const auto moved = [&](int64_t k) {
      Shape starts(extents.size(), 0);
      starts[axis.position] = before + phases.first[p] + k;
      return build.slice(padded, starts, Shape(extents.size(), 1), extents);
    };
    // Differences from the first one: what is computed from one start is one kernel.
    Result sum = moved(0);
    for (int64_t k = 1; k < count; ++k) {
      if (phases.weights[p][static_cast<size_t>(k)] == 0) continue;
      Result weight = build.number(build.dtype(data), phases.weights[p][static_cast<size_t>(k)]);
      Result difference = build.apply(Op::Sub, {moved(k), moved(0)});
      sum = build.apply(Op::Add, {build.apply(Op::Mul, {difference, weight}), sum});
    }
    parts.push_back(build.reshape(sum, single));
  }
  return build.reshape(build.concat(parts, static_cast<int64_t>(axis.position) + 1), whole);
}

/// The axis goes to the end, is multiplied by the matrix [input, output] of weights, and goes back.
Result productWithWeights(Builder &build, ValueId data, const ResizedAxis &axis, const Sources &sources) {
  if (axis.input * axis.output > kLargestMatrix) {
    return unsupported("an antialiased axis of ", axis.input, " elements that become ", axis.output);
  }
  std::vector<double> matrix(static_cast<size_t>(axis.input * axis.output), 0);
  for (size_t i = 0; i < sources.first.size(); ++i) {
    for (int64_t k = 0; k < sources.count; ++k) {
      auto from = static_cast<size_t>(std::clamp<int64_t>(sources.first[i] + k, 0, axis.input - 1));
      matrix[from * static_cast<size_t>(axis.output) + i] +=
          sources.weights[i * static_cast<size_t>(sources.count) + static_cast<size_t>(k)];
    }
  }
  graph::TensorType type{build.dtype(data), {axis.input, axis.output}};
  Result weights = build.constant(graph::makeConstant(type, matrix));
  size_t rank = build.shape(data).size();
  std::vector<int64_t> order(rank);
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[axis.position], order[rank - 1]);
  Result turned = build.transpose(data, order);
  if (rank == 1) turned = build.reshape(turned, {1, axis.input});
  Result product = build.matMul(turned, weights);
  return rank == 1 ? build.reshape(product, {axis.output}) : build.transpose(product, order);
}

Result resizeAxis(Builder &build, ValueId data, const ResizedAxis &axis, const ResizeOptions &options,
                  const Sources &sources) {
  if (options.interpolation == Interpolation::Nearest) {
    std::vector<int64_t> from = sources.first;
    for (int64_t &index : from) index = std::clamp<int64_t>(index, 0, axis.input - 1);
    return pick(build, data, axis.position, from);
  }
  // Weights of two elements around a place add up to 1, which sumOfPhases() takes for granted.
  const std::optional<Phases> phases = sources.count == 2 ? phasesOf(axis, sources) : std::nullopt;
  if (phases) return sumOfPhases(build, data, axis, *phases, sources.count);
  if (sources.count <= kMostSummands) return sumOfPicked(build, data, axis, sources);
  return productWithWeights(build, data, axis, sources);
}

/// Outputs of which some coordinate is outside the input have the extrapolation value.
Result extrapolate(Builder &build, Result data, const ResizedAxis &axis, const Sources &sources, double value) {
  if (!data.ok() || std::find(sources.outside.begin(), sources.outside.end(), true) == sources.outside.end())
    return data;
  std::vector<double> mask(sources.outside.begin(), sources.outside.end());
  Result isOutside = alongAxis(build, DType::Bool, mask, axis.position, build.shape(*data).size());
  return build.apply(Op::Select, {isOutside, build.number(build.dtype(*data), value), data});
}

}  // namespace

Result resize(Builder &build, ValueId given, const ResizeOptions &options, std::vector<ResizedAxis> axes) {
  DType dtype = build.dtype(given);
  bool isComputed = options.interpolation != Interpolation::Nearest;
  Result data = isComputed && !isFloat(dtype) ? build.cast(given, DType::F32) : Result(given);
  std::sort(axes.begin(), axes.end(), [](const ResizedAxis &a, const ResizedAxis &b) {
    return std::pair(a.scale, a.position) < std::pair(b.scale, b.position);
  });
  std::vector<Sources> sources;
  for (const ResizedAxis &axis : axes) {
    HONE_RETURN_IF_ERROR(build.checkSize({dtype, {axis.output}}));
    sources.push_back(sourcesOf(options, axis));
    HONE_ASSIGN_OR_RETURN(data, resizeAxis(build, *data, axis, options, sources.back()));
  }
  for (size_t i = 0; i < axes.size(); ++i) data = extrapolate(build, data, axes[i], sources[i], options.extrapolation);
  return build.cast(data, dtype);
}

}  // namespace hone::frontend
