// Resize: expected values are those of ONNX's reference evaluator (onnx 1.23), for what ONNX's own test data of the
// versions up to 18 does not hold.
#include <gtest/gtest.h>

#include "tests/frontend/compiled_node.h"

namespace hone::test {
namespace {

using Shape = std::vector<int64_t>;

/// Data and the operands behind it, in whose place an empty list means that there is none.
struct ResizeCase {
  explicit ResizeCase(Shape shape) : data(std::move(shape)) {
    for (size_t i = 0; i < data.values.size(); ++i) data.values[i] = static_cast<double>(i * 7 % 13) / 4;
  }

  CompiledNode node() const {
    CompiledNode result(18, "Resize", {data});
    result.constant("roi", roi).constant("scales", scales);
    if (!sizes.empty()) result.constant("sizes", sizes);
    return result;
  }

  Array data;
  std::vector<float> roi, scales;
  Shape sizes;
};

TEST(ResizeNodes, AntialiasedLinear) {
  ResizeCase c({1, 1, 3, 8});
  c.scales = {1, 1, 1, 0.5F};
  c.node()
      .with("mode", "linear")
      .with("antialias", 1)
      .gives({{{1, 1, 3, 4},
               {0.6875, 1.125, 1.375, 1.8125, 1.6875, 2.125, 1.15625, 0.78125, 1.46875, 1.5, 1.75, 1.78125}}});
}

TEST(ResizeNodes, AntialiasedLinearManyTaps) {
  ResizeCase c({1, 1, 1, 16});
  c.sizes = {1, 1, 1, 3};
  c.node().with("mode", "linear").with("antialias", 1).gives({{{1, 1, 1, 3}, {0.9590643, 1.75, 1.19152}}});
}

TEST(ResizeNodes, AntialiasedCubic) {
  ResizeCase c({1, 1, 6, 5});
  c.scales = {1, 1, 0.5F, 0.8F};
  c.node()
      .with("mode", "cubic")
      .with("antialias", 1)
      .gives({{{1, 1, 3, 4},
               {1.175183, 1.448756, 1.289375, 1.536737, 1.450328, 2.050477, 1.134024, 1.550691, 1.432653, 1.137311,
                1.428339, 1.949598}}});
}

TEST(ResizeNodes, AntialiasedCubicExcludeOutside) {
  ResizeCase c({1, 1, 1, 9});
  c.scales = {1, 1, 1, 0.4F};
  c.node()
      .with("mode", "cubic")
      .with("antialias", 1)
      .with("exclude_outside", 1)
      .with("cubic_coeff_a", -0.5F)
      .gives({{{1, 1, 1, 3}, {0.8105587, 1.217263, 1.567082}}});
}

TEST(ResizeNodes, AxesInAnyOrder) {
  ResizeCase c({2, 3, 2});
  c.sizes = {4, 5};
  c.node()
      .with("mode", "linear")
      .with("axes", Shape{2, 1})
      .gives({{{2, 5, 4}, {0,      0.4375, 1.3125, 1.75,   0.1,    0.5375, 1.4125, 1.85,   0.25,   0.6875,
                           1.5625, 2,      0.4,    0.8375, 1.7125, 2.15,   0.5,    0.9375, 1.8125, 2.25,
                           0.75,   1.1875, 2.0625, 2.5,    0.85,   1.2875, 2.1625, 2.6,    1,      1.4375,
                           2.3125, 2.75,   1.15,   1.5875, 2.4625, 2.9,    1.25,   1.6875, 2.5625, 3}}});
}

TEST(ResizeNodes, NegativeAxisAndPytorchPixels) {
  ResizeCase c({1, 4});
  c.scales = {0.5F};
  c.node()
      .with("mode", "linear")
      .with("axes", Shape{1})
      .with("coordinate_transformation_mode", "pytorch_half_pixel")
      .gives({{{1, 2}, {0.875, 1.125}}});
}

TEST(ResizeNodes, NotLarger) {
  ResizeCase c({1, 1, 4, 6});
  c.sizes = {3, 3};
  c.node()
      .with("axes", Shape{2, 3})
      .with("mode", "nearest")
      .with("keep_aspect_ratio_policy", "not_larger")
      .gives({{{1, 1, 2, 3}, {0, 0.25, 0.5, 1.5, 1.75, 2}}});
}

TEST(ResizeNodes, NotSmaller) {
  ResizeCase c({1, 1, 3, 5});
  c.sizes = {7, 6};
  c.node()
      .with("axes", Shape{2, 3})
      .with("mode", "linear")
      .with("keep_aspect_ratio_policy", "not_smaller")
      .gives(
          {{{1, 1, 7, 12},
            {0,        0.25,     1,         1.75,      1.107143, 0.4642857, 0.75,      1.5,       1.785714,  1.142857,
             0.5,      0.5,      0.3214286, 0.505102,  1.056122, 1.607143,  1.163265,  0.7193878, 0.9387755, 1.489796,
             1.709184, 1.265306, 0.8214286, 0.8214286, 1.285714, 1.270408,  1.22449,   1.178571,  1.331633,  1.484694,
             1.505102, 1.459184, 1.479592,  1.632653,  1.785714, 1.785714,  2.25,      2.035714,  1.392857,  0.75,
             1.5,      2.25,     2.071429,  1.428571,  1.25,     2,         2.75,      2.75,      1.821429,  1.806122,
             1.760204, 1.714286, 1.867347,  2.020408,  1.642857, 1,         0.8214286, 1.571429,  2.321429,  2.321429,
             1.392857, 1.576531, 2.127551,  2.678571,  2.234694, 1.790816,  1.214286,  0.5714286, 0.3928571, 1.142857,
             1.892857, 1.892857, 1.25,      1.5,       2.25,     3,         2.357143,  1.714286,  1.071429,  0.4285714,
             0.25,     1,        1.75,      1.75}}});
}

TEST(ResizeNodes, CropAndExtrapolate) {
  ResizeCase c({1, 1, 3, 4});
  c.roi = {0, 0, -0.4F, 0.1F, 1, 1, 1.2F, 0.9F};
  c.sizes = {1, 1, 4, 4};
  c.node()
      .with("mode", "linear")
      .with("coordinate_transformation_mode", "tf_crop_and_resize")
      .with("extrapolation_value", 9.0F)
      .gives({{{1, 1, 4, 4},
               {9, 9, 9, 9, 0.6583334, 1.733333, 0.5333335, 1.608333, 1.191667, 2.266667, 1.066667, 2.141666, 9, 9, 9,
                9}}});
}

TEST(ResizeNodes, CropOfOnePixel) {
  ResizeCase c({1, 1, 3, 4});
  c.roi = {0, 0, 0.2F, 0.3F, 1, 1, 0.8F, 0.7F};
  c.sizes = {1, 1, 1, 1};
  c.node()
      .with("mode", "cubic")
      .with("coordinate_transformation_mode", "tf_crop_and_resize")
      .gives({{{1, 1, 1, 1}, {1.5}}});
}

TEST(ResizeNodes, NearestRoundPreferFloor) {
  ResizeCase c({1, 1, 2, 6});
  c.scales = {1, 1, 2.5F, 0.75F};
  c.node()
      .with("mode", "nearest")
      .with("nearest_mode", "round_prefer_floor")
      .with("coordinate_transformation_mode", "half_pixel")
      .gives({{{1, 1, 5, 4},
               {0, 1.75, 2, 0.5, 0, 1.75, 2, 0.5, 0, 1.75, 2, 0.5, 0.75, 2.5, 2.75, 1.25, 0.75, 2.5, 2.75, 1.25}}});
}

TEST(ResizeNodes, NearestRoundPreferCeil) {
  ResizeCase c({1, 1, 2, 6});
  c.scales = {1, 1, 2.5F, 0.75F};
  c.node()
      .with("mode", "nearest")
      .with("nearest_mode", "round_prefer_ceil")
      .with("coordinate_transformation_mode", "half_pixel")
      .gives({{{1, 1, 5, 4},
               {0, 0.25, 2, 0.5, 0, 0.25, 2, 0.5, 0.75, 1, 2.75, 1.25, 0.75, 1, 2.75, 1.25, 0.75, 1, 2.75, 1.25}}});
}

TEST(ResizeNodes, NearestFloor) {
  ResizeCase c({1, 1, 2, 6});
  c.scales = {1, 1, 2.5F, 0.75F};
  c.node()
      .with("mode", "nearest")
      .with("nearest_mode", "floor")
      .with("coordinate_transformation_mode", "half_pixel")
      .gives({{{1, 1, 5, 4},
               {0, 1.75, 0.25, 0.5, 0, 1.75, 0.25, 0.5, 0, 1.75, 0.25, 0.5, 0, 1.75, 0.25, 0.5, 0.75, 2.5, 1, 1.25}}});
}

TEST(ResizeNodes, NearestCeil) {
  ResizeCase c({1, 1, 2, 6});
  c.scales = {1, 1, 2.5F, 0.75F};
  c.node()
      .with("mode", "nearest")
      .with("nearest_mode", "ceil")
      .with("coordinate_transformation_mode", "half_pixel")
      .gives(
          {{{1, 1, 5, 4}, {1.75, 0.25, 2, 2.25, 2.5, 1, 2.75, 3, 2.5, 1, 2.75, 3, 2.5, 1, 2.75, 3, 2.5, 1, 2.75, 3}}});
}

TEST(ResizeNodes, NearestAsymmetricTimesThree) {
  ResizeCase c({1, 2, 2, 3});
  c.scales = {1, 1, 3, 2};
  c.node()
      .with("mode", "nearest")
      .with("nearest_mode", "floor")
      .with("coordinate_transformation_mode", "asymmetric")
      .gives({{{1, 2, 6, 6}, {0,    0,    1.75, 1.75, 0.25, 0.25, 0,    0,    1.75, 1.75, 0.25, 0.25, 0,    0,    1.75,
                              1.75, 0.25, 0.25, 2,    2,    0.5,  0.5,  2.25, 2.25, 2,    2,    0.5,  0.5,  2.25, 2.25,
                              2,    2,    0.5,  0.5,  2.25, 2.25, 0.75, 0.75, 2.5,  2.5,  1,    1,    0.75, 0.75, 2.5,
                              2.5,  1,    1,    0.75, 0.75, 2.5,  2.5,  1,    1,    2.75, 2.75, 1.25, 1.25, 3,    3,
                              2.75, 2.75, 1.25, 1.25, 3,    3,    2.75, 2.75, 1.25, 1.25, 3,    3}}});
}

// Five elements times 1.5 are seven: the first and the last stay, and a step is 4/6. The product, 7.5, does not count.
TEST(ResizeNodes, AlignedCornersAreThoseOfTheResult) {
  const Array x({5}, {0, 3, 6, 9, 12});
  const auto resized = [&](float scale) {
    CompiledNode node(19, "Resize", {x});
    node.operand("").constant("scales", std::vector<float>{scale});
    return node.with("mode", "linear").with("coordinate_transformation_mode", "align_corners");
  };
  resized(1.5F).gives({{{7}, {0, 2, 4, 6, 8, 10, 12}}});
  resized(0.7F).gives({{{3}, {0, 6, 12}}});
  resized(0.3F).gives({{{1}, {0}}});
}

// Four elements of 5 * 0.9 = 4.5: half of what is cut off is in front.
TEST(ResizeNodes, SymmetricPixelsAreCutOffOnBothSides) {
  CompiledNode node(19, "Resize", {Array({5}, {0, 9, 18, 27, 36})});
  node.operand("").constant("scales", std::vector<float>{0.9F});
  node.with("mode", "linear").with("coordinate_transformation_mode", "half_pixel_symmetric");
  // (i + 1/2) / 0.9 - 1/2 and 5/2 * (1 - 4 / 4.5) more, times 9.
  node.gives({{{4}, {3, 13, 23, 33}}});
}

// 1.5 / 0.6 is 2.5 in float32, though the scale is a little more than 0.6.
TEST(ResizeNodes, NearestIsDecidedInSinglePrecision) {
  CompiledNode node(13, "Resize", {Array({5}, {0, 1, 2, 3, 4})});
  node.operand("").constant("scales", std::vector<float>{0.6F});
  node.with("mode", "nearest").with("nearest_mode", "floor").gives({{{3}, {0, 2, 3}}});
}

TEST(ResizeNodes, CubicOverThreeAxes) {
  ResizeCase c({2, 3, 4});
  c.scales = {1.5F, 2, 0.5F};
  c.node()
      .with("mode", "cubic")
      .with("coordinate_transformation_mode", "align_corners")
      .gives(
          {{{3, 6, 2}, {0,         2,        0.1579997, 2.157999, 0.3640001, 2.364001,  0.6360003, 2.636001, 0.842,
                        2.841999,  1,        3,         0.75,     1.125,     0.9079995, 1.282999,  1.114,    1.489,
                        1.386001,  1.761001, 1.592,     1.967,    1.75,      2.125,     1.5,       0.25,     1.657999,
                        0.4079996, 1.864001, 0.6140001, 2.136001, 0.8860004, 2.342,     1.092,     2.5,      1.25}}});
}

}  // namespace
}  // namespace hone::test
