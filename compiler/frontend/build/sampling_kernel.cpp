#include "compiler/frontend/build/sampling_kernel.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;

// The factor of cubic interpolation that the operator's definition gives.
constexpr double kCubic = -0.75;

/// One axis of a picture that is sampled.
struct Axis {
  std::string name;
  int64_t extent;
  bool alignCorners;
  SamplePadding padding;
  SampleMethod method;
};

/// Buffers that hold, for each point, its place along an axis, and the element in front of it (or nearest to it).
struct Places {
  int place, element;
};

/// z, y, x for the last three of \p count axes.
std::string axisName(size_t axis, size_t count) {
  const size_t fromEnd = count - 1 - axis;
  return fromEnd < 3 ? std::string(1, static_cast<char>('x' + fromEnd)) : absl::StrCat("axis", axis);
}

Scalar floorOf(const Scalar &a) { return tensor::apply(ScalarOp::Floor, {a}); }

/// \p a within [low, high]; low for NaN.
Scalar bounded(const Scalar &a, double low, double high) {
  return tensor::minimum(tensor::maximum(a, tensor::number(low, a->dtype)), tensor::number(high, a->dtype));
}

/// Far outside is as good as just outside, and stays within the integers.
Scalar nearTo(const Scalar &place, int64_t extent) { return bounded(place, -4, static_cast<double>(extent) + 3); }

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

/// From -1 … 1 over the picture to elements. Where a border repeats, one or two elements around a place inside are the
/// same as those around the place itself; the four of cubic interpolation are not, so that each is bounded by itself.
Scalar elementPlace(const Scalar &normal, const Axis &axis) {
  const auto number = [&](double value) { return tensor::number(value, normal->dtype); };
  const auto extent = static_cast<double>(axis.extent);
  const Scalar place = axis.alignCorners ? (normal + number(1)) * number((extent - 1) / 2)
                                         : (normal + number(1)) * number(extent / 2) - number(0.5);
  const double low = axis.alignCorners ? 0 : -0.5, high = axis.alignCorners ? extent - 1 : extent - 0.5;
  if (axis.padding == SamplePadding::Reflection) return bounded(mirrored(place, low, high), low, high);
  const bool isInside = axis.padding == SamplePadding::Border && axis.method != SampleMethod::Cubic;
  return isInside ? bounded(place, 0, extent - 1) : nearTo(place, axis.extent);
}

/// The element \p tap elements behind \p base, as an index; what lies outside of it is the read's to say.
Index tapIndex(const Index &base, int64_t tap, const Axis &axis) {
  const Index place = base + tap;
  if (axis.padding == SamplePadding::Zeros) return place;
  if (axis.padding == SamplePadding::Border) return tensor::clamp(place, 0, axis.extent - 1);
  // Elements mirror at the same lines as places do: at the outermost elements, or half an element beyond.
  const int64_t last = axis.extent - 1;
  if (last == 0) return tensor::constant(0);
  const int64_t period = axis.alignCorners ? 2 * last : 2 * axis.extent;
  const Index away = tensor::mod(place, period);
  const Index beyond = tensor::clamp(away + -last, 0, period);
  const Index step = axis.alignCorners ? beyond * 2 : beyond * 2 + tensor::clamp(beyond, 0, 1) * -1;
  return tensor::clamp(away + step * -1, 0, last);
}

/// Weights of the taps around a place that is \p share of an element behind the first element before it.
std::vector<Scalar> tapWeights(SampleMethod method, const Scalar &share) {
  const auto number = [&](double value) { return tensor::number(value, share->dtype); };
  if (method == SampleMethod::Nearest) return {number(1)};
  if (method == SampleMethod::Linear) return {number(1) - share, share};
  const auto near = [&](const Scalar &x) { return (number(kCubic + 2) * x - number(kCubic + 3)) * x * x + number(1); };
  const auto far = [&](const Scalar &x) {
    return ((number(kCubic) * x - number(5 * kCubic)) * x + number(8 * kCubic)) * x - number(4 * kCubic);
  };
  const Scalar rest = number(1) - share;
  return {far(share + number(1)), near(share), near(rest), far(rest + number(1))};
}

/// Two stages over the points: their places along an axis, as \p place gives them from the reads that it adds, and the
/// elements there.
template <typename MakePlace>
Places addPlaces(KernelBuilder &b, const Axis &axis, const Shape &points, const StageDims &all, DType computed,
                 const MakePlace &place) {
  const std::string placeName = absl::StrCat(axis.name, "_place"), elementName = absl::StrCat(axis.name, "_pixel");
  const Places result{b.temporary(placeName, points, computed), b.temporary(elementName, points, DType::I32)};
  b.begin(placeName, all.dims);
  b.put(place(), result.place, all.at);
  b.begin(elementName, all.dims);
  const Scalar at = b.get(result.place, all.at);
  const Scalar element = axis.method == SampleMethod::Nearest ? tensor::apply(ScalarOp::Round, {at}) : floorOf(at);
  b.put(tensor::cast(DType::I32, element), result.element, all.at);
  return result;
}

/// The sum over the elements around a point, one axis within the other.
class Interpolation {
 public:
  /// \p point finds a point in the buffers of \p places.
  Interpolation(KernelBuilder &b, int image, const std::vector<Axis> &axes, const std::vector<Places> &places,
                Indices point, DType computed)
      : b_(b), image_(image), axes_(axes), places_(places), point_(std::move(point)), computed_(computed) {
    for (size_t i = 0; i < axes.size(); ++i) {
      const Scalar at = b.get(places[i].place, point_);
      weights_.push_back(tapWeights(axes[i].method, at - floorOf(at)));
    }
  }

  /// \p front are the picture's indices before that of \p axis.
  Scalar sum(const Indices &front, size_t axis = 0) {
    if (axis == axes_.size()) {
      const bool hasZeros = axes_[0].padding == SamplePadding::Zeros;
      return tensor::cast(computed_, b_.get(image_, front, hasZeros ? std::optional<double>(0) : std::nullopt));
    }
    const int64_t first = axes_[axis].method == SampleMethod::Cubic ? -1 : 0;
    const Index base = tensor::load(places_[axis].element, point_);
    Scalar total;
    for (size_t tap = 0; tap < weights_[axis].size(); ++tap) {
      Indices at = front;
      at.push_back(tapIndex(base, static_cast<int64_t>(tap) + first, axes_[axis]));
      const Scalar weighted = weights_[axis][tap] * sum(at, axis + 1);
      total = total == nullptr ? weighted : total + weighted;
    }
    return total;
  }

 private:
  KernelBuilder &b_;
  int image_;
  const std::vector<Axis> &axes_;
  const std::vector<Places> &places_;
  Indices point_;
  DType computed_;
  std::vector<std::vector<Scalar>> weights_;
};

}  // namespace

int64_t tapsOf(SampleMethod method, size_t spatialDims) {
  const int64_t perAxis = method == SampleMethod::Nearest ? 1 : method == SampleMethod::Linear ? 2 : 4;
  int64_t taps = 1;
  for (size_t i = 0; i < spatialDims; ++i) taps *= perAxis;
  return taps;
}

// Where each point lies in elements, the element before it, and the sum over the elements around it.
tensor::Kernel gridSampleKernel(const GridSampling &sampling, DType image, DType grid) {
  const DType computed = accumulatorOf(image);
  const size_t spatial = sampling.image.size() - 2;
  KernelBuilder b("grid_sample");
  const int x = b.input("image", sampling.image, image), from = b.input("grid", sampling.grid, grid);
  const Shape points(sampling.grid.begin(), sampling.grid.end() - 1);
  const StageDims all = dimsOver(points, "p");
  std::vector<Axis> axes;
  std::vector<Places> places;
  for (size_t i = 0; i < spatial; ++i) {
    axes.push_back(
        {axisName(i, spatial), sampling.image[i + 2], sampling.alignCorners, sampling.padding, sampling.method});
    places.push_back(addPlaces(b, axes[i], points, all, computed, [&] {
      Indices at = all.at;
      at.push_back(tensor::constant(static_cast<int64_t>(spatial - 1 - i)));
      return elementPlace(tensor::cast(computed, b.get(from, at)), axes[i]);
    }));
  }
  Shape result = {sampling.image[0], sampling.image[1]};
  result.insert(result.end(), points.begin() + 1, points.end());
  const int y = b.output("result", result, image);
  std::vector<tensor::Dim> dims = {tensor::parallel("p0", result[0]), tensor::parallel("c", result[1])};
  Indices point = {tensor::dim(0)}, target = {tensor::dim(0), tensor::dim(1)};
  for (size_t i = 0; i < spatial; ++i) {
    point.push_back(tensor::dim(static_cast<int>(dims.size())));
    target.push_back(point.back());
    dims.push_back(tensor::parallel(absl::StrCat("p", i + 1), result[i + 2]));
  }
  b.begin("sample", dims);
  Interpolation interpolation(b, x, axes, places, point, computed);
  b.put(tensor::cast(image, interpolation.sum({tensor::dim(0), tensor::dim(1)})), y, target);
  return b.finish();
}

tensor::Kernel deformedWindowsKernel(const DeformedWindows &windows, DType dtype, DType computed) {
  const size_t spatial = windows.kernel.size();
  Shape taps(windows.image.begin(), windows.image.begin() + 2);
  taps.insert(taps.end(), windows.kernel.begin(), windows.kernel.end());
  Shape points = taps, offsets = taps, result = taps;
  offsets.push_back(static_cast<int64_t>(spatial));
  for (Shape *shape : {&points, &offsets, &result}) {
    shape->insert(shape->end(), windows.output.begin(), windows.output.end());
  }
  result.insert(result.begin() + 2, windows.image[2]);

  KernelBuilder b("deformed_windows");
  const int x = b.input("image", windows.image, dtype), moved = b.input("offsets", offsets, dtype);
  const int mask = windows.hasMask ? b.input("mask", points, dtype) : -1;
  const int y = b.output("result", result, computed);
  const StageDims all = dimsOver(points, "p");
  std::vector<Axis> axes;
  std::vector<Places> places;
  for (size_t i = 0; i < spatial; ++i) {
    axes.push_back({axisName(i, spatial), windows.image[i + 3], false, SamplePadding::Zeros, SampleMethod::Linear});
    places.push_back(addPlaces(b, axes[i], points, all, computed, [&] {
      Indices at = all.at;
      at.insert(at.begin() + 2 + static_cast<std::ptrdiff_t>(spatial), tensor::constant(static_cast<int64_t>(i)));
      const Index regular =
          all.at[2 + spatial + i] * windows.strides[i] + all.at[2 + i] * windows.dilations[i] + -windows.begins[i];
      const Scalar place =
          tensor::cast(computed, tensor::indexValue(regular)) + tensor::cast(computed, b.get(moved, at));
      return nearTo(place, windows.image[i + 3]);
    }));
  }
  std::vector<tensor::Dim> dims = {tensor::parallel("p0", result[0]), tensor::parallel("p1", result[1]),
                                   tensor::parallel("c", result[2])};
  Indices point = {tensor::dim(0), tensor::dim(1)}, target = {tensor::dim(0), tensor::dim(1), tensor::dim(2)};
  for (size_t i = 3; i < result.size(); ++i) {
    point.push_back(tensor::dim(static_cast<int>(i)));
    target.push_back(point.back());
    dims.push_back(tensor::parallel(absl::StrCat("p", i - 1), result[i]));
  }
  b.begin("sample", dims);
  Interpolation interpolation(b, x, axes, places, point, computed);
  Scalar value = interpolation.sum({tensor::dim(0), tensor::dim(1), tensor::dim(2)});
  if (windows.hasMask) value = value * tensor::cast(computed, b.get(mask, point));
  b.put(value, y, target);
  return b.finish();
}

}  // namespace hone::frontend
