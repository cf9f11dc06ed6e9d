// Operators that move elements: at places that are data, around the ends of an axis, out of columns. Generated code
// against plain loops over the definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
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

// ------------------------------------------------------------------------------------- indices beyond the ends

/// Indices of an axis of \p extent that are inside, just outside and far outside.
double anyIndex(Random &random, int64_t extent) {
  const double far[] = {1e18, -1e18, 2147483647, -2147483648.0};
  if (random.chance(15)) return far[random.between(0, 3)];
  return static_cast<double>(random.between(-2 * extent, 2 * extent - 1));
}

Array indices(const Shape &shape, Random &random, int64_t extent, DType dtype) {
  Array result(shape, dtype);
  for (double &index : result.values) {
    index = anyIndex(random, extent);
    if (dtype == DType::I32) index = std::clamp(index, -2147483648.0, 2147483647.0);
  }
  return result;
}

/// What an index reads: counted from the end where it is negative, and at most the element at either end.
int64_t read(double index, int64_t extent) {
  const double counted = index < 0 ? index + static_cast<double>(extent) : index;
  return static_cast<int64_t>(std::clamp(counted, 0.0, static_cast<double>(extent - 1)));
}

/// Where an index writes; nowhere outside.
std::optional<int64_t> written(double index, int64_t extent) {
  const double counted = index < 0 ? index + static_cast<double>(extent) : index;
  if (counted < 0 || counted >= static_cast<double>(extent)) return std::nullopt;
  return static_cast<int64_t>(counted);
}

class Indices : public ::testing::Test {
 protected:
  void repeat(int64_t sampled, int64_t full, const std::function<void(Random &, DType)> &check) {
    testing::inRounds(sampled, full,
                      [&](Random &random) { check(random, random.chance(50) ? DType::I32 : DType::I64); });
  }
};

TEST_F(Indices, ReadTheNearestRow) {
  repeat(4, 60, [](Random &random, DType dtype) {
    const int64_t extent = random.between(1, 9), columns = random.between(1, 5);
    const Array x = Array::random({extent, columns}, random), at = indices({2, 4}, random, extent, dtype);
    Array rows({2, 4, columns}), elements({2, 4});
    forEachIndex(rows.shape, [&](const Shape &i) { rows.at(i) = x.at({read(at.at({i[0], i[1]}), extent), i[2]}); });
    CompiledNode(13, "Gather", {x, at}).gives({rows}, 0);
    if (extent < 2 || columns < 4) return;
    forEachIndex(elements.shape, [&](const Shape &i) { elements.at(i) = x.at({read(at.at(i), extent), i[1]}); });
    CompiledNode(13, "GatherElements", {x, at}).gives({elements}, 0);
  });
}

TEST_F(Indices, ReadTheNearestElementOfTuples) {
  repeat(4, 60, [](Random &random, DType dtype) {
    const Shape shape = {random.between(1, 5), random.between(1, 5), 3};
    const Array x = Array::random(shape, random);
    Array at({4, 2}, dtype), y({4, 3});
    for (int64_t i = 0; i < 4; ++i) {
      const double first = indices({1}, random, shape[0], dtype).values[0];
      const double second = indices({1}, random, shape[1], dtype).values[0];
      at.at({i, 0}) = first;
      at.at({i, 1}) = second;
      for (int64_t c = 0; c < 3; ++c) y.at({i, c}) = x.at({read(first, shape[0]), read(second, shape[1]), c});
    }
    CompiledNode(13, "GatherND", {x, at}).gives({y}, 0);
  });
}

TEST_F(Indices, WriteNothingOutside) {
  repeat(6, 90, [](Random &random, DType dtype) {
    const bool adds = random.chance(50);
    const int64_t extent = random.between(1, 7), columns = random.between(1, 4), count = random.between(1, 6);
    const Array x = Array::random({extent, columns}, random);
    const Array at = indices({count, columns}, random, extent, dtype),
                rowAt = indices({count, 1}, random, extent, dtype);
    const Array updates = Array::random({count, columns}, random);
    Array elements = x, rows = x;
    forEachIndex(at.shape, [&](const Shape &i) {
      if (const auto place = written(at.at(i), extent)) {
        double &element = elements.at({*place, i[1]});
        element = adds ? element + updates.at(i) : updates.at(i);
      }
      if (const auto place = written(rowAt.at({i[0], 0}), extent)) {
        double &element = rows.at({*place, i[1]});
        element = adds ? element + updates.at(i) : updates.at(i);
      }
    });
    const char *reduction = adds ? "add" : "none";
    CompiledNode(16, "ScatterElements", {x, at, updates}).with("reduction", reduction).gives({elements});
    CompiledNode(16, "ScatterND", {x, rowAt, updates}).with("reduction", reduction).gives({rows});
  });
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
