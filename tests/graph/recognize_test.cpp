// Softmax and layer norm in the forms in which exporters write them, with operands permuted, constants swapped and
// casts between; and what only looks like them.
#include <string>
#include <tuple>

#include "compiler/graph/pipeline.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

int count(const Graph &graph, Op op) {
  int found = 0;
  for (const Node &node : graph.nodes) found += node.op == op ? 1 : 0;
  return found;
}

Graph passed(const Graph &before) {
  Graph after = before;
  EXPECT_TRUE(verify(before).ok()) << verify(before);
  auto timings = runPasses(after);
  EXPECT_TRUE(timings.ok()) << timings.status();
  expectSameResults(before, after, 1e-4);
  return after;
}

// ------------------------------------------------------------------------------------------------ layer norm

enum class Square { Product, Power, SubtractTwice };
enum class Normal { Quotient, ProductWithInverse, InverseRoot, ScaledInverse };
enum class Casts { None, Identity, ThereAndBack };

/// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * scale + shift, in one of many ways.
struct LayerNormForm {
  Square square = Square::Product;
  Normal normal = Normal::Quotient;
  Casts casts = Casts::None;
  bool swapped = false;
  bool sums = false;  ///< sum / n for the means

  ValueId build(Builder &b, ValueId x, std::vector<int64_t> axes = {2}) const {
    auto mean = [&](ValueId value) {
      value = interpose(b, value);
      if (!sums) return b.reduce(ReduceKind::Mean, value, axes);
      double extent = 1;
      for (int64_t axis : axes) extent *= static_cast<double>(b.shape(value)[static_cast<size_t>(axis)]);
      return b.div(b.reduce(ReduceKind::Sum, value, axes), b.number(extent));
    };
    ValueId average = mean(x), centered = b.sub(x, average);
    ValueId again = square == Square::SubtractTwice ? b.sub(x, average) : centered;
    ValueId squared = square == Square::Power ? b.apply(ScalarOp::Pow, {interpose(b, centered), b.number(2)})
                                              : b.mul(interpose(b, again), interpose(b, again));
    ValueId variance = add(b, interpose(b, mean(squared)), b.number(1e-5));
    int64_t last = b.shape(x).back();
    ValueId scale = b.weights("scale", {last}), shift = b.weights("shift", {last});
    return interpose(b, add(b, normalised(b, centered, variance, scale), shift));
  }

  ValueId normalised(Builder &b, ValueId centered, ValueId variance, ValueId scale) const {
    ValueId root = b.apply(ScalarOp::Sqrt, {variance});
    switch (normal) {
      case Normal::Quotient:
        return mul(b, b.div(centered, interpose(b, root)), scale);
      case Normal::ProductWithInverse:
        return mul(b, mul(b, centered, b.div(b.number(1), root)), scale);
      case Normal::InverseRoot:
        return mul(b, mul(b, centered, b.apply(ScalarOp::Pow, {variance, b.number(-0.5)})), scale);
      case Normal::ScaledInverse:
        return mul(b, centered, mul(b, b.div(b.number(1), root), scale));
    }
    return -1;
  }

  ValueId add(Builder &b, ValueId left, ValueId right) const {
    return swapped ? b.add(right, left) : b.add(left, right);
  }
  ValueId mul(Builder &b, ValueId left, ValueId right) const {
    return swapped ? b.mul(right, left) : b.mul(left, right);
  }
  ValueId interpose(Builder &b, ValueId value) const {
    if (casts == Casts::Identity) return b.cast(value, DType::F32);
    if (casts == Casts::ThereAndBack) return b.cast(b.cast(value, DType::F64), DType::F32);
    return value;
  }
};

class LayerNormForms : public testing::TestWithParam<std::tuple<Square, Normal, Casts, bool, bool>> {};

TEST_P(LayerNormForms, BecomeOneNode) {
  auto [square, normal, casts, swapped, sums] = GetParam();
  Builder b;
  LayerNormForm form{square, normal, casts, swapped, sums};
  Graph after = passed(b.output(form.build(b, b.input("x", {2, 3, 8}))));
  EXPECT_EQ(nodeLines(after),
            "%1 = layernorm(%0, const@scale, const@shift) {axis 2, epsilon 1e-05} : f32[2,3,8]\noutput \"out\" = %1\n");
}

INSTANTIATE_TEST_SUITE_P(All, LayerNormForms,
                         testing::Combine(testing::Values(Square::Product, Square::Power, Square::SubtractTwice),
                                          testing::Values(Normal::Quotient, Normal::ProductWithInverse,
                                                          Normal::InverseRoot, Normal::ScaledInverse),
                                          testing::Values(Casts::None, Casts::Identity, Casts::ThereAndBack),
                                          testing::Bool(), testing::Bool()));

TEST(LayerNorm, OverSeveralAxes) {
  Builder b;
  Graph after = passed(b.output(LayerNormForm().build(b, b.input("x", {2, 3, 8}), {1, 2})));
  EXPECT_EQ(nodeLines(after),
            "%1 = layernorm(%0, const@scale, const@shift) {axis 1, epsilon 1e-05} : f32[2,3,8]\noutput \"out\" = %1\n");
}

TEST(LayerNorm, WithVarianceFromSquares) {
  Builder b;
  ValueId x = b.input("x", {2, 8}), mean = b.reduce(ReduceKind::Mean, x, {1});
  ValueId squares = b.reduce(ReduceKind::Mean, b.mul(x, x), {1});
  ValueId variance = b.add(b.sub(squares, b.mul(mean, mean)), b.number(1e-3));
  Graph after = passed(b.output(b.div(b.sub(x, mean), b.apply(ScalarOp::Sqrt, {variance}))));
  EXPECT_EQ(nodeLines(after),
            "%1 = layernorm(%0, const@#1, const@#2) {axis 1, epsilon 0.001} : f32[2,8]\noutput \"out\" = %1\n");
}

TEST(LayerNorm, InHalfPrecisionWithVarianceInSingle) {
  Builder b;
  ValueId x = b.input("x", {2, 8}, DType::F16), centered = b.sub(x, b.reduce(ReduceKind::Mean, x, {1}));
  ValueId wide = b.cast(centered, DType::F32);
  ValueId variance = b.add(b.reduce(ReduceKind::Mean, b.mul(wide, wide), {1}), b.number(1e-3));
  ValueId root = b.cast(b.apply(ScalarOp::Sqrt, {variance}), DType::F16);
  Graph graph = b.output(b.div(centered, root));
  ASSERT_TRUE(runPasses(graph).ok());
  EXPECT_EQ(count(graph, Op::LayerNorm), 1);
  EXPECT_EQ(graph.nodes.size(), 1u);
}

TEST(LayerNorm, WithResidualBefore) {
  Builder b;
  ValueId x = b.input("x", {2, 3, 8}), y = b.input("y", {2, 3, 8});
  Graph after = passed(b.output(LayerNormForm().build(b, b.add(x, y))));
  EXPECT_EQ(count(after, Op::LayerNorm), 1);
  EXPECT_EQ(after.nodes.size(), 2u);
}

// ------------------------------------------------------------------------------- what only looks like a norm

struct Parts {
  ValueId x, mean, centered, variance;
};

Parts parts(Builder &b, std::vector<int64_t> meanAxes, std::vector<int64_t> varianceAxes) {
  ValueId x = b.input("x", {4, 4, 4}), mean = b.reduce(ReduceKind::Mean, x, std::move(meanAxes));
  ValueId centered = b.sub(x, mean);
  return {x, mean, centered, b.reduce(ReduceKind::Mean, b.mul(centered, centered), std::move(varianceAxes))};
}

ValueId quotient(Builder &b, const Parts &p) {
  return b.div(p.centered, b.apply(ScalarOp::Sqrt, {b.add(p.variance, b.number(1e-2))}));
}

void expectNoLayerNorm(const Graph &before) { EXPECT_EQ(count(passed(before), Op::LayerNorm), 0) << print(before); }

TEST(NoLayerNorm, AxisThatIsNotLast) {
  Builder b;
  expectNoLayerNorm(b.output(quotient(b, parts(b, {1}, {1}))));
}

TEST(NoLayerNorm, AxesThatDiffer) {
  Builder b;
  expectNoLayerNorm(b.output(quotient(b, parts(b, {2}, {1}))));
}

TEST(NoLayerNorm, EpsilonOutsideTheRoot) {
  Builder b;
  Parts p = parts(b, {2}, {2});
  expectNoLayerNorm(b.output(b.div(p.centered, b.add(b.apply(ScalarOp::Sqrt, {p.variance}), b.number(1e-2)))));
}

TEST(NoLayerNorm, EpsilonThatIsNoNumber) {
  Builder b;
  Parts p = parts(b, {2}, {2});
  ValueId sum = b.add(p.variance, b.constant("epsilon", {4, 1}, {1, 2, 3, 4}));
  expectNoLayerNorm(b.output(b.div(p.centered, b.apply(ScalarOp::Sqrt, {sum}))));
}

TEST(NoLayerNorm, IntermediateReadElsewhere) {
  for (int which = 0; which < 3; ++which) {
    Builder b;
    Parts p = parts(b, {2}, {2});
    b.output(quotient(b, p));
    expectNoLayerNorm(b.output(which == 0 ? p.mean : which == 1 ? p.centered : p.variance));
  }
}

TEST(NoLayerNorm, OtherDividend) {
  Builder b;
  Parts p = parts(b, {2}, {2});
  expectNoLayerNorm(b.output(b.div(p.x, b.apply(ScalarOp::Sqrt, {b.add(p.variance, b.number(1e-2))}))));
}

TEST(NoLayerNorm, ScalePerRowStaysOutside) {
  Builder b;
  Graph after = passed(b.output(b.mul(quotient(b, parts(b, {2}, {2})), b.weights("s", {4, 1}))));
  EXPECT_EQ(count(after, Op::LayerNorm), 1);
  EXPECT_EQ(count(after, Op::Elementwise), 1);
}

// --------------------------------------------------------------------------------------------------- softmax

/// exp(x - max(x)) / sum(exp(x - max(x))), or with a product by the inverse, without the maximum, with casts.
class SoftmaxForms : public testing::TestWithParam<std::tuple<bool, bool, Casts, int>> {};

TEST_P(SoftmaxForms, BecomeOneNode) {
  auto [stable, inverse, casts, axis] = GetParam();
  LayerNormForm form;
  form.casts = casts;
  Builder b;
  ValueId x = b.input("x", {2, 3, 4}), shifted = form.interpose(b, x);
  if (stable) shifted = b.sub(shifted, b.reduce(ReduceKind::Max, form.interpose(b, x), {axis}));
  ValueId exponential = b.apply(ScalarOp::Exp, {form.interpose(b, shifted)});
  ValueId sum = b.reduce(ReduceKind::Sum, exponential, {axis});
  ValueId result = inverse ? b.mul(b.div(b.number(1), sum), exponential) : b.div(exponential, sum);
  Graph after = passed(b.output(form.interpose(b, result)));
  EXPECT_EQ(nodeLines(after),
            "%1 = softmax(%0) {axis " + std::to_string(axis) + "} : f32[2,3,4]\noutput \"out\" = %1\n");
}

INSTANTIATE_TEST_SUITE_P(All, SoftmaxForms,
                         testing::Combine(testing::Bool(), testing::Bool(),
                                          testing::Values(Casts::None, Casts::Identity, Casts::ThereAndBack),
                                          testing::Values(0, 1, 2)));

TEST(Softmax, DroppedDimsThatAreRestored) {
  Builder b;
  ValueId x = b.input("x", {2, 4}), maximum = b.reshape(b.reduce(ReduceKind::Max, x, {1}, false), {2, 1});
  ValueId exponential = b.apply(ScalarOp::Exp, {b.sub(x, maximum)});
  ValueId sum = b.reshape(b.reduce(ReduceKind::Sum, exponential, {1}, false), {2, 1});
  EXPECT_EQ(nodeLines(passed(b.output(b.div(exponential, sum)))),
            "%1 = softmax(%0) {axis 1} : f32[2,4]\noutput \"out\" = %1\n");
}

TEST(Softmax, LogarithmOfSoftmax) {
  Builder b;
  ValueId softmax = b.graph.add(Op::Softmax, {b.input("x", {2, 4})}, AxisAttributes{1}, "");
  EXPECT_EQ(nodeLines(passed(b.output(b.apply(ScalarOp::Log, {softmax})))),
            "%1 = logsoftmax(%0) {axis 1} : f32[2,4]\noutput \"out\" = %1\n");
}

TEST(Softmax, DifferenceOfLogarithmOfSum) {
  Builder b;
  ValueId x = b.input("x", {2, 4}), shifted = b.sub(x, b.reduce(ReduceKind::Max, x, {1}));
  ValueId sum = b.reduce(ReduceKind::Sum, b.apply(ScalarOp::Exp, {shifted}), {1});
  EXPECT_EQ(nodeLines(passed(b.output(b.sub(shifted, b.apply(ScalarOp::Log, {sum}))))),
            "%1 = logsoftmax(%0) {axis 1} : f32[2,4]\noutput \"out\" = %1\n");
}

TEST(NoSoftmax, MaximumAlongAnotherAxisStays) {
  Builder b;
  ValueId x = b.input("x", {3, 4}), exponential = b.apply(ScalarOp::Exp, {b.sub(x, b.reduce(ReduceKind::Max, x, {0}))});
  Graph after = passed(b.output(b.div(exponential, b.reduce(ReduceKind::Sum, exponential, {1}))));
  EXPECT_EQ(count(after, Op::Softmax), 1);
  EXPECT_EQ(count(after, Op::Reduce), 1);  // the maximum
}

TEST(NoSoftmax, SumOfSomethingElse) {
  Builder b;
  ValueId exponential = b.apply(ScalarOp::Exp, {b.input("x", {3, 4})});
  ValueId sum = b.reduce(ReduceKind::Sum, b.mul(exponential, exponential), {1});
  EXPECT_EQ(count(passed(b.output(b.div(exponential, sum))), Op::Softmax), 0);
}

TEST(NoSoftmax, MeanInsteadOfSum) {
  Builder b;
  ValueId exponential = b.apply(ScalarOp::Exp, {b.input("x", {3, 4})});
  EXPECT_EQ(count(passed(b.output(b.div(exponential, b.reduce(ReduceKind::Mean, exponential, {1})))), Op::Softmax), 0);
}

TEST(NoSoftmax, ExponentialReadElsewhere) {
  Builder b;
  ValueId exponential = b.apply(ScalarOp::Exp, {b.input("x", {3, 4})});
  b.output(b.div(exponential, b.reduce(ReduceKind::Sum, exponential, {1})));
  EXPECT_EQ(count(passed(b.output(exponential)), Op::Softmax), 0);
}

TEST(NoSoftmax, OverTwoAxes) {
  Builder b;
  ValueId exponential = b.apply(ScalarOp::Exp, {b.input("x", {2, 3, 4})});
  EXPECT_EQ(count(passed(b.output(b.div(exponential, b.reduce(ReduceKind::Sum, exponential, {1, 2})))), Op::Softmax),
            0);
}

}  // namespace
}  // namespace hone::graph
