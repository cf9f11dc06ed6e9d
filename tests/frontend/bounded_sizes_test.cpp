// Sizes that are computed from numbers, which something in front of them keeps within bounds: compiled and run, against
// plain loops over the true elements.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/frontend/compiled_node.h"

namespace hone::test {
namespace {

using Integers = std::vector<int64_t>;

constexpr int64_t kOpset = 18;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A model whose first node clips the list of numbers a; sizes is what becomes of them as integers. b, c, … are others.
class Clipped : public CompiledNode {
 public:
  Clipped(const Array &numbers, double low, double high, const std::vector<Array> &others)
      : CompiledNode(kOpset, "Clip", joined({numbers}, others), 1) {
    while (node().input_size() > 1) node().mutable_input()->RemoveLast();
    model.floats("low", {}, {static_cast<float>(low)});
    model.floats("high", {}, {static_cast<float>(high)});
    node().add_input("low");
    node().add_input("high");
    node().set_output(0, "clipped");
    setAttribute(then("Cast", {"clipped"}, "sizes"), "to", elementType(DType::I64));
  }
  onnx::NodeProto &then(const std::string &op, const std::vector<std::string> &inputs,
                        const std::string &output = "y0") {
    return model.node(op, inputs, {output});
  }
  void isRefused(const std::string &part) {
    const auto result = run();
    ASSERT_FALSE(result.ok());
    EXPECT_TRUE(absl::StrContains(result.status().message(), part)) << result.status();
  }

 private:
  static std::vector<Array> joined(std::vector<Array> arrays, const std::vector<Array> &others) {
    arrays.insert(arrays.end(), others.begin(), others.end());
    return arrays;
  }
};

class BoundedSizes : public ::testing::Test {
 protected:
  testing::Random random_{20261202};
};

/// Output \p i of \p size lies here among \p input elements.
double place(const std::string &coordinates, int64_t i, int64_t input, int64_t size) {
  const auto x = static_cast<double>(i), in = static_cast<double>(input), out = static_cast<double>(size);
  if (coordinates == "align_corners") return size == 1 ? 0 : x * (in - 1) / (out - 1);
  if (coordinates == "asymmetric") return x * in / out;
  if (coordinates == "pytorch_half_pixel" && size == 1) return 0;
  return (x + 0.5) * in / out - 0.5;
}

Array resizedLinearly(const Array &image, const std::string &coordinates, int64_t height, int64_t width) {
  Array result({image.shape[0], height, width});
  const auto ends = [&](int64_t i, int64_t input, int64_t size) {
    const double x = std::clamp(place(coordinates, i, input, size), 0.0, static_cast<double>(input - 1));
    const auto first = static_cast<int64_t>(std::floor(x));
    return std::tuple(first, std::min(first + 1, input - 1), x - std::floor(x));
  };
  forEachIndex(result.shape, [&](const Integers &i) {
    const auto [top, bottom, down] = ends(i[1], image.shape[1], height);
    const auto [left, right, along] = ends(i[2], image.shape[2], width);
    const auto row = [&](int64_t y) {
      return image.at({i[0], y, left}) * (1 - along) + image.at({i[0], y, right}) * along;
    };
    result.at(i) = row(top) * (1 - down) + row(bottom) * down;
  });
  return result;
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST_F(BoundedSizes, NothingBoundsThem) {
  const Array image = Array::random({2, 3, 4}, random_);
  Clipped open(Array({1}, {5}), 1, std::numeric_limits<double>::infinity(), {image});
  setAttribute(open.then("Resize", {"b", "", "", "sizes"}), "axes", Integers{1});
  open.isRefused("depends on the contents of the network's inputs");
}

TEST_F(BoundedSizes, ProductsThatWrapBoundNothing) {
  // 2^30 * 2^30 * 16 is 0 in 64 bits.
  Clipped wrapped(Array({1}, {3}), 0, 1 << 30, {});
  wrapped.model.integers("sixteen", {16});
  wrapped.then("Mul", {"sizes", "sizes"}, "square");
  wrapped.then("Mul", {"square", "sixteen"}, "all");
  wrapped.then("ConstantOfShape", {"all"});
  wrapped.isRefused("depends on the contents of the network's inputs");
}

TEST_F(BoundedSizes, NarrowIntegersBoundNothing) {
  // 300 is 44 in 8 bits, and 255 more than that.
  Clipped narrow(Array({1}, {255}), 0, 300, {});
  setAttribute(narrow.then("Cast", {"sizes"}, "bytes"), "to", elementType(DType::U8));
  setAttribute(narrow.then("Cast", {"bytes"}, "all"), "to", elementType(DType::I64));
  narrow.then("ConstantOfShape", {"all"});
  narrow.isRefused("depends on the contents of the network's inputs");
}

TEST_F(BoundedSizes, NotANumberIsASizeOfNone) {
  Clipped none(Array({1}, {kNaN}), 2, 9, {});
  none.then("ConstantOfShape", {"sizes"});
  none.gives({Array({0})});
}

TEST_F(BoundedSizes, ReshapeRefusesWhatMayStandForOtherSizes) {
  // 0 would be the size that the data have there, and -1 what is left over.
  for (const auto &[least, allowsZero, isRefused] :
       std::vector<std::tuple<int64_t, int64_t, bool>>{{0, 0, true}, {-1, 1, true}, {0, 1, false}, {1, 0, false}}) {
    SCOPED_TRACE(absl::StrCat("at least ", least, ", allowzero ", allowsZero));
    const Array x = Array::random({4, 3}, random_);
    Clipped reshaped(Array({1}, {3}), -9, 6, {x});
    reshaped.model.integers("least", {least});
    reshaped.then("Max", {"sizes", "least"}, "most");
    reshaped.model.integers("rest", {-1});
    reshaped.model.integers("zero", {0});
    // Whoever reads it as a size first does not make one of it.
    reshaped.then("ConstantOfShape", {"most"}, "zeros");
    setAttribute(reshaped.then("ReduceSum", {"zeros"}, "nothing"), "keepdims", 0);
    setAttribute(reshaped.then("Concat", {"most", "rest"}, "shape"), "axis", int64_t{0});
    setAttribute(reshaped.then("Reshape", {"b", "shape"}, "wide"), "allowzero", allowsZero);
    reshaped.then("Add", {"wide", "nothing"});
    if (isRefused) {
      reshaped.isRefused("size 0 is computed from data and may be");
    } else {
      reshaped.gives({Array({3, 4}, x.values)});
    }
  }
}

TEST_F(BoundedSizes, ResizeRefusesWhatItDoesNotCompute) {
  const Array image = Array::random({2, 3, 4}, random_);
  const auto refused = [&](const std::string &name, const auto &value, const std::string &part) {
    Clipped resized(Array({1}, {5}), 1, 9, {image});
    onnx::NodeProto &node = resized.then("Resize", {"b", "", "", "sizes"});
    setAttribute(node, "axes", Integers{1});
    setAttribute(node, "mode", "linear");
    if (name == "mode") node.mutable_attribute()->RemoveLast();
    setAttribute(node, name, value);
    resized.isRefused(part);
  };
  refused("mode", "cubic", "a size that depends on data, for cubic interpolation");
  refused("antialias", int64_t{1}, "a size that depends on data, for cubic interpolation, antialiasing");
  refused("keep_aspect_ratio_policy", "not_larger", "attribute 'keep_aspect_ratio_policy' is 'not_larger'");
}

TEST_F(BoundedSizes, ResizeRefusesRowsAndSizesThatBothDependOnData) {
  Clipped resized(Array({1}, {5}), 1, 9, {Array::random({4, 3}, random_), Array({4}, {1, 0, 1, 1}, DType::Bool)});
  setAttribute(resized.then("Compress", {"b", "c"}, "v"), "axis", int64_t{0});
  resized.then("Shape", {"v"}, "shape");
  resized.model.integers("zero", {0});
  resized.model.integers("one", {1});
  resized.then("Slice", {"shape", "zero", "one"}, "rows");
  setAttribute(resized.then("Concat", {"rows", "sizes"}, "all"), "axis", int64_t{0});
  resized.then("Resize", {"v", "", "", "all"});
  resized.isRefused("has sizes that depend on data besides the number of rows");
}

TEST_F(BoundedSizes, PartsThatCannotFitAreRefused) {
  Clipped joined(Array({1}, {5}), 0, 6, {Array::random({2, 7}, random_)});
  joined.model.integers("one", {1});
  setAttribute(joined.then("Concat", {"one", "sizes"}, "shape"), "axis", int64_t{0});
  joined.then("ConstantOfShape", {"shape"}, "part");
  setAttribute(joined.then("Concat", {"part", "b"}), "axis", int64_t{0});
  joined.isRefused("dim 1 of a part has at most 6 elements, and 7 of another");
}

// --------------------------------------------------------------------------------------------------- what they give

TEST_F(BoundedSizes, ResizesLinearly) {
  const Array image = Array::random({2, 5, 3}, random_);
  for (const std::string coordinates : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"}) {
    for (const auto &[height, width] :
         std::vector<std::pair<double, double>>{{1, 1}, {5, 3}, {2.9, 7}, {99, -3}, {12, 2}}) {
      SCOPED_TRACE(absl::StrCat(coordinates, " to ", height, " x ", width));
      Clipped resized(Array({2}, {height, width}), 1, 12, {image});
      onnx::NodeProto &node = resized.then("Resize", {"b", "", "", "sizes"});
      setAttribute(node, "axes", Integers{1, 2});
      setAttribute(node, "mode", "linear");
      setAttribute(node, "coordinate_transformation_mode", coordinates.c_str());
      const auto size = [](double x) { return static_cast<int64_t>(std::clamp(x, 1.0, 12.0)); };
      resized.gives({resizedLinearly(image, coordinates, size(height), size(width))});
    }
  }
}

TEST_F(BoundedSizes, ResizesToTheNearest) {
  const Array image = Array::random({2, 5, 3}, random_);
  for (const std::string rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
    for (int64_t size = 1; size <= 11; ++size) {
      SCOPED_TRACE(absl::StrCat(rounding, " to ", size));
      Clipped resized(Array({1}, {static_cast<double>(size)}), 1, 11, {image});
      onnx::NodeProto &node = resized.then("Resize", {"b", "", "", "sizes"});
      setAttribute(node, "axes", Integers{1});
      setAttribute(node, "nearest_mode", rounding.c_str());
      Array expected({2, size, 3});
      forEachIndex(expected.shape, [&](const Integers &i) {
        const double x = place("half_pixel", i[1], 5, size);
        const double nearest = rounding == "floor"               ? std::floor(x)
                               : rounding == "ceil"              ? std::ceil(x)
                               : rounding == "round_prefer_ceil" ? std::floor(x + 0.5)
                                                                 : std::ceil(x - 0.5);
        expected.at(i) = image.at({i[0], static_cast<int64_t>(std::clamp(nearest, 0.0, 4.0)), i[2]});
      });
      resized.gives({expected});
    }
  }
}

TEST_F(BoundedSizes, ResizesIntegersAndFixedAxesBesides) {
  Array image({2, 4}, DType::I32);
  for (size_t i = 0; i < 8; ++i) image.values[i] = static_cast<double>(i * i * 10);
  Clipped resized(Array({1}, {6}), 1, 9, {image});
  resized.model.integers("two", {2});
  setAttribute(resized.then("Concat", {"two", "sizes"}, "all"), "axis", int64_t{0});
  setAttribute(resized.then("Resize", {"b", "", "", "all"}), "mode", "linear");
  Array floats({1, 2, 4}, image.values);
  Array expected = resizedLinearly(floats, "half_pixel", 2, 6);
  expected.shape = {2, 6};
  expected.dtype = DType::I32;
  for (double &value : expected.values) value = std::trunc(value + 1e-9);
  resized.gives({expected});
}

TEST_F(BoundedSizes, CutsABoxOut) {
  // What detectors do: corners within the image, of a list of boxes the one in the middle.
  const Array image = Array::random({9, 11}, random_);
  for (const auto &box :
       std::vector<std::vector<double>>{{2, 1, 7, 8}, {-5, -5, 50, 50}, {4, 4, 4, 4}, {3.7, 0, 4.2, 99}}) {
    std::vector<double> boxes = {0, 0, 1, 1, 0, 0, 5, 5};
    boxes.insert(boxes.begin() + 4, box.begin(), box.end());
    Clipped cut(Array({3, 4}, boxes), 0, 9, {image});
    cut.model.integers("one", {1});
    cut.model.integers("two", {2});
    cut.model.integers("zero", {0});
    cut.model.integers("four", {4});
    setAttribute(cut.then("Gather", {"sizes", "one"}, "row"), "axis", int64_t{0});
    cut.model.integers("minus", {-1});
    cut.then("Reshape", {"row", "minus"}, "corners");
    cut.then("Slice", {"corners", "zero", "two"}, "begins");
    cut.then("Slice", {"corners", "two", "four"}, "ends");
    cut.then("Slice", {"b", "begins", "ends"});
    const auto corner = [&](size_t i) { return static_cast<int64_t>(std::clamp(box[i], 0.0, 9.0)); };
    Array expected({std::max<int64_t>(corner(2) - corner(0), 0), std::max<int64_t>(corner(3) - corner(1), 0)});
    forEachIndex(expected.shape,
                 [&](const Integers &i) { expected.at(i) = image.at({corner(0) + i[0], corner(1) + i[1]}); });
    cut.gives({expected});
  }
}

TEST_F(BoundedSizes, PartsHaveTheFixedSizesOfOthers) {
  // As torchvision pads a mask: zeros in front, as many as the box says, and behind, as many as are missing.
  const Array x = Array::random({7, 3}, random_);
  for (const double from : {0.0, 2.0, 7.0}) {
    const Array beside = Array::random({7, 2}, random_);
    Clipped padded(Array({1}, {from}), 0, 7, {x, beside});
    padded.model.integers("seven", {7});
    padded.model.integers("three", {3});
    padded.then("Sub", {"seven", "sizes"}, "behind");
    setAttribute(padded.then("Concat", {"sizes", "three"}, "before_shape"), "axis", int64_t{0});
    padded.then("ConstantOfShape", {"before_shape"}, "before");
    padded.model.integers("zero", {0});
    padded.then("Slice", {"b", "zero", "behind"}, "part");
    setAttribute(padded.then("Concat", {"before", "part"}, "shifted"), "axis", int64_t{0});
    padded.then("Slice", {"shifted", "zero", "seven"}, "cut");
    setAttribute(padded.then("Concat", {"c", "cut"}), "axis", int64_t{1});
    const auto shift = static_cast<int64_t>(from);
    Array expected({7, 5});
    forEachIndex(expected.shape, [&](const Integers &i) {
      expected.at(i) = i[1] < 2 ? beside.at({i[0], i[1]}) : i[0] < shift ? 0 : x.at({i[0] - shift, i[1] - 2});
    });
    padded.gives({expected});
  }
}

}  // namespace
}  // namespace hone::test
