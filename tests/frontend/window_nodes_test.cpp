// Convolutions, transposed convolutions and poolings of every rank with random attributes, as generated code against
// plain loops over their definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

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

struct Geometry {
  Shape data, kernel, strides, dilations, pads;
  size_t rank() const { return data.size(); }
};

class WindowNodes : public ::testing::Test {
 protected:
  void repeat(int64_t sampled, int64_t full, const std::function<void()> &check) {
    testing::inRounds(sampled, full, [&](const Random &ofRound) {
      random = ofRound;
      check();
    });
  }

  /// Attributes of a window over 1 to 4 spatial dims, such that at least one window fits.
  Geometry geometry(int64_t largest) {
    Geometry g;
    const auto rank = static_cast<size_t>(random.between(1, random.chance(20) ? 4 : 3));
    for (size_t i = 0; i < rank; ++i) {
      g.kernel.push_back(random.between(1, rank > 2 ? 2 : 4));
      g.strides.push_back(random.between(1, 3));
      g.dilations.push_back(random.chance(30) ? random.between(2, 3) : 1);
      const int64_t reach = (g.kernel[i] - 1) * g.dilations[i] + 1;
      g.data.push_back(random.between(reach, reach + (rank > 2 ? largest / 2 : largest)));
    }
    for (size_t i = 0; i < 2 * rank; ++i) {
      const size_t d = i % rank;
      g.pads.push_back(random.chance(50) ? random.between(0, (g.kernel[d] - 1) * g.dilations[d]) : 0);
    }
    return g;
  }

  Random random{0};
};

/// Where tap \p tap of window \p at looks; nothing outside the data.
std::optional<Shape> placeOf(const Geometry &g, const Shape &at, const Shape &tap) {
  Shape place;
  for (size_t i = 0; i < g.rank(); ++i) {
    place.push_back(at[i] * g.strides[i] + tap[i] * g.dilations[i] - g.pads[i]);
    if (place[i] < 0 || place[i] >= g.data[i]) return std::nullopt;
  }
  return place;
}

Shape outputOf(const Geometry &g) {
  Shape output;
  for (size_t i = 0; i < g.rank(); ++i) {
    const int64_t room = g.data[i] + g.pads[i] + g.pads[g.rank() + i] - (g.kernel[i] - 1) * g.dilations[i] - 1;
    output.push_back(room / g.strides[i] + 1);
  }
  return output;
}

CompiledNode &withGeometry(CompiledNode &node, const Geometry &g) {
  return node.with("kernel_shape", g.kernel)
      .with("strides", g.strides)
      .with("dilations", g.dilations)
      .with("pads", g.pads);
}

TEST_F(WindowNodes, Conv) {
  repeat(4, 120, [&] {
    const Geometry g = geometry(5);
    const int64_t groups = random.between(1, 3), inner = random.between(1, 3), outer = random.between(1, 3);
    const Array x = Array::random(joined({random.between(1, 2), groups * inner}, g.data), random);
    const Array w = Array::random(joined({groups * outer, inner}, g.kernel), random);
    const Array b = Array::random({groups * outer}, random);
    Array y(joined({x.shape[0], groups * outer}, outputOf(g)));
    forEachIndex(y.shape, [&](const Shape &i) {
      double sum = b.at({i[1]});
      forEachIndex(g.kernel, [&](const Shape &tap) {
        const auto place = placeOf(g, Shape(i.begin() + 2, i.end()), tap);
        for (int64_t c = 0; place && c < inner; ++c) {
          sum += x.at(joined({i[0], i[1] / outer * inner + c}, *place)) * w.at(joined({i[1], c}, tap));
        }
      });
      y.at(i) = sum;
    });
    CompiledNode node(13, "Conv", {x, w, b});
    withGeometry(node, g).with("group", groups).fixed(1).gives({y});
  });
}

// The definition scatters: every input adds to the outputs that its window covers.
TEST_F(WindowNodes, ConvTranspose) {
  repeat(5, 300, [&] {
    Geometry g = geometry(4);
    // Many channels take the way with a convolution for each phase.
    const bool isWide = random.chance(40);
    const int64_t groups = random.between(1, 2), inner = random.between(1, 3);
    const int64_t outer = isWide ? random.between(8, 18) : random.between(1, 3);
    if (isWide && g.rank() > 2) g.strides[0] = 1;
    Shape further, output;
    for (size_t i = 0; i < g.rank(); ++i) {
      further.push_back(random.between(0, std::max(g.strides[i], g.dilations[i]) - 1));
      const int64_t full = g.strides[i] * (g.data[i] - 1) + further[i] + (g.kernel[i] - 1) * g.dilations[i] + 1;
      while (full - g.pads[i] - g.pads[g.rank() + i] < 1) g.pads[i] = g.pads[g.rank() + i] = 0;
      output.push_back(full - g.pads[i] - g.pads[g.rank() + i]);
    }
    const Array x = Array::random(joined({random.between(1, 2), groups * inner}, g.data), random);
    const Array w = Array::random(joined({groups * inner, outer}, g.kernel), random);
    const Array b = Array::random({groups * outer}, random);
    const bool hasBias = random.chance(70);
    Array y(joined({x.shape[0], groups * outer}, output));
    forEachIndex(y.shape, [&](const Shape &i) { y.at(i) = hasBias ? b.at({i[1]}) : 0; });
    forEachIndex(x.shape, [&](const Shape &i) {
      forEachIndex(g.kernel, [&](const Shape &tap) {
        Shape place;
        for (size_t d = 0; d < g.rank(); ++d) {
          place.push_back(i[d + 2] * g.strides[d] + tap[d] * g.dilations[d] - g.pads[d]);
          if (place[d] < 0 || place[d] >= output[d]) return;
        }
        for (int64_t m = 0; m < outer; ++m) {
          y.at(joined({i[0], i[1] / inner * outer + m}, place)) += x.at(i) * w.at(joined({i[1], m}, tap));
        }
      });
    });
    CompiledNode node(11, "ConvTranspose", {x, w, hasBias ? b : omitted()});
    withGeometry(node, g).with("group", groups).with("output_padding", further);
    if (random.chance(80)) node.fixed(1);
    if (hasBias && random.chance(80)) node.fixed(2);
    node.gives({y});
  });
}

TEST_F(WindowNodes, MaxPoolWithPositions) {
  repeat(3, 100, [&] {
    const Geometry g = geometry(6);
    const bool isColumnMajor = random.chance(30);
    Array x = Array::random(joined({random.between(1, 2), random.between(1, 3)}, g.data), random);
    // Few different numbers: of equal ones the first position counts.
    for (double &value : x.values) value = std::round(value * 4);
    const Shape shape = joined({x.shape[0], x.shape[1]}, outputOf(g));
    Array y(shape), positions(shape, DType::I64);
    forEachIndex(shape, [&](const Shape &i) {
      double best = -std::numeric_limits<double>::infinity();
      int64_t position = std::numeric_limits<int64_t>::max();
      forEachIndex(g.kernel, [&](const Shape &tap) {
        const auto place = placeOf(g, Shape(i.begin() + 2, i.end()), tap);
        if (!place) return;
        int64_t own = i[0] * x.shape[1] + i[1];
        for (size_t d = 0; d < g.rank(); ++d) {
          const size_t k = isColumnMajor ? g.rank() - 1 - d : d;
          own = own * g.data[k] + (*place)[k];
        }
        const double value = x.at(joined({i[0], i[1]}, *place));
        if (value > best || (value == best && own < position)) position = own;
        best = std::max(best, value);
      });
      y.at(i) = best;
      positions.at(i) = static_cast<double>(position);
    });
    // A window between dilated taps may have nothing but padding: then there is no position to speak of.
    if (std::find(y.values.begin(), y.values.end(), -std::numeric_limits<double>::infinity()) != y.values.end()) return;
    CompiledNode node(12, "MaxPool", {x}, 2);
    withGeometry(node, g).with("storage_order", isColumnMajor ? 1 : 0).gives({y, positions});
  });
}

TEST_F(WindowNodes, LpPool) {
  repeat(3, 60, [&] {
    const Geometry g = geometry(6);
    const int64_t power = random.between(1, 3);
    const Array x = Array::random(joined({1, random.between(1, 3)}, g.data), random);
    Array y(joined({1, x.shape[1]}, outputOf(g)));
    forEachIndex(y.shape, [&](const Shape &i) {
      double sum = 0;
      forEachIndex(g.kernel, [&](const Shape &tap) {
        const auto place = placeOf(g, Shape(i.begin() + 2, i.end()), tap);
        if (place) sum += std::pow(std::fabs(x.at(joined({i[0], i[1]}, *place))), static_cast<double>(power));
      });
      y.at(i) = std::pow(sum, 1 / static_cast<double>(power));
    });
    CompiledNode node(18, "LpPool", {x});
    withGeometry(node, g).with("p", power).gives({y}, 1e-4);
  });
}

TEST_F(WindowNodes, MaxUnpool) {
  // Two elements for one position: the later one stays.
  const Array x({1, 1, 2, 2}, {5, 6, 7, 8}), positions({1, 1, 2, 2}, {5, 7, 13, 13}, DType::I64);
  Array y({1, 1, 4, 4});
  y.values[5] = 5;
  y.values[7] = 6;
  y.values[13] = 8;
  CompiledNode(11, "MaxUnpool", {x, positions})
      .with("kernel_shape", Shape{2, 2})
      .with("strides", Shape{2, 2})
      .gives({y});
}

TEST_F(WindowNodes, MaxUnpoolDropsWhatLiesOutside) {
  const Array x({1, 1, 1, 2}, {5, 6}), positions({1, 1, 1, 2}, {-1, 4}, DType::I64);
  const Array y({1, 1, 1, 4}, std::vector<double>(4, 0));
  CompiledNode(11, "MaxUnpool", {x, positions})
      .with("kernel_shape", Shape{1, 2})
      .with("strides", Shape{1, 2})
      .gives({y});
}

TEST_F(WindowNodes, Lrn) {
  repeat(2, 40, [&] {
    const int64_t size = random.between(1, 6), channels = random.between(1, 8);
    const double alpha = 0.3, beta = 0.75, bias = 1.5;
    const Array x = Array::random({1, channels, random.between(1, 4), random.between(1, 20)}, random);
    Array y(x.shape);
    forEachIndex(x.shape, [&](const Shape &i) {
      double sum = 0;
      for (int64_t c = i[1] - (size - 1) / 2; c <= i[1] + size / 2; ++c) {
        if (c >= 0 && c < channels) sum += std::pow(x.at({i[0], c, i[2], i[3]}), 2);
      }
      y.at(i) = x.at(i) / std::pow(bias + alpha / static_cast<double>(size) * sum, beta);
    });
    CompiledNode(13, "LRN", {x})
        .with("size", size)
        .with("alpha", static_cast<float>(alpha))
        .with("beta", static_cast<float>(beta))
        .with("bias", static_cast<float>(bias))
        .gives({y});
  });
}

}  // namespace
}  // namespace hone::test
