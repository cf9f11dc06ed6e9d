// Operators that read pictures between their elements, as generated code against plain loops over their definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "tests/frontend/compiled_node.h"
#include "tests/support/rounds.h"

namespace hone::test {
namespace {

using Shape = std::vector<int64_t>;
using Places = std::vector<double>;
using testing::Random;

Shape joined(Shape front, const Shape &back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

int64_t product(const Shape &shape) {
  int64_t result = 1;
  for (int64_t extent : shape) result *= extent;
  return result;
}

/// What a tap counts for that is \p distance away.
double weightOf(const std::string &method, double distance) {
  const double x = std::fabs(distance), a = -0.75;
  if (method == "nearest") return std::nearbyint(distance) == 0 ? 1 : 0;
  if (method == "linear") return std::max(0.0, 1 - x);
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * (x * x * x - 5 * x * x + 8 * x - 4) : 0;
}

/// The element that stands at \p place of \p extent, which may lie outside; -1 where there is a zero.
int64_t elementAt(int64_t place, int64_t extent, const std::string &padding, bool isAligned) {
  if (place >= 0 && place < extent) return place;
  if (padding == "zeros") return -1;
  if (padding == "border") return place < 0 ? 0 : extent - 1;
  if (extent == 1) return 0;
  const int64_t period = isAligned ? 2 * (extent - 1) : 2 * extent;
  const int64_t away = (place % period + period) % period;
  return away < extent ? away : period - away - (isAligned ? 0 : 1);
}

/// The value of a picture (the spatial dims behind \p front) at \p place: a weighted sum over all taps that reach it,
/// axis within axis.
double valueAt(const Array &image, const Shape &front, const Places &place, const std::string &method,
               const std::string &padding, bool isAligned) {
  const size_t axis = front.size() - (image.shape.size() - place.size());
  if (axis == place.size()) return image.at(front);
  double sum = 0;
  const auto middle = static_cast<int64_t>(std::floor(place[axis]));
  for (int64_t tap = middle - 2; tap <= middle + 3; ++tap) {
    const double weight = weightOf(method, static_cast<double>(tap) - place[axis]);
    const int64_t element = elementAt(tap, image.shape[front.size()], padding, isAligned);
    if (weight == 0 || element < 0) continue;
    sum += weight * valueAt(image, joined(front, {element}), place, method, padding, isAligned);
  }
  return sum;
}

class SamplingNodes : public ::testing::Test {
 protected:
  void repeat(int64_t sampled, int64_t full, const std::function<void()> &check) {
    testing::inRounds(sampled, full, [&](const Random &ofRound) {
      random = ofRound;
      check();
    });
  }
  Shape extents(size_t count, int64_t most) {
    Shape shape;
    for (size_t i = 0; i < count; ++i) shape.push_back(random.between(1, most));
    return shape;
  }
  Random random{0};
};

TEST_F(SamplingNodes, GridSampleOfEveryRankMethodAndPadding) {
  const char *methods[] = {"nearest", "linear", "cubic"}, *paddings[] = {"zeros", "border", "reflection"};
  repeat(8, 200, [&] {
    const auto spatial = static_cast<size_t>(random.between(1, 3));
    const std::string method = methods[random.between(0, spatial == 3 ? 1 : 2)],
                      padding = paddings[random.between(0, 2)];
    const bool isAligned = random.chance(50);
    const Shape image = extents(spatial, 6), points = extents(spatial, 4);
    const int64_t batch = random.between(1, 2), channels = random.between(1, 3);
    const Array x = Array::random(joined({batch, channels}, image), random);
    Array grid = Array::random(joined(joined({batch}, points), {static_cast<int64_t>(spatial)}), random);
    const auto placeOf = [&](double normal, size_t axis) {
      const auto extent = static_cast<double>(image[axis]);
      return isAligned ? (normal + 1) / 2 * (extent - 1) : ((normal + 1) * extent - 1) / 2;
    };
    forEachIndex(grid.shape, [&](const Shape &i) {
      double &normal = grid.at(i);
      normal = static_cast<float>(normal * 1.7 + 0.00371);
      // In the middle between two elements the rounding decides which one is nearer.
      const double place = placeOf(normal, spatial - 1 - static_cast<size_t>(i.back()));
      if (std::fabs(place - std::floor(place) - 0.5) < 1e-3) normal = 0.01;
    });
    Array y(joined({batch, channels}, points));
    forEachIndex(y.shape, [&](const Shape &i) {
      Places place;
      for (size_t axis = 0; axis < spatial; ++axis) {
        Shape at = joined({i[0]}, Shape(i.begin() + 2, i.end()));
        at.push_back(static_cast<int64_t>(spatial - 1 - axis));
        place.push_back(placeOf(grid.at(at), axis));
      }
      y.at(i) = valueAt(x, {i[0], i[1]}, place, method, padding, isAligned);
    });
    CompiledNode(20, "GridSample", {x, grid})
        .with("mode", method.c_str())
        .with("padding_mode", padding.c_str())
        .with("align_corners", isAligned ? 1 : 0)
        .gives({y}, 2e-4);
  });
}

// A place outside of a row of three; each of the four elements around it is bounded by itself: all of them are the last
// element, or some are inside.
TEST(GridSample, BoundsEachElementOfCubicBorders) {
  const Array x({1, 1, 1, 3}, {1, 2, 4});
  const Array grid({1, 1, 2, 2}, {5, 0, 7.0 / 6 - 1.0 / 3, 0});
  // 8.5 is far outside; the second place is 2.25 pixels from the first one.
  const double far = weightOf("cubic", 1.25), near = weightOf("cubic", 0.25), inside = 1 - far - near;
  const Array y({1, 1, 1, 2}, {4, far * 2 + near * 4 + inside * 4});
  CompiledNode(16, "GridSample", {x, grid}).with("mode", "bicubic").with("padding_mode", "border").gives({y});
}

TEST(GridSample, NamesItsMethodsByTheVersion) {
  const Array x({1, 1, 2, 2}), grid({1, 1, 1, 2});
  const auto errorOf = [&](int64_t opset, const std::string &mode) {
    const auto outputs = CompiledNode(opset, "GridSample", {x, grid}).with("mode", mode.c_str()).run();
    return outputs.ok() ? std::string() : std::string(outputs.status().message());
  };
  EXPECT_EQ(errorOf(16, "bilinear"), "");
  EXPECT_EQ(errorOf(20, "linear"), "");
  EXPECT_NE(errorOf(16, "linear").find("'linear', not bilinear, nearest or bicubic"), std::string::npos);
  EXPECT_NE(errorOf(20, "bilinear").find("'bilinear', not linear, nearest or cubic"), std::string::npos);
}

TEST_F(SamplingNodes, AffineGridIsTheMatrixTimesTheCentres) {
  repeat(4, 60, [&] {
    const auto spatial = static_cast<size_t>(random.between(2, 3));
    const auto columns = static_cast<int64_t>(spatial) + 1;
    const bool isAligned = random.chance(50);
    const Shape image = extents(spatial, 4);
    const int64_t batch = random.between(1, 2);
    const Array theta = Array::random({batch, columns - 1, columns}, random);
    const auto centre = [&](int64_t i, int64_t extent) {
      const auto at = static_cast<double>(i), count = static_cast<double>(extent);
      if (isAligned) return extent == 1 ? 0 : -1 + 2 * at / (count - 1);
      return (at + 0.5) * 2 / count - 1;
    };
    Array y(joined(joined({batch}, image), {columns - 1}));
    forEachIndex(y.shape, [&](const Shape &i) {
      double sum = theta.at({i[0], i.back(), columns - 1});
      for (size_t axis = 0; axis < spatial; ++axis) {
        const auto column = static_cast<int64_t>(spatial - 1 - axis);
        sum += theta.at({i[0], i.back(), column}) * centre(i[axis + 1], image[axis]);
      }
      y.at(i) = sum;
    });
    CompiledNode(20, "AffineGrid", {theta})
        .constant("size", joined({batch, 3}, image))
        .with("align_corners", isAligned ? 1 : 0)
        .gives({y});
  });
}

TEST_F(SamplingNodes, DeformConv) {
  repeat(5, 100, [&] {
    const auto spatial = static_cast<size_t>(random.between(1, 3));
    const int64_t groups = random.between(1, 2), offsetGroups = random.between(1, 2), batch = random.between(1, 2);
    const int64_t inner = 2 * random.between(1, 2) / groups, outer = random.between(1, 3);
    const bool hasMask = random.chance(50), hasBias = hasMask || random.chance(50);
    Shape image, kernel, strides, dilations, begins, pads, output;
    for (size_t i = 0; i < spatial; ++i) {
      kernel.push_back(random.between(1, spatial == 3 ? 2 : 3));
      strides.push_back(random.between(1, 2));
      dilations.push_back(random.between(1, 2));
      begins.push_back(random.between(0, 1));
      image.push_back((kernel[i] - 1) * dilations[i] + random.between(1, 4));
    }
    pads = begins;
    for (size_t i = 0; i < spatial; ++i) {
      pads.push_back(random.between(0, 1));
      const int64_t room = image[i] + begins[i] + pads.back() - (kernel[i] - 1) * dilations[i] - 1;
      output.push_back(room / strides[i] + 1);
    }
    const int64_t channels = groups * inner, taps = product(kernel), rank = static_cast<int64_t>(spatial);
    if (channels % offsetGroups != 0) return;
    const Array x = Array::random(joined({batch, channels}, image), random);
    const Array w = Array::random(joined({groups * outer, inner}, kernel), random);
    Array offset = Array::random(joined({batch, offsetGroups * taps * rank}, output), random);
    for (double &value : offset.values) value = static_cast<float>(value * 1.9);
    const Array b = hasBias ? Array::random({groups * outer}, random) : omitted();
    const Array mask = hasMask ? Array::random(joined({batch, offsetGroups * taps}, output), random) : omitted();
    Array y(joined({batch, groups * outer}, output));
    forEachIndex(y.shape, [&](const Shape &i) {
      const Shape at(i.begin() + 2, i.end());
      double sum = hasBias ? b.at({i[1]}) : 0;
      for (int64_t c = 0; c < inner; ++c) {
        const int64_t channel = i[1] / outer * inner + c, group = channel / (channels / offsetGroups);
        int64_t tap = group * taps;
        forEachIndex(kernel, [&](const Shape &k) {
          Places place;
          for (size_t d = 0; d < spatial; ++d) {
            const Shape from = joined({i[0], tap * rank + static_cast<int64_t>(d)}, at);
            place.push_back(static_cast<double>(at[d] * strides[d] - begins[d] + k[d] * dilations[d]) +
                            offset.at(from));
          }
          const double factor = hasMask ? mask.at(joined({i[0], tap}, at)) : 1;
          sum += w.at(joined({i[1], c}, k)) * factor * valueAt(x, {i[0], channel}, place, "linear", "zeros", false);
          ++tap;
        });
      }
      y.at(i) = sum;
    });
    std::vector<Array> operands = {x, w, offset, b};
    if (hasMask) operands.push_back(mask);
    CompiledNode node(19, "DeformConv", operands);
    if (!hasBias) node.node().mutable_input()->RemoveLast();
    node.with("strides", strides).with("dilations", dilations).with("pads", pads);
    node.with("group", groups).with("offset_group", offsetGroups).gives({y}, 1e-4);
  });
}

// The definition, with its points one by one: as many in each direction as a cell is long in pixels, rounded up.
TEST_F(SamplingNodes, RoiAlignWithAsManyPointsAsPixels) {
  repeat(6, 120, [&] {
    const Shape image = {random.between(1, 2), random.between(1, 3), random.between(1, 9), random.between(1, 9)};
    const Shape cells = {random.between(1, 3), random.between(1, 3)};
    const int64_t regions = random.between(1, 3);
    const bool isShifted = random.chance(50);
    const double scale = 0.5;
    const Array x = Array::random(image, random);
    Array rois = Array::random({regions, 4}, random), batches({regions}, DType::I64);
    for (int64_t r = 0; r < regions; ++r) {
      batches.at({r}) = static_cast<double>(random.between(0, image[0] - 1));
      for (int64_t side = 0; side < 4; ++side) {
        // Regions reach far out of the picture, are of no size, or are turned around; the fraction keeps their lengths
        // away from whole numbers, at which one more point would come in.
        const auto whole = static_cast<double>(random.between(-8, 30));
        rois.at({r, side}) = whole + (side < 2 ? 0.25 : 0.39);
      }
    }
    Array y({regions, image[1], cells[0], cells[1]});
    forEachIndex(y.shape, [&](const Shape &i) {
      double begin[2], size[2], sum = 0;
      int64_t count[2];
      for (int64_t d = 0; d < 2; ++d) {
        const double shift = isShifted ? 0.5 : 0;
        begin[d] = rois.at({i[0], 1 - d}) * scale - shift;
        double length = rois.at({i[0], 3 - d}) * scale - shift - begin[d];
        if (!isShifted) length = std::max(length, 1.0);
        size[d] = length / static_cast<double>(cells[static_cast<size_t>(d)]);
        count[d] = static_cast<int64_t>(std::ceil(size[d]));
      }
      for (int64_t v = 0; v < count[0]; ++v) {
        for (int64_t u = 0; u < count[1]; ++u) {
          const int64_t point[2] = {v, u};
          Places place;
          bool isOutside = false;
          for (int64_t d = 0; d < 2; ++d) {
            const double cell = begin[d] + static_cast<double>(i[static_cast<size_t>(d) + 2]) * size[d];
            const double at = cell + (static_cast<double>(point[d]) + 0.5) * size[d] / static_cast<double>(count[d]);
            const auto extent = static_cast<double>(image[static_cast<size_t>(d) + 2]);
            isOutside = isOutside || at < -1 || at > extent;
            place.push_back(std::clamp(at, 0.0, extent - 1));
          }
          const auto batch = static_cast<int64_t>(batches.at({i[0]}));
          if (!isOutside) sum += valueAt(x, {batch, i[1]}, place, "linear", "border", false);
        }
      }
      y.at(i) = sum / static_cast<double>(std::max<int64_t>(count[0] * count[1], 1));
    });
    CompiledNode(16, "RoiAlign", {x, rois, batches})
        .with("output_height", cells[0])
        .with("output_width", cells[1])
        .with("sampling_ratio", 0)
        .with("spatial_scale", static_cast<float>(scale))
        .with("coordinate_transformation_mode", isShifted ? "half_pixel" : "output_half_pixel")
        .gives({y}, 1e-4);
  });
}

// The corners are rounded, both ends belong to the region, and cells overlap where it does not divide.
TEST_F(SamplingNodes, MaxRoiPool) {
  repeat(4, 80, [&] {
    const Shape image = {random.between(1, 2), random.between(1, 3), random.between(1, 9), random.between(1, 9)};
    const Shape cells = {random.between(1, 3), random.between(1, 3)};
    const int64_t regions = random.between(1, 3);
    const Array x = Array::random(image, random);
    Array rois({regions, 5});
    for (int64_t r = 0; r < regions; ++r) {
      rois.at({r, 0}) = static_cast<double>(random.between(0, image[0] - 1));
      for (int64_t side = 1; side < 5; ++side) rois.at({r, side}) = static_cast<double>(random.between(-4, 20)) + 0.25;
    }
    Array y({regions, image[1], cells[0], cells[1]});
    forEachIndex(y.shape, [&](const Shape &i) {
      int64_t begin[2], end[2];
      for (size_t d = 0; d < 2; ++d) {
        const auto side = static_cast<int64_t>(d);
        const double first = std::round(rois.at({i[0], 2 - side}) / 2),
                     last = std::round(rois.at({i[0], 4 - side}) / 2);
        const double size = std::max(last - first + 1, 1.0) / static_cast<double>(cells[d]);
        const auto cell = static_cast<double>(i[d + 2]);
        begin[d] = std::max<int64_t>(static_cast<int64_t>(first + std::floor(cell * size)), 0);
        end[d] = std::min<int64_t>(static_cast<int64_t>(first + std::ceil((cell + 1) * size)), image[d + 2]);
      }
      std::optional<double> best;
      for (int64_t v = begin[0]; v < end[0]; ++v) {
        for (int64_t u = begin[1]; u < end[1]; ++u) {
          const double value = x.at({static_cast<int64_t>(rois.at({i[0], 0})), i[1], v, u});
          best = std::max(best.value_or(value), value);
        }
      }
      y.at(i) = best.value_or(0);
    });
    CompiledNode(1, "MaxRoiPool", {x, rois}).with("pooled_shape", cells).with("spatial_scale", 0.5F).gives({y}, 0);
  });
}

}  // namespace
}  // namespace hone::test
