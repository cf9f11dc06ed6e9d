// Operators that move elements: around the ends of an axis, out of columns. Generated code against plain loops over the definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/frontend/compiled_node.h"
#include "tests/support/rounds.h"

namespace hone::test {
namespace {

using Shape = std::vector<int64_t>;
using testing::Random;

Shape joined(Shape front, const Shape &back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

std::string errorOf(const CompiledNode &node) {
  const auto outputs = node.run();
  return outputs.ok() ? "is taken" : std::string(outputs.status().message());
}

// ------------------------------------------------------------------------------------------------ ends of an axis

TEST(Pad, WrapsAroundAsOftenAsItTakes) {
  testing::inRounds(5, 80, [](Random &random) {
    const Shape shape = {random.between(1, 4), random.between(1, 4), 2};
    const Array x = Array::random(shape, random);
    // Axes in another order, one of them counted from the end; negative pads cut off before the others wrap.
    const Shape begins = {random.between(-1, 7), random.between(0, 3)},
                ends = {random.between(0, 7), random.between(0, 9)};
    const int64_t cut = shape[1] > 1 ? std::max<int64_t>(-begins[0], 0) : 0;
    const int64_t middleBegin = cut > 0 ? -1 : std::max<int64_t>(begins[0], 0), kept = shape[1] - cut;
    Array y({begins[1] + shape[0] + ends[1], std::max<int64_t>(middleBegin, 0) + kept + ends[0], 2});
    const auto around = [](int64_t place, int64_t extent) { return (place % extent + extent) % extent; };
    forEachIndex(y.shape, [&](const Shape &i) {
      const int64_t middle = cut + around(i[1] - std::max<int64_t>(middleBegin, 0), kept);
      y.at(i) = x.at({around(i[0] - begins[1], shape[0]), middle, i[2]});
    });
    CompiledNode(19, "Pad", {x})
        .constant("pads", Shape{middleBegin, begins[1], ends[0], ends[1]})
        .operand("")
        .constant("axes", Shape{-2, 0})
        .with("mode", "wrap")
        .gives({y}, 0);
  });
}

TEST(Pad, RefusesWhatCannotWrap) {
  const auto wrap = [](int64_t opset, int64_t pad) {
    CompiledNode node(opset, "Pad", {Array({3})});
    return node.constant("pads", Shape{0, pad}).with("mode", "wrap");
  };
  EXPECT_NE(errorOf(wrap(18, 1)).find("'wrap', not constant, reflect or edge"), std::string::npos);
  EXPECT_NE(errorOf(wrap(19, 1 << 20)).find("go around dim 0 of 3 elements more than 1000 times"), std::string::npos);
}

TEST(CenterCropPad, KeepsTheMiddle) {
  const Array x({5, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  // Of three rows too many one goes in front and two behind; of three columns too few one zero is in front.
  CompiledNode(18, "CenterCropPad", {x})
      .constant("shape", Shape{2, 5})
      .gives({{{2, 5}, {0, 3, 4, 0, 0, 0, 5, 6, 0, 0}}});
  CompiledNode(18, "CenterCropPad", {x})
      .constant("shape", Shape{1})
      .with("axes", Shape{-1})
      .gives({{{5, 1}, {1, 3, 5, 7, 9}}});
  EXPECT_NE(errorOf(CompiledNode(18, "CenterCropPad", {x}).constant("shape", Shape{1})).find("1 extents for 2 axes"),
            std::string::npos);
}

// ------------------------------------------------------------------------------------------------------- columns

// The definition scatters: each window adds its column to the elements that it covers.
TEST(Col2Im, AddsUpWindowsThatOverlap) {
  testing::inRounds(5, 80, [](Random &random) {
    const auto spatial = static_cast<size_t>(random.between(1, 3));
    Shape image, block, strides, dilations, pads, windows;
    for (size_t i = 0; i < spatial; ++i) {
      block.push_back(random.between(1, 3));
      strides.push_back(random.between(1, 3));
      dilations.push_back(random.between(1, 2));
      image.push_back((block[i] - 1) * dilations[i] + random.between(1, 4));
      pads.push_back(random.between(0, 2));
    }
    int64_t taps = 1, count = 1;
    for (size_t i = 0; i < spatial; ++i) {
      pads.push_back(random.between(0, 1));
      const int64_t room = image[i] + pads[i] + pads.back() - (block[i] - 1) * dilations[i] - 1;
      windows.push_back(room / strides[i] + 1);
      taps *= block[i];
      count *= windows[i];
    }
    const int64_t batch = random.between(1, 2), channels = random.between(1, 3);
    const Array x = Array::random({batch, channels * taps, count}, random);
    Array y(joined({batch, channels}, image));
    forEachIndex({batch, channels}, [&](const Shape &front) {
      int64_t tap = front[1] * taps;
      forEachIndex(block, [&](const Shape &k) {
        int64_t window = 0;
        forEachIndex(windows, [&](const Shape &w) {
          Shape at = front;
          bool isInside = true;
          for (size_t d = 0; d < spatial; ++d) {
            at.push_back(w[d] * strides[d] + k[d] * dilations[d] - pads[d]);
            isInside = isInside && at.back() >= 0 && at.back() < image[d];
          }
          if (isInside) y.at(at) += x.at({front[0], tap, window});
          ++window;
        });
        ++tap;
      });
    });
    CompiledNode(18, "Col2Im", {x})
        .constant("image", image)
        .constant("block", block)
        .with("strides", strides)
        .with("dilations", dilations)
        .with("pads", pads)
        .gives({y});
  });
}

TEST(Col2Im, RefusesColumnsThatAreNotThoseOfTheImage) {
  const auto node = [](const Shape &columns, const Shape &image, const Shape &block) {
    return errorOf(CompiledNode(18, "Col2Im", {Array(columns)}).constant("image", image).constant("block", block));
  };
  EXPECT_EQ(node({1, 4, 4}, {3, 3}, {2, 2}), "is taken");
  EXPECT_NE(node({1, 4, 5}, {3, 3}, {2, 2}).find("are not 4 blocks of 4 elements"), std::string::npos);
  EXPECT_NE(node({1, 3, 4}, {3, 3}, {2, 2}).find("are not 4 blocks of 4 elements"), std::string::npos);
  EXPECT_NE(node({1, 4, 4}, {3, 3}, {2}).find("two lists of one length"), std::string::npos);
  EXPECT_NE(node({1, 4, 4}, {1, 3}, {2, 2}).find("is larger than the padded image"), std::string::npos);
  EXPECT_NE(node({1, 4, 4}, {3, 3}, {0, 2}), "is taken");
}

}  // namespace
}  // namespace hone::test
