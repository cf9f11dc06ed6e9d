// Between which numbers the elements of values lie: nodes of random shapes on random numbers within what is known of
// their operands, evaluated, give numbers within what is then known of them.
#include "compiler/frontend/build/number_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"
#include "compiler/graph/infer.h"
#include "tests/support/random.h"

namespace hone::frontend {
namespace {

using graph::Op;
using graph::Shape;
using graph::TensorType;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

NumberRange between(double low, double high) { return {{}, {low}, {high}}; }

/// What is known of a scalar that \p op gives of scalars.
std::optional<NumberRange> ofScalars(ScalarOp op, const std::vector<NumberRange> &operands, DType dtype) {
  graph::Node node;
  node.op = Op::Elementwise;
  node.attributes = graph::ElementwiseAttributes{op};
  return rangeOf(node, operands, std::vector<TensorType>(operands.size(), {dtype, {}}), {dtype, {}}, nullptr);
}

std::optional<NumberRange> ofCast(const NumberRange &range, DType from, DType to) {
  graph::Node node;
  node.op = Op::Cast;
  return rangeOf(node, {range}, {{from, {}}}, {to, {}}, nullptr);
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(NumberRanges, IntegersThatMayWrapAreUnknown) {
  const NumberRange large = between(0, 1e9);
  EXPECT_FALSE(ofScalars(ScalarOp::Mul, {large, large}, DType::I64));
  EXPECT_FALSE(ofScalars(ScalarOp::Mul, {between(0, 65536), between(0, 65536)}, DType::I32));
  EXPECT_FALSE(ofScalars(ScalarOp::Add, {between(0, 2e9), between(0, 2e9)}, DType::I32));
  EXPECT_FALSE(ofScalars(ScalarOp::Sub, {between(-kInfinity, 5), between(0, 1)}, DType::I64));
  EXPECT_FALSE(ofScalars(ScalarOp::Neg, {between(-kInfinity, 5)}, DType::I64));
  EXPECT_FALSE(ofCast(between(0, 1e12), DType::I64, DType::I32));
}

TEST(NumberRanges, FloatsBeyondIntegersAreUnknown) {
  EXPECT_FALSE(ofCast(between(0, kInfinity), DType::F32, DType::I64));
  EXPECT_FALSE(ofCast(between(0, 1e30), DType::F32, DType::I64));
  // An infinite float is no large one, whatever it is multiplied by.
  const auto huge = ofScalars(ScalarOp::Mul, {between(0, 1e30), between(0, 1e30)}, DType::F32);
  ASSERT_TRUE(huge);
  EXPECT_EQ(huge->high[0], kInfinity);
  EXPECT_FALSE(ofScalars(ScalarOp::Div, {between(0, 1), between(0, 1)}, DType::F32));
  EXPECT_FALSE(ofScalars(ScalarOp::Div, {between(0, 1), between(1e-40, 1)}, DType::F32));
}

TEST(NumberRanges, NotANumberBecomesZero) {
  const auto cast = ofCast(between(3, 7.5), DType::F32, DType::I64);
  ASSERT_TRUE(cast);
  EXPECT_EQ(cast->low[0], 0);
  EXPECT_EQ(cast->high[0], 7);
}

TEST(NumberRanges, OtherElementTypesHaveNone) {
  for (const DType dtype : {DType::Bool, DType::U8, DType::I8, DType::U64, DType::F16}) {
    EXPECT_FALSE(ofCast(between(0, 100), DType::I64, dtype)) << name(dtype);
    EXPECT_FALSE(ofScalars(ScalarOp::Min, {between(0, 1), between(0, 1)}, dtype)) << name(dtype);
  }
}

// --------------------------------------------------------------------------------------------------- what is known

TEST(NumberRanges, ClippingBoundsAnything) {
  const NumberRange any = anyNumbers({DType::F32, {}});
  const auto above = ofScalars(ScalarOp::Max, {any, between(0, 0)}, DType::F32);
  ASSERT_TRUE(above);
  EXPECT_EQ(above->low[0], 0);
  EXPECT_EQ(above->high[0], kInfinity);
  const auto within = ofScalars(ScalarOp::Min, {*above, between(64, 64)}, DType::F32);
  ASSERT_TRUE(within);
  EXPECT_EQ(within->low[0], 0);
  EXPECT_EQ(within->high[0], 64);
}

TEST(NumberRanges, ColumnsOfBoxesKeepTheirOwn) {
  // [100, 2, 2], of which the last dim is x and y, as [100, 4]; then the second column.
  const NumberRange corners{{1, 1, 2}, {0, 0}, {10, 20}};
  graph::Node reshape;
  reshape.op = Op::Reshape;
  const TensorType flat{DType::F32, {100, 4}};
  const auto boxes = rangeOf(reshape, {corners}, {{DType::F32, {100, 2, 2}}}, flat, nullptr);
  ASSERT_TRUE(boxes);
  EXPECT_EQ(boxes->shape, (Shape{1, 4}));
  EXPECT_EQ(boxes->high, (std::vector<double>{10, 20, 10, 20}));
  graph::Node gather;
  gather.op = Op::Gather;
  gather.attributes = graph::AxisAttributes{1};
  const graph::Constant second = graph::makeConstant({DType::I64, {}}, std::vector<int64_t>{-3});
  const TensorType one{DType::I64, {}};
  const auto column =
      rangeOf(gather, {*boxes, rangeOfConstant(*second)}, {flat, one}, {DType::F32, {100}}, second.get());
  ASSERT_TRUE(column);
  EXPECT_EQ(column->shape, (Shape{1}));
  EXPECT_EQ(column->high, (std::vector<double>{20}));
  // Where the place is computed, it may be any of them.
  const auto any = rangeOf(gather, {*boxes, anyNumbers(one)}, {flat, one}, {DType::F32, {100}}, nullptr);
  ASSERT_TRUE(any);
  EXPECT_EQ(any->high, (std::vector<double>{20}));
  EXPECT_EQ(any->low, (std::vector<double>{0}));
}

TEST(NumberRanges, TheLargestIsAtLeastTheLargestOfTheLeast) {
  graph::Node reduce;
  reduce.op = Op::Reduce;
  reduce.attributes = graph::ReduceAttributes{graph::ReduceKind::Max, {0}, false};
  const auto most = rangeOf(reduce, {{{2}, {-9, 1}, {5, 1}}}, {{DType::I64, {2}}}, {DType::I64, {}}, nullptr);
  ASSERT_TRUE(most);
  EXPECT_EQ(most->low[0], 1);
  EXPECT_EQ(most->high[0], 5);
}

// -------------------------------------------------------------------------------------------------- random chains

/// A value, what is known of its elements, and elements within that.
struct Known {
  TensorType type;
  NumberRange range;
  graph::Constant value;
};

class RandomChain {
 public:
  explicit RandomChain(uint64_t seed) : random_(seed) {}

  void run() {
    values_.push_back(leaf());
    values_.push_back(leaf());
    for (int step = 0; step < 8; ++step) {
      if (random_.between(0, 4) == 0) values_.push_back(leaf());
      extend();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

  int followed() const { return followed_; }

 private:
  int64_t upTo(int64_t most) { return random_.between(0, most); }
  const Known &any() { return values_[static_cast<size_t>(upTo(static_cast<int64_t>(values_.size()) - 1))]; }

  /// Boxes, say: many rows of a few columns, or less; each element between numbers of its column.
  Known leaf() {
    Shape shape;
    for (int64_t rank = upTo(3); rank > 0; --rank) shape.push_back(upTo(4) == 0 ? 40 : 1 + upTo(3));
    Known known{{upTo(1) == 0 ? DType::F32 : DType::I64, shape}, {}, nullptr};
    known.range.shape = shape;
    for (int64_t &extent : known.range.shape) extent = extent > 4 ? 1 : extent;
    const int64_t magnitude = upTo(5) == 0 ? 70'000 : 40;
    for (int64_t i = 0; i < TensorType{DType::I64, known.range.shape}.elements(); ++i) {
      const auto low = static_cast<double>(random_.between(-magnitude, magnitude));
      known.range.low.push_back(low);
      known.range.high.push_back(low + static_cast<double>(upTo(magnitude)));
    }
    known.value = within(known.type, known.range);
    return known;
  }

  graph::Constant within(const TensorType &type, const NumberRange &range) {
    const NumberRange all = spreadTo(range, type.shape);
    std::vector<double> numbers;
    for (size_t i = 0; i < all.low.size(); ++i) {
      const double share = upTo(3) == 0 ? static_cast<double>(upTo(1)) : static_cast<double>(upTo(64)) / 64;
      const double number = all.low[i] + (all.high[i] - all.low[i]) * share;
      numbers.push_back(isInteger(type.dtype) ? std::floor(number) : number);
    }
    return graph::makeConstant(type, numbers);
  }

  void extend() {
    graph::Node node;
    std::vector<Known> operands = {any()};
    std::optional<TensorType> given;
    const TensorType type = operands[0].type;
    const auto rank = static_cast<int64_t>(type.shape.size());
    switch (upTo(7)) {
      case 0:
      case 1: {
        constexpr ScalarOp kOps[] = {ScalarOp::Add, ScalarOp::Sub,   ScalarOp::Mul,  ScalarOp::Div,   ScalarOp::Min,
                                     ScalarOp::Max, ScalarOp::Floor, ScalarOp::Ceil, ScalarOp::Round, ScalarOp::Neg};
        const ScalarOp op = kOps[upTo(9)];
        node.op = Op::Elementwise;
        node.attributes = graph::ElementwiseAttributes{op};
        if (arity(op) == 2) operands.push_back(any());
        if (upTo(3) != 0) break;
        // A choice by bools of a shape of their own, nothing of which is known.
        node.attributes = graph::ElementwiseAttributes{ScalarOp::Select};
        Known condition{{DType::Bool, leaf().type.shape}, {}, nullptr};
        std::vector<int64_t> bools;
        for (int64_t i = 0; i < condition.type.elements(); ++i) bools.push_back(upTo(1));
        condition.value = graph::makeConstant(condition.type, bools);
        condition.range = anyNumbers(condition.type);
        operands = {condition, operands[0], any()};
        break;
      }
      case 2:
        node.op = Op::Cast;
        given = TensorType{type.dtype == DType::F32 ? DType::I64 : DType::F32, type.shape};
        break;
      case 3:
        node.op = Op::Reshape;
        given = TensorType{type.dtype, reordered(type.shape)};
        break;
      case 4: {
        graph::TransposeAttributes turn;
        for (int64_t d = 0; d < rank; ++d) turn.permutation.push_back((d + 1) % rank);
        node.op = Op::Transpose;
        node.attributes = turn;
        break;
      }
      case 5: {
        if (rank == 0) return;
        graph::SliceAttributes slice{Shape(type.shape.size(), 0), Shape(type.shape.size(), 1)};
        given = type;
        const auto d = static_cast<size_t>(upTo(rank - 1));
        slice.starts[d] = upTo(type.shape[d] - 1);
        given->shape[d] = 1 + upTo(type.shape[d] - 1 - slice.starts[d]);
        if (upTo(2) == 0) {
          slice.starts[d] += given->shape[d] - 1;
          slice.steps[d] = -1;
        }
        node.op = Op::Slice;
        node.attributes = slice;
        break;
      }
      case 6: {
        if (rank == 0) return;
        const int64_t axis = upTo(rank - 1), extent = type.shape[static_cast<size_t>(axis)];
        node.attributes = graph::AxisAttributes{axis};
        if (upTo(1) == 0) {
          node.op = Op::Concat;
          operands.push_back(upTo(1) == 0 ? any() : operands[0]);
          break;
        }
        node.op = Op::Gather;
        Known places{{DType::I64, upTo(1) == 0 ? Shape{} : Shape{1 + upTo(2)}}, {}, nullptr};
        std::vector<int64_t> numbers;
        for (int64_t i = 0; i < places.type.elements(); ++i) numbers.push_back(random_.between(-extent, extent - 1));
        places.value = graph::makeConstant(places.type, numbers);
        places.range = rangeOfConstant(*places.value);
        operands.push_back(places);
        break;
      }
      default: {
        if (rank == 0) return;
        node.op = Op::Reduce;
        node.attributes = graph::ReduceAttributes{
            upTo(1) == 0 ? graph::ReduceKind::Max : graph::ReduceKind::Min, {upTo(rank - 1)}, upTo(1) == 0};
      }
    }
    check(node, operands, given);
  }

  /// The same elements in other dims: two next to one another joined, or a 1 put in front.
  Shape reordered(Shape shape) {
    if (shape.size() < 2 || upTo(2) == 0) {
      shape.insert(shape.begin() + upTo(static_cast<int64_t>(shape.size())), 1);
      return shape;
    }
    const int64_t d = upTo(static_cast<int64_t>(shape.size()) - 2);
    shape[static_cast<size_t>(d)] *= shape[static_cast<size_t>(d) + 1];
    shape.erase(shape.begin() + d + 1);
    return shape;
  }

  void check(const graph::Node &node, const std::vector<Known> &operands, const std::optional<TensorType> &given) {
    std::vector<NumberRange> ranges;
    std::vector<TensorType> types;
    std::vector<graph::Constant> inputs;
    for (const Known &operand : operands) {
      ranges.push_back(operand.range);
      types.push_back(operand.type);
      inputs.push_back(operand.value);
    }
    const auto type = graph::inferType(node.op, node.attributes, types, given);
    if (!type.ok()) return;
    const auto value = graph::evaluate(node, inputs, *type);
    ASSERT_TRUE(value.ok()) << value.status();
    // Half of the places are said to be computed.
    const bool isKnown = node.op == Op::Gather && upTo(1) == 0;
    if (node.op == Op::Gather && !isKnown) ranges[1] = anyNumbers(types[1]);
    const auto range = rangeOf(node, ranges, types, *type, isKnown ? inputs[1].get() : nullptr);
    if (!range) return;
    ASSERT_EQ(range->shape.size(), type->shape.size());
    const NumberRange all = spreadTo(*range, type->shape);
    for (int64_t i = 0; i < type->elements(); ++i) {
      const double number = graph::elementAsDouble(**value, i);
      ASSERT_TRUE(std::isnan(number) ||
                  (all.low[static_cast<size_t>(i)] <= number && number <= all.high[static_cast<size_t>(i)]))
          << "element " << i << " of a node with op " << graph::opName(node) << " is " << number << ", not between "
          << all.low[static_cast<size_t>(i)] << " and " << all.high[static_cast<size_t>(i)];
    }
    ++followed_;
    values_.push_back({*type, *range, *value});
  }

  testing::Random random_;
  std::vector<Known> values_;
  int followed_ = 0;
};

TEST(NumberRanges, HoldOfRandomChains) {
  int followed = 0;
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    SCOPED_TRACE(seed);
    RandomChain chain(seed);
    chain.run();
    followed += chain.followed();
    if (HasFatalFailure()) return;
  }
  // Most nodes are followed; else the test says nothing.
  EXPECT_GT(followed, 60'000);
}

}  // namespace
}  // namespace hone::frontend
