// Operators whose sizes depend on data, compiled and run: results have the true shapes. What is right is said by plain
// loops over the true elements.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/match.h"
#include "tests/frontend/compiled_node.h"

namespace hone::test {
namespace {

using Integers = std::vector<int64_t>;

/// A node of \p op whose output other nodes go on with; the last of them gives y.
class Chain : public CompiledNode {
 public:
  Chain(int64_t opset, const std::string &op, const std::vector<Array> &inputs) : CompiledNode(opset, op, inputs, 1) {
    node().set_output(0, "v0");
  }
  onnx::NodeProto &then(const std::string &op, const std::vector<std::string> &inputs, const std::string &output) {
    return model.node(op, inputs, {output});
  }
};

/// Zeros and ones, as many of the latter as \p share says.
Array randomMask(std::vector<int64_t> shape, testing::Random &random, double share) {
  Array mask(std::move(shape), DType::Bool);
  for (double &value : mask.values) value = static_cast<double>(random.between(0, 99)) < share * 100 ? 1 : 0;
  return mask;
}

/// Indices, one row per dim, of the elements that are not 0.
Array placesOf(const Array &mask) {
  std::vector<std::vector<int64_t>> found;
  forEachIndex(mask.shape, [&](const std::vector<int64_t> &index) {
    if (mask.at(index) != 0) found.push_back(index);
  });
  Array places({static_cast<int64_t>(mask.shape.size()), static_cast<int64_t>(found.size())}, DType::I64);
  for (size_t i = 0; i < found.size(); ++i) {
    for (size_t d = 0; d < mask.shape.size(); ++d) {
      places.at({static_cast<int64_t>(d), static_cast<int64_t>(i)}) = static_cast<double>(found[i][d]);
    }
  }
  return places;
}

class Bounded : public ::testing::Test {
 protected:
  testing::Random random_{20261130};
};

TEST_F(Bounded, NonZero) {
  for (const double share : {0.0, 0.3, 1.0}) {
    const Array mask = randomMask({5, 7}, random_, share);
    CompiledNode(13, "NonZero", {mask}).gives({placesOf(mask)});
  }
  const Array line({6}, {0, 2, 0, -1, 0.5, 0});
  CompiledNode(13, "NonZero", {line}).gives({Array({1, 3}, {1, 3, 4}, DType::I64)});
  CompiledNode(13, "NonZero", {Array({0, 3})}).gives({Array({2, 0}, DType::I64)});
}

TEST_F(Bounded, CompressAlongAnAxisAndOfAll) {
  const Array x = Array::random({4, 6}, random_), mask = randomMask({5}, random_, 0.5);
  std::vector<int64_t> columns;
  for (int64_t i = 0; i < 5; ++i) {
    if (mask.at({i}) != 0) columns.push_back(i);
  }
  Array expected({4, static_cast<int64_t>(columns.size())}), flat({static_cast<int64_t>(columns.size())});
  for (int64_t r = 0; r < 4; ++r) {
    for (size_t c = 0; c < columns.size(); ++c) expected.at({r, static_cast<int64_t>(c)}) = x.at({r, columns[c]});
  }
  for (size_t c = 0; c < columns.size(); ++c) flat.values[c] = x.values[static_cast<size_t>(columns[c])];
  CompiledNode(11, "Compress", {x, mask}).with("axis", 1).gives({expected});
  CompiledNode(11, "Compress", {x, mask}).gives({flat});
}

TEST_F(Bounded, SetsElementsWhereAMaskIsTrue) {
  const Array mask = randomMask({4, 5}, random_, 0.4), x = Array::random({4, 5}, random_);
  Chain chain(13, "NonZero", {mask, x});
  chain.node().mutable_input()->RemoveLast();
  chain.then("Transpose", {"v0"}, "v1");
  chain.model.floats("zero", {1}, {0});
  chain.then("Shape", {"v1"}, "v2");
  chain.model.integers("first", {0});
  chain.then("Gather", {"v2", "first"}, "v3");
  chain.then("Expand", {"zero", "v3"}, "v4");
  chain.then("ScatterND", {"b", "v1", "v4"}, "y0");
  Array expected = x;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    if (mask.values[i] != 0) expected.values[i] = 0;
  }
  chain.gives({expected});
}

/// x where a mask is true, then \p op along the elements that are left.
void reducesTo(const Array &x, const Array &mask, const std::string &op, double expected) {
  SCOPED_TRACE(op);
  Chain chain(11, "Compress", {x, mask});
  chain.then(op, {"v0"}, "y0");
  setAttribute(chain.model.model.mutable_graph()->mutable_node()->rbegin()[0], "keepdims", 0);
  chain.gives({Array({}, {expected})});
}

TEST_F(Bounded, ReducesTheTrueElementsOnly) {
  const Array x({5}, {-3, -1, -2, -5, -4}), mask({5}, {1, 0, 1, 0, 1}, DType::Bool);
  reducesTo(x, mask, "ReduceSum", -9);
  reducesTo(x, mask, "ReduceMean", -3);
  reducesTo(x, mask, "ReduceMax", -2);
  reducesTo(x, mask, "ReduceMin", -4);
  reducesTo(x, mask, "ReduceProd", -24);
  reducesTo(x, mask, "ReduceL2", std::sqrt(29.0));
  reducesTo(x, mask, "ReduceLogSumExp", std::log(std::exp(-3) + std::exp(-2) + std::exp(-4)));
  const Array none({5}, DType::Bool);
  reducesTo(x, none, "ReduceSum", 0);
  reducesTo(x, none, "ReduceMean", std::nan(""));
}

TEST_F(Bounded, PutsPartsBehindOneAnother) {
  const Array x({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), mask({4}, {0, 1, 0, 1}, DType::Bool), z({2, 1}, {10, 20});
  Chain chain(11, "Compress", {x, mask, z});
  chain.node().mutable_input()->RemoveLast();
  setAttribute(chain.node(), "axis", 1);
  setAttribute(chain.then("Concat", {"c", "v0", "c", "v0"}, "y0"), "axis", 1);
  chain.gives({Array({2, 6}, {10, 2, 4, 10, 2, 4, 20, 6, 8, 20, 6, 8})});
}

TEST_F(Bounded, SlicesFromEitherEnd) {
  const Array x({6}, {1, 2, 3, 4, 5, 6}), mask({6}, {1, 0, 1, 1, 0, 1}, DType::Bool);  // 1 3 4 6
  const auto sliced = [&](int64_t start, int64_t end, int64_t step, std::vector<double> expected) {
    SCOPED_TRACE(std::to_string(start) + ":" + std::to_string(end) + ":" + std::to_string(step));
    Chain chain(11, "Compress", {x, mask});
    chain.model.integers("start", {start});
    chain.model.integers("end", {end});
    chain.model.integers("axis", {0});
    chain.model.integers("step", {step});
    chain.then("Slice", {"v0", "start", "end", "axis", "step"}, "y0");
    const auto count = static_cast<int64_t>(expected.size());
    chain.gives({Array({count}, std::move(expected))});
  };
  sliced(0, 3, 1, {1, 3, 4});
  sliced(-2, INT64_MAX, 1, {4, 6});
  sliced(1, -1, 1, {3, 4});
  sliced(0, 100, 2, {1, 4});
  sliced(-1, INT64_MIN, -1, {6, 4, 3, 1});
  sliced(5, 9, 1, {});
}

TEST_F(Bounded, ReshapesByTheTrueSizes) {
  const Array x = Array::random({4, 6}, random_), mask({6}, {1, 0, 1, 1, 0, 1}, DType::Bool);
  const auto reshaped = [&](const Integers &shape, const std::vector<int64_t> &expected) {
    Chain chain(11, "Compress", {x, mask});
    setAttribute(chain.node(), "axis", 1);
    chain.model.integers("shape", shape);
    chain.then("Reshape", {"v0", "shape"}, "y0");
    Array result(expected);
    size_t next = 0;
    for (int64_t r = 0; r < 4; ++r) {
      for (int64_t c : {0, 2, 3, 5}) result.values[next++] = x.at({r, c});
    }
    chain.gives({result});
  };
  reshaped({-1}, {16});
  reshaped({2, 2, -1}, {2, 2, 4});
  reshaped({2, -1}, {2, 8});
  reshaped({-1, 2}, {8, 2});
  reshaped({0, -1, 1}, {4, 4, 1});
}

TEST_F(Bounded, CountsToATrueSize) {
  const Array mask = randomMask({9}, random_, 0.5);
  const auto count = static_cast<int64_t>(std::count(mask.values.begin(), mask.values.end(), 1.0));
  Chain chain(13, "NonZero", {mask});
  chain.then("Size", {"v0"}, "v1");
  chain.model.integers("zeros", {0});
  chain.model.integers("ones", {1});
  chain.model.integers("empty", {});
  chain.then("Reshape", {"zeros", "empty"}, "zero");
  chain.then("Reshape", {"ones", "empty"}, "one");
  chain.then("Range", {"zero", "v1", "one"}, "y0");
  Array expected({count}, DType::I64);
  for (int64_t i = 0; i < count; ++i) expected.values[static_cast<size_t>(i)] = static_cast<double>(i);
  chain.gives({expected});
}

TEST_F(Bounded, SortsAsManyAsThereAre) {
  const Array x({6}, {3, 9, -1, 7, 8, 2}), mask({6}, {1, 0, 1, 1, 0, 1}, DType::Bool);  // 3 -1 7 2
  Chain chain(11, "Compress", {x, mask});
  chain.then("Shape", {"v0"}, "v1");
  chain.model.model.mutable_graph()->add_output()->set_name("y1");
  chain.model.node("TopK", {"v0", "v1"}, {"y0", "y1"});
  chain.gives({Array({4}, {7, 3, 2, -1}), Array({4}, {2, 0, 3, 1}, DType::I64)});
}

TEST_F(Bounded, MultipliesOverTheTrueElements) {
  const Array a({2, 3}, {1, 2, 3, 4, 5, 6}), b({3, 2}, {1, 2, 3, 4, 5, 6}), mask({3}, {1, 0, 1}, DType::Bool);
  Chain chain(11, "Compress", {a, mask, b});
  chain.node().mutable_input()->RemoveLast();
  setAttribute(chain.node(), "axis", 1);
  setAttribute(chain.then("Compress", {"c", "b"}, "v1"), "axis", 0);
  chain.then("Exp", {"v1"}, "v2");  // what lies beyond is 1 then
  chain.then("Log", {"v2"}, "v3");
  chain.then("MatMul", {"v0", "v3"}, "y0");
  chain.gives({Array({2, 2}, {16, 20, 34, 44})}, 1e-4);
}

TEST_F(Bounded, RefusesWhatLooksAtTheShape) {
  const Array x({4, 4, 4, 4}), mask({4}, DType::Bool);
  Chain chain(11, "Compress", {x, mask});
  setAttribute(chain.node(), "axis", 3);
  setAttribute(chain.then("DepthToSpace", {"v0"}, "y0"), "blocksize", 2);
  const auto result = chain.run();
  EXPECT_TRUE(absl::StrContains(result.status().message(), "dim 3 of operand 0 has a size that depends on data"))
      << result.status();
}

/// Boxes [y1, x1, y2, x2] that are taken of class \p c, by the definition.
std::vector<int64_t> taken(const Array &boxes, const Array &scores, int64_t most, double overlap, double least,
                           int64_t c = 0) {
  const int64_t count = boxes.shape[1];
  std::vector<int64_t> order, kept;
  for (int64_t i = 0; i < count; ++i) {
    if (scores.at({0, c, i}) > least) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const double ofA = scores.at({0, c, a}), ofB = scores.at({0, c, b});
    return ofA != ofB ? ofA > ofB : a < b;
  });
  const auto share = [&](int64_t a, int64_t b) {
    double both = 1, areaA = 1, areaB = 1;
    for (int64_t d : {0, 1}) {
      const double low = std::max(boxes.at({0, a, d}), boxes.at({0, b, d}));
      const double high = std::min(boxes.at({0, a, d + 2}), boxes.at({0, b, d + 2}));
      both *= std::max(high - low, 0.0);
      areaA *= boxes.at({0, a, d + 2}) - boxes.at({0, a, d});
      areaB *= boxes.at({0, b, d + 2}) - boxes.at({0, b, d});
    }
    return both / (areaA + areaB - both);
  };
  for (int64_t box : order) {
    const bool isFree =
        std::all_of(kept.begin(), kept.end(), [&](int64_t other) { return share(box, other) <= overlap; });
    if (isFree && static_cast<int64_t>(kept.size()) < most) kept.push_back(box);
  }
  return kept;
}

TEST_F(Bounded, NonMaxSuppression) {
  Array boxes({1, 40, 4}), scores({1, 1, 40});
  for (int64_t i = 0; i < 40; ++i) {
    for (int64_t d : {0, 1}) {
      boxes.at({0, i, d}) = static_cast<double>(random_.between(0, 40));
      boxes.at({0, i, d + 2}) = boxes.at({0, i, d}) + static_cast<double>(random_.between(5, 25));
    }
    scores.at({0, 0, i}) = static_cast<double>(random_.between(0, 30)) / 32;  // some are equal
  }
  for (const int64_t most : {int64_t{3}, int64_t{1000}, int64_t{0}}) {
    CompiledNode node(11, "NonMaxSuppression", {boxes, scores});
    node.constant("most", Integers{most}).scalar("overlap", 0.4F).scalar("least", 0.25F);
    const std::vector<int64_t> kept = taken(boxes, scores, most, 0.4F, 0.25);
    Array expected({static_cast<int64_t>(kept.size()), 3}, DType::I64);
    for (size_t i = 0; i < kept.size(); ++i) {
      expected.at({static_cast<int64_t>(i), 2}) = static_cast<double>(kept[i]);
    }
    node.gives({expected});
  }
}

/// So many boxes that there is a way of its own where few of them have a score that counts.
TEST_F(Bounded, NonMaxSuppressionOfManyBoxes) {
  constexpr int64_t kBoxes = 1100, kClasses = 2;
  Array boxes({1, kBoxes, 4}), scores({1, kClasses, kBoxes});
  for (int64_t i = 0; i < kBoxes; ++i) {
    for (int64_t d : {0, 1}) {
      boxes.at({0, i, d}) = static_cast<double>(random_.between(0, 200));
      boxes.at({0, i, d + 2}) = boxes.at({0, i, d}) + static_cast<double>(random_.between(5, 40));
    }
    for (int64_t c = 0; c < kClasses; ++c) scores.at({0, c, i}) = static_cast<double>(random_.between(0, 255)) / 256;
  }
  // Of 2200 scores 0, some 100, 1100 and all but a few count.
  for (const float least : {2.0F, 0.95F, 0.5F, 0.01F}) {
    for (const int64_t most : {int64_t{7}, kBoxes}) {
      SCOPED_TRACE(std::to_string(least) + ", " + std::to_string(most));
      CompiledNode node(11, "NonMaxSuppression", {boxes, scores});
      node.constant("most", Integers{most}).scalar("overlap", 0.3F).scalar("least", least);
      std::vector<double> rows;
      for (int64_t c = 0; c < kClasses; ++c) {
        for (int64_t box : taken(boxes, scores, most, 0.3F, least, c)) {
          for (int64_t value : {int64_t{0}, c, box}) rows.push_back(static_cast<double>(value));
        }
      }
      const auto count = static_cast<int64_t>(rows.size()) / 3;
      node.gives({Array({count, 3}, std::move(rows), DType::I64)});
    }
  }
}

TEST_F(Bounded, UniqueInOrderAndAsTheyCome) {
  const Array x({7}, {4, 1, 4, 3, 1, 1, 9});
  CompiledNode(11, "Unique", {x}, 4)
      .gives({Array({4}, {1, 3, 4, 9}), Array({4}, {1, 3, 0, 6}, DType::I64),
              Array({7}, {2, 0, 2, 1, 0, 0, 3}, DType::I64), Array({4}, {3, 1, 2, 1}, DType::I64)});
  CompiledNode(11, "Unique", {x}, 4)
      .with("sorted", 0)
      .gives({Array({4}, {4, 1, 3, 9}), Array({4}, {0, 1, 3, 6}, DType::I64),
              Array({7}, {0, 1, 0, 2, 1, 1, 3}, DType::I64), Array({4}, {2, 3, 1, 1}, DType::I64)});
  const Array rows({4, 2}, {2, 1, 0, 5, 2, 1, 0, 4});
  CompiledNode(11, "Unique", {rows}, 2)
      .with("axis", 0)
      .gives({Array({3, 2}, {0, 4, 0, 5, 2, 1}), Array({3}, {3, 1, 0}, DType::I64)});
}

}  // namespace
}  // namespace hone::test
