// GridSample and RoiAlign: values of an image between its pixels, at places that another operand holds.
#include <array>
#include <cmath>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;

enum class Padding : uint8_t { Zeros, Border, Reflection };
enum class Method : uint8_t { Nearest, Linear, Cubic };

// The factor of cubic interpolation that the operator's definition gives.
constexpr double kCubic = -0.75;

/// One axis of an image that is sampled.
struct Axis {
  int64_t extent;
  bool alignCorners;
  Padding padding;
  Method method;
};

Scalar floorOf(const Scalar &a) { return tensor::apply(ScalarOp::Floor, {a}); }

/// \p a within [low, high]; low for NaN.
Scalar bounded(const Scalar &a, double low, double high) {
  return tensor::minimum(tensor::maximum(a, tensor::number(low, a->dtype)), tensor::number(high, a->dtype));
}

/// \p place mirrored at \p low and \p high until it lies between them.
Scalar mirrored(const Scalar &place, double low, double high) {
  const DType dtype = place->dtype;
  const double range = high - low;
  if (range <= 0) return tensor::number(low, dtype);
  const Scalar away =
      tensor::apply(ScalarOp::FloorMod, {place - tensor::number(low, dtype), tensor::number(2 * range, dtype)});
  const Scalar back = tensor::number(2 * range, dtype) - away;
  return tensor::minimum(away, back) + tensor::number(low, dtype);
}

/// From -1 … 1 over the image to pixels; where a border repeats or mirrors, inside of it.
Scalar pixelPlace(const Scalar &normal, const Axis &axis) {
  const auto number = [&](double value) { return tensor::number(value, normal->dtype); };
  const auto extent = static_cast<double>(axis.extent);
  const Scalar place = axis.alignCorners ? (normal + number(1)) * number((extent - 1) / 2)
                                         : (normal + number(1)) * number(extent / 2) - number(0.5);
  // Far outside is as good as just outside; it keeps what follows within the integers.
  const double low = axis.alignCorners ? 0 : -0.5, high = axis.alignCorners ? extent - 1 : extent - 0.5;
  switch (axis.padding) {
    case Padding::Zeros:
      return bounded(place, -4, extent + 3);
    case Padding::Border:
      return bounded(place, 0, extent - 1);
    case Padding::Reflection:
      return bounded(mirrored(place, low, high), low, high);
  }
  return place;
}

/// The pixel \p tap pixels behind that of \p base, as an index; what lies outside of it is the read's to say.
Index tapIndex(const Index &base, int64_t tap, const Axis &axis) {
  const Index place = base + tap;
  if (axis.padding == Padding::Zeros) return place;
  if (axis.padding == Padding::Border) return tensor::clamp(place, 0, axis.extent - 1);
  // Pixels mirror at the same lines as places do: at the outermost pixels, or half a pixel beyond.
  const int64_t last = axis.extent - 1;
  if (last == 0) return tensor::constant(0);
  const int64_t period = axis.alignCorners ? 2 * last : 2 * axis.extent;
  const Index away = tensor::mod(place, period);
  const Index beyond = tensor::clamp(away + -last, 0, period);
  const Index step = axis.alignCorners ? beyond * 2 : beyond * 2 + tensor::clamp(beyond, 0, 1) * -1;
  return tensor::clamp(away + step * -1, 0, last);
}

/// Weights of the taps around a place that is \p share of a pixel behind the first pixel before it.
std::vector<Scalar> tapWeights(Method method, const Scalar &share) {
  const auto number = [&](double value) { return tensor::number(value, share->dtype); };
  if (method == Method::Nearest) return {number(1)};
  if (method == Method::Linear) return {number(1) - share, share};
  const auto near = [&](const Scalar &x) { return (number(kCubic + 2) * x - number(kCubic + 3)) * x * x + number(1); };
  const auto far = [&](const Scalar &x) {
    return ((number(kCubic) * x - number(5 * kCubic)) * x + number(8 * kCubic)) * x - number(4 * kCubic);
  };
  const Scalar rest = number(1) - share;
  return {far(share + number(1)), near(share), near(rest), far(rest + number(1))};
}

absl::StatusOr<Padding> readPadding(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string padding, node.text("padding_mode", "zeros"));
  if (padding == "zeros") return Padding::Zeros;
  if (padding == "border") return Padding::Border;
  if (padding == "reflection") return Padding::Reflection;
  return invalid("attribute 'padding_mode' is '", padding, "', not zeros, border or reflection");
}

absl::StatusOr<Method> readMethod(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("mode", "bilinear"));
  if (mode == "bilinear") return Method::Linear;
  if (mode == "nearest") return Method::Nearest;
  if (mode == "bicubic") return Method::Cubic;
  return invalid("attribute 'mode' is '", mode, "', not bilinear, nearest or bicubic");
}

}  // namespace

// Three stages: where each point lies in pixels, the pixel before it, and the sum over the pixels around it.
Result importGridSample(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Padding padding, readPadding(node));
  HONE_ASSIGN_OR_RETURN(Method method, readMethod(node));
  HONE_ASSIGN_OR_RETURN(int64_t alignCorners, node.integer("align_corners", 0));
  const Shape &image = node.shape(0), &grid = node.shape(1);
  if (image.size() != 4 || grid.size() != 4 || grid[0] != image[0] || grid[3] != 2) {
    return invalid("the image ", graph::shapeText(image), " and the grid ", graph::shapeText(grid),
                   " are not [N,C,H,W] and [N,H',W',2]");
  }
  if (!isFloat(node.dtype(0)) || !isFloat(node.dtype(1))) return invalid("takes floats");
  const DType dtype = node.dtype(0), computed = accumulatorOf(dtype);
  const Shape points = {grid[0], grid[1], grid[2]};

  KernelBuilder b("grid_sample");
  const int x = b.input("image", image, dtype), places = b.input("grid", grid, node.dtype(1));
  const StageDims all = dimsOver(points, "p");
  std::array<int, 2> place{}, base{};
  const std::array<Axis, 2> axes = {Axis{image[2], alignCorners != 0, padding, method},
                                    Axis{image[3], alignCorners != 0, padding, method}};
  for (size_t i = 0; i < 2; ++i) {
    const char *name = i == 0 ? "y" : "x";
    place[i] = b.temporary(absl::StrCat(name, "_place"), points, computed);
    base[i] = b.temporary(absl::StrCat(name, "_pixel"), points, DType::I32);
    b.begin(absl::StrCat(name, "_place"), all.dims);
    Indices from = all.at;
    from.push_back(tensor::constant(1 - static_cast<int64_t>(i)));
    b.put(pixelPlace(tensor::cast(computed, b.get(places, from)), axes[i]), place[i], all.at);
    b.begin(absl::StrCat(name, "_pixel"), all.dims);
    const Scalar at = b.get(place[i], all.at);
    const Scalar pixel = method == Method::Nearest ? tensor::apply(ScalarOp::Round, {at}) : floorOf(at);
    b.put(tensor::cast(DType::I32, pixel), base[i], all.at);
  }
  const Shape result = {image[0], image[1], grid[1], grid[2]};
  const int y = b.output("result", result, dtype);
  b.begin("sample", {tensor::parallel("p0", result[0]), tensor::parallel("c", result[1]),
                     tensor::parallel("p1", result[2]), tensor::parallel("p2", result[3])});
  const Indices point = {tensor::dim(0), tensor::dim(2), tensor::dim(3)};
  std::array<std::vector<Scalar>, 2> weights;
  for (size_t i = 0; i < 2; ++i) {
    const Scalar at = b.get(place[i], point);
    weights[i] = tapWeights(method, at - floorOf(at));
  }
  const int64_t first = method == Method::Cubic ? -1 : 0;
  const std::optional<double> outside = padding == Padding::Zeros ? std::optional<double>(0) : std::nullopt;
  Scalar sum;
  for (size_t r = 0; r < weights[0].size(); ++r) {
    Scalar row;
    for (size_t c = 0; c < weights[1].size(); ++c) {
      const Index py = tapIndex(tensor::load(base[0], point), static_cast<int64_t>(r) + first, axes[0]);
      const Index px = tapIndex(tensor::load(base[1], point), static_cast<int64_t>(c) + first, axes[1]);
      const Scalar value = tensor::cast(computed, b.get(x, {tensor::dim(0), tensor::dim(1), py, px}, outside));
      const Scalar weighted = weights[1][c] * value;
      row = row == nullptr ? weighted : row + weighted;
    }
    const Scalar weighted = weights[0][r] * row;
    sum = sum == nullptr ? weighted : sum + weighted;
  }
  b.put(tensor::cast(dtype, sum), y, {tensor::dim(0), tensor::dim(1), tensor::dim(2), tensor::dim(3)});
  return node.build.compute(b.finish(), {node.input(0), node.input(1)});
}

}  // namespace hone::frontend
