// Operators on what Compress keeps of an operand, compiled and run: the same as on the rows that it keeps, which plain
// loops take out here; and choices between tensors of different sizes.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/frontend/compiled_node.h"

namespace hone::test {
namespace {

using Integers = std::vector<int64_t>;
using Change = std::function<void(onnx::NodeProto &)>;

constexpr int64_t kOpset = 18;

/// The indices along \p axis of \p x at which \p mask is true.
Array keptOf(const Array &x, const Array &mask, size_t axis) {
  std::vector<int64_t> places;
  for (int64_t i = 0; i < mask.shape[0]; ++i) {
    if (mask.at({i}) != 0) places.push_back(i);
  }
  std::vector<int64_t> shape = x.shape;
  shape[axis] = static_cast<int64_t>(places.size());
  Array kept(shape, x.dtype);
  forEachIndex(shape, [&](const std::vector<int64_t> &index) {
    std::vector<int64_t> from = index;
    from[axis] = places[static_cast<size_t>(index[axis])];
    kept.at(index) = x.at(from);
  });
  return kept;
}

Array masked(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Array({count}, std::move(values), DType::Bool);
}

/// A model whose first node keeps what \p mask says of \p x along \p axis, and calls it v; further inputs are c, d, ….
class Kept : public CompiledNode {
 public:
  Kept(const Array &x, const Array &mask, int64_t axis, const std::vector<Array> &others = {}, int64_t opset = kOpset)
      : CompiledNode(opset, "Compress", joined({x, mask}, others), 1) {
    while (node().input_size() > 2) node().mutable_input()->RemoveLast();
    node().set_output(0, "v");
    setAttribute(node(), "axis", axis);
  }
  onnx::NodeProto &then(const std::string &op, const std::vector<std::string> &inputs,
                        const std::vector<std::string> &outputs = {"y0"}) {
    for (size_t i = 1; i < outputs.size(); ++i) model.output(outputs[i]);
    return model.node(op, inputs, outputs);
  }

 private:
  static std::vector<Array> joined(std::vector<Array> arrays, const std::vector<Array> &others) {
    arrays.insert(arrays.end(), others.begin(), others.end());
    return arrays;
  }
};

class BoundedOperators : public ::testing::Test {
 protected:
  Array random(std::vector<int64_t> shape) { return Array::random(std::move(shape), random_); }

  /// \p op, changed by \p change, of what is kept of x and of \p others is what it is of the same rows without a mask.
  void expectRows(
      const std::string &op, const Array &x, int64_t axis, const std::vector<Array> &others = {},
      const Change &change = [](onnx::NodeProto &) {}, int64_t opset = kOpset) {
    const auto along = static_cast<size_t>(axis);
    for (const bool isEmpty : {false, true}) {
      SCOPED_TRACE(op + (isEmpty ? ", nothing is kept" : ""));
      Array mask({x.shape[along]}, DType::Bool);
      for (int64_t i = 0; !isEmpty && i < x.shape[along]; ++i) mask.at({i}) = i % 3 != 1 ? 1 : 0;
      Kept kept(x, mask, axis, others, opset);
      std::vector<std::string> operands = {"v"};
      for (size_t i = 0; i < others.size(); ++i) operands.emplace_back(1, static_cast<char>('c' + i));
      change(kept.then(op, operands));
      const auto actual = kept.run();
      ASSERT_TRUE(actual.ok()) << actual.status();
      std::vector<Array> inputs = {keptOf(x, mask, along)};
      inputs.insert(inputs.end(), others.begin(), others.end());
      // Of no rows the shape is what counts: that of as many rows as there are, without them.
      if (isEmpty) {
        EXPECT_TRUE((*actual)[0].values.empty());
        continue;
      }
      CompiledNode plain(opset, op, inputs);
      change(plain.node());
      const auto expected = plain.run();
      ASSERT_TRUE(expected.ok()) << expected.status();
      expectArray((*actual)[0], (*expected)[0], 2e-5);
    }
  }

  testing::Random random_{20261201};
};

TEST_F(BoundedOperators, TreatRowsOneByOne) {
  const Array images = random({5, 4, 4, 6}), channels = random({4});
  expectRows("ConvTranspose", images, 0, {random({4, 2, 2, 2})},
             [](auto &node) { setAttribute(node, "strides", Integers{2, 2}); });
  expectRows("DepthToSpace", images, 0, {}, [](auto &node) { setAttribute(node, "blocksize", 2); });
  expectRows("SpaceToDepth", images, 0, {}, [](auto &node) { setAttribute(node, "blocksize", 2); });
  expectRows("InstanceNormalization", images, 0, {channels, channels});
  expectRows(
      "GroupNormalization", images, 0, {channels, channels}, [](auto &node) { setAttribute(node, "num_groups", 2); },
      21);
  expectRows("LRN", images, 0, {}, [](auto &node) { setAttribute(node, "size", 3); });
  expectRows("Det", random({5, 3, 3}), 0);
  expectRows("RMSNormalization", random({5, 6}), 0, {random({6})}, [](auto &) {}, 23);
  expectRows("LpNormalization", random({5, 6}), 0);
}

TEST_F(BoundedOperators, FindTheLargestAlongAnyAxis) {
  const auto expectLargest = [&](int64_t opset, int64_t kept, int64_t axis) {
    SCOPED_TRACE(absl::StrCat("opset ", opset, ", kept along ", kept, ", compared along ", axis));
    expectRows("Hardmax", random({5, 4, 6}), kept, {}, [&](auto &node) { setAttribute(node, "axis", axis); }, opset);
  };
  expectLargest(13, 0, 0);
  expectLargest(13, 0, 2);
  expectLargest(13, 2, 2);
  // Before 13 the axes behind are compared, too.
  expectLargest(11, 0, 1);
  expectLargest(11, 1, 1);
  expectLargest(11, 2, 1);
  // The largest of what is left is no larger than what is behind it.
  const double least = -std::numeric_limits<double>::infinity();
  Kept kept(Array({4}, {7, least, least, 9}), masked({0, 1, 1, 0}), 0);
  kept.then("Hardmax", {"v"});
  kept.gives({Array({2}, {1, 0})});
}

TEST_F(BoundedOperators, CutTriangles) {
  const auto cut = [](int64_t isUpper) { return [=](auto &node) { setAttribute(node, "upper", isUpper); }; };
  expectRows("Trilu", random({5, 4, 6}), 0, {}, cut(1));
  expectRows("Trilu", random({5, 4, 6}), 1, {}, cut(0));
  expectRows("Trilu", random({5, 4, 6}), 1, {Array({}, {-1}, DType::I64)}, cut(1));
  expectRows("Trilu", random({5, 4, 6}), 2, {Array({}, {1}, DType::I64)}, cut(0));
  // One row is one row, and not spread over all that there might be.
  Kept kept(Array({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), masked({0, 1, 0}), 0);
  setAttribute(kept.then("Trilu", {"v"}), "upper", 0);
  kept.gives({Array({1, 3}, {4, 0, 0})});
}

TEST_F(BoundedOperators, ResizesEachImage) {
  const Array images = random({5, 2, 4, 3}), mask = masked({1, 0, 1, 1, 0});
  Kept kept(images, mask, 0);
  kept.model.floats("scales", {4}, {1, 1, 2, 1});
  setAttribute(kept.then("Resize", {"v", "", "scales"}), "mode", "nearest");
  Array expected({3, 2, 8, 3});
  const Array rows = keptOf(images, mask, 0);
  forEachIndex(expected.shape,
               [&](const std::vector<int64_t> &i) { expected.at(i) = rows.at({i[0], i[1], i[2] / 2, i[3]}); });
  kept.gives({expected});
}

TEST_F(BoundedOperators, ResizesToAShapeThatNamesTheRows) {
  const Array images = random({5, 2, 4, 3}), mask = masked({1, 0, 1, 1, 0});
  Kept kept(images, mask, 0);
  kept.then("Shape", {"v"}, {"shape"});
  kept.model.integers("zero", {0});
  kept.model.integers("two", {2});
  kept.model.integers("plane", {4, 6});
  kept.then("Slice", {"shape", "zero", "two"}, {"rows"});
  setAttribute(kept.then("Concat", {"rows", "plane"}, {"sizes"}), "axis", 0);
  onnx::NodeProto &resize = kept.then("Resize", {"v", "", "", "sizes"});
  setAttribute(resize, "mode", "nearest");
  setAttribute(resize, "coordinate_transformation_mode", "asymmetric");
  setAttribute(resize, "nearest_mode", "floor");
  Array expected({3, 2, 4, 6});
  const Array rows = keptOf(images, mask, 0);
  forEachIndex(expected.shape,
               [&](const std::vector<int64_t> &i) { expected.at(i) = rows.at({i[0], i[1], i[2], i[3] / 2}); });
  kept.gives({expected});
}

TEST_F(BoundedOperators, WhatIsTrueIsCountedToASize) {
  const Array x({4}, {1, 2, 3, 4}), mask = masked({1, 0, 1, 1});
  Kept kept(x, mask, 0);
  setAttribute(kept.then("Cast", {"b"}, {"ones"}), "to", onnx::TensorProto::INT64);
  kept.then("ReduceSum", {"ones"}, {"count"});
  kept.then("ConstantOfShape", {"count"}, {"zeros"});
  kept.then("Add", {"v", "zeros"});
  kept.gives({Array({3}, {1, 3, 4})});
}

TEST_F(BoundedOperators, OfOnnxRuntimesOptimiser) {
  Kept kept(random({3, 2, 4, 4}), masked({0, 1, 1}), 0, {random({3, 2, 3, 3})});
  onnx::NodeProto &conv = kept.then("FusedConv", {"v", "c"});
  conv.set_domain("com.microsoft");
  setAttribute(conv, "activation", "Relu");
  onnx::OperatorSetIdProto &domain = *kept.model.model.add_opset_import();
  domain.set_domain("com.microsoft");
  domain.set_version(1);
  const auto result = kept.run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ((*result)[0].shape, (Integers{2, 3, 2, 2}));
}

TEST_F(BoundedOperators, RefuseWhatChangesTheSizeThatDependsOnData) {
  Kept kept(random({4, 2, 4, 4}), masked({1, 0, 1, 1}), 0);
  kept.model.floats("scales", {4}, {2, 1, 1, 1});
  setAttribute(kept.then("Resize", {"v", "", "scales"}), "mode", "nearest");
  const auto result = kept.run();
  EXPECT_TRUE(absl::StrContains(result.status().message(), "dim 0, whose size depends on data, changes its size"))
      << result.status();
}

/// The mean of the pixels that regions cover, which are whole here.
TEST_F(BoundedOperators, AlignsRegions) {
  Array image({1, 1, 6, 6});
  std::iota(image.values.begin(), image.values.end(), 0);
  const Array regions({4, 4}, {0, 0, 2, 2, 9, 9, 9, 9, 2, 2, 4, 4, 4, 0, 6, 2});
  const Array mask = masked({1, 0, 1, 1});
  Kept kept(regions, mask, 0, {image});
  kept.model.integers("zeros", {0, 0, 0, 0});
  setAttribute(kept.model.node("Compress", {"zeros", "b"}, {"of"}), "axis", 0);
  onnx::NodeProto &align = kept.then("RoiAlign", {"c", "v", "of"});
  setAttribute(align, "sampling_ratio", 2);
  setAttribute(align, "coordinate_transformation_mode", "half_pixel");
  kept.gives({Array({3, 1, 1, 1}, {3.5, 17.5, 7.5})});
}

TEST_F(BoundedOperators, SplitAlongEitherDim) {
  const Array x = random({6, 5}), mask = masked({1, 0, 1, 1, 0, 1}), rows = keptOf(x, mask, 0);
  const auto part = [&](int64_t row, int64_t endRow, int64_t column, int64_t endColumn) {
    Array result({endRow - row, endColumn - column});
    forEachIndex(result.shape, [&](const auto &i) { result.at(i) = rows.at({row + i[0], column + i[1]}); });
    return result;
  };
  Kept columns(x, mask, 0);
  columns.model.integers("parts", {2, 3});
  setAttribute(columns.then("Split", {"v", "parts"}, {"y0", "y1"}), "axis", 1);
  columns.gives({part(0, 4, 0, 2), part(0, 4, 2, 5)});
  Kept given(x, mask, 0);
  given.model.integers("parts", {1, 3});
  given.then("Split", {"v", "parts"}, {"y0", "y1"});
  given.gives({part(0, 1, 0, 5), part(1, 4, 0, 5)});
  Kept equal(x, mask, 0);
  setAttribute(equal.then("Split", {"v"}, {"y0", "y1", "y2"}), "num_outputs", 3);
  equal.gives({part(0, 2, 0, 5), part(2, 4, 0, 5), Array({0, 5})});
}

TEST_F(BoundedOperators, SequencesOfAKnownLength) {
  const Array x({3, 2}, {1, 2, 3, 4, 5, 6}), mask = masked({1, 0, 1});
  for (const int64_t axis : {1, 0}) {
    Kept kept(x, mask, 0);
    kept.model.integers("place", {1});
    setAttribute(kept.then("SplitToSequence", {"v"}, {"parts"}), "axis", axis);
    kept.then("SequenceAt", {"parts", "place"});
    if (axis == 1) {
      kept.gives({Array({2, 1}, {2, 6})});
      continue;
    }
    const auto result = kept.run();
    EXPECT_TRUE(absl::StrContains(result.status().message(), "and so has the number of parts")) << result.status();
  }
}

TEST_F(BoundedOperators, TilesByTheTrueSize) {
  const Array x({4}, {1, 2, 3, 4}), mask = masked({1, 0, 1, 1});
  Kept kept(x, mask, 0);
  kept.model.integers("times", {2});
  kept.then("Tile", {"v", "times"});
  kept.gives({Array({6}, {1, 3, 4, 1, 3, 4})});
  // As often as there are elements.
  Kept square(x, mask, 0);
  square.then("Shape", {"v"}, {"times"});
  square.then("Tile", {"v", "times"});
  square.gives({Array({9}, {1, 3, 4, 1, 3, 4, 1, 3, 4})});
}

TEST_F(BoundedOperators, PadsTheTrueElements) {
  const Array x({4}, {1, 2, 3, 4}), mask = masked({1, 0, 1, 1});
  const auto padded = [&](const std::string &mode, const Integers &pads, std::vector<double> expected) {
    SCOPED_TRACE(mode);
    Kept kept(x, mask, 0);
    kept.model.integers("pads", pads);
    kept.model.floats("fill", {}, {9});
    setAttribute(kept.then("Pad", {"v", "pads", "fill"}), "mode", mode.c_str());
    const auto count = static_cast<int64_t>(expected.size());
    kept.gives({Array({count}, std::move(expected))});
  };
  padded("constant", {2, 1}, {9, 9, 1, 3, 4, 9});
  padded("edge", {2, 1}, {1, 1, 1, 3, 4, 4});
  padded("reflect", {2, 1}, {4, 3, 1, 3, 4, 3});
  Kept columns(random({3, 2}), masked({0, 1, 1}), 0);
  columns.model.integers("pads", {0, 1, 0, 0});
  columns.then("Pad", {"v", "pads"});
  const auto result = columns.run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ((*result)[0].shape, (Integers{2, 3}));
  EXPECT_EQ((*result)[0].at({1, 0}), 0);
}

TEST_F(BoundedOperators, EinsumSumsOverTheTrueElements) {
  const Array x({3, 2}, {1, 2, 3, 4, 5, 6}), mask = masked({1, 0, 1});
  const auto summed = [&](const std::string &equation, const Array &expected) {
    SCOPED_TRACE(equation);
    Kept kept(x, mask, 0);
    // What lies beyond is 1, not 0, so that it would show.
    kept.then("Exp", {"v"}, {"e"});
    kept.then("Log", {"e"}, {"l"});
    setAttribute(kept.then("Einsum", {"l", "v"}), "equation", equation.c_str());
    kept.gives({expected}, 1e-4);
  };
  summed("ij,ik->jk", Array({2, 2}, {26, 32, 32, 40}));
  summed("ij,kj->ik", Array({2, 2}, {5, 17, 17, 61}));
  summed("ij,ij->i", Array({2}, {5, 61}));
  summed("ij,kl->jl", Array({2, 2}, {36, 48, 48, 64}));
}

TEST_F(BoundedOperators, UniqueOfTheTrueElements) {
  // Padding is a copy of the first element, or of nothing, and may be counted with neither.
  const Array x({8}, {4, 1, 7, 4, 3, 1, 1, 9}), mask = masked({1, 1, 0, 1, 1, 1, 1, 0});
  Kept sorted(x, mask, 0);
  sorted.then("Unique", {"v"}, {"y0", "y1", "y2", "y3"});
  sorted.gives({Array({3}, {1, 3, 4}), Array({3}, {1, 3, 0}, DType::I64), Array({6}, {2, 0, 2, 1, 0, 0}, DType::I64),
                Array({3}, {3, 1, 2}, DType::I64)});
  Kept coming(x, mask, 0);
  setAttribute(coming.then("Unique", {"v"}, {"y0", "y1", "y2", "y3"}), "sorted", 0);
  coming.gives({Array({3}, {4, 1, 3}), Array({3}, {0, 1, 3}, DType::I64), Array({6}, {0, 1, 0, 2, 1, 1}, DType::I64),
                Array({3}, {2, 3, 1}, DType::I64)});
  Kept rows(Array({4, 2}, {2, 1, 0, 5, 2, 1, 0, 4}), masked({1, 0, 1, 1}), 0);
  setAttribute(rows.then("Unique", {"v"}, {"y0", "y1"}), "axis", 0);
  rows.gives({Array({2, 2}, {0, 4, 2, 1}), Array({2}, {2, 0}, DType::I64)});
}

onnx::GraphProto branch(const std::string &op, const std::vector<std::string> &inputs, const std::string &output) {
  ModelBuilder inner(kOpset);
  inner.node(op, inputs, {output});
  inner.output(output);
  return *inner.model.mutable_graph();
}

/// An If whose branches are \p whenTrue and \p whenFalse of the model's a (data), b (mask), c and d.
void expectChoice(const onnx::GraphProto &whenTrue, const onnx::GraphProto &whenFalse, const Array &expectedTrue,
                  const Array &expectedFalse) {
  const Array x({3, 2}, {1, 2, 3, 4, 5, 6}), mask = masked({1, 0, 1});
  for (const bool isTrue : {true, false}) {
    SCOPED_TRACE(isTrue);
    Kept kept(x, mask, 0, {Array({}, {isTrue ? 1.0 : 0.0}, DType::Bool)});
    kept.model.integers("zero", {0});
    kept.model.integers("one", {1});
    onnx::NodeProto &node = kept.then("If", {"c"}, {"z"});
    setAttribute(node, "then_branch", whenTrue);
    setAttribute(node, "else_branch", whenFalse);
    kept.then("Neg", {"z"});
    Array expected = isTrue ? expectedTrue : expectedFalse;
    for (double &value : expected.values) value = -value;
    kept.gives({expected});
  }
}

TEST_F(BoundedOperators, BranchesMayGiveDifferentSizes) {
  const Array all({3, 2}, {1, 2, 3, 4, 5, 6}), kept({2, 2}, {1, 2, 5, 6});
  expectChoice(branch("Identity", {"v"}, "t"), branch("Abs", {"a"}, "e"), kept, all);
  expectChoice(branch("Slice", {"a", "zero", "one"}, "t"), branch("Abs", {"a"}, "e"), Array({1, 2}, {1, 2}), all);
  expectChoice(branch("Slice", {"a", "zero", "zero"}, "t"), branch("Abs", {"v"}, "e"), Array({0, 2}), kept);
  expectChoice(branch("Slice", {"a", "zero", "one"}, "t"), branch("Slice", {"a", "zero", "one", "one"}, "e"),
               Array({1, 2}, {1, 2}), Array({3, 1}, {1, 3, 5}));
}

}  // namespace
}  // namespace hone::test
