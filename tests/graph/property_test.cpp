// Random small graphs compute the same before and after all passes, whatever the passes find in them.
#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "compiler/graph/pipeline.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

/// Grows a graph node by node from values of one shape family, with many numbers that rules look for.
class RandomGraph {
 public:
  explicit RandomGraph(uint64_t seed) : random_(seed) {}

  Graph make() {
    values_ = {b_.input("x", {1, 4, 6, 6}), b_.input("y", {1, 4, 6, 6}), b_.input("z", {1, 4, 1, 1})};
    int count = 3 + below(14);
    for (int i = 0; i < count; ++i) values_.push_back(grow());
    b_.output(values_.back());
    // Another reader of something inside keeps rules from taking what is shared.
    if (below(2) == 0) b_.output(values_[static_cast<size_t>(below(static_cast<int>(values_.size())))]);
    return b_.graph;
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<uint64_t>(limit)); }
  ValueId any() {
    // The newest are likeliest: chains, not bushes.
    auto size = static_cast<int>(values_.size());
    return values_[static_cast<size_t>(below(3) == 0 ? below(size) : size - 1)];
  }
  std::string fresh() { return absl::StrCat("c", names_++); }

  ValueId constantFor(ValueId value) {
    constexpr double kNumbers[] = {0, 1, 2, 0.5, -1, 3, 6, 0.25};
    const Shape shape = b_.shape(value);
    switch (below(4)) {
      case 0:
        return b_.number(kNumbers[below(8)]);
      case 1:
        return shape.size() == 4 ? b_.weights(fresh(), {shape[1], 1, 1}) : b_.weights(fresh(), {shape.back()});
      case 2:
        return b_.graph.addConstant(fresh(), makeFilled({DType::F32, {shape.back()}}, kNumbers[below(8)]));
      default:
        return b_.weights(fresh(), shape);
    }
  }

  ValueId grow() {
    ValueId a = any();
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
        return binary(a, constantFor(a));
      case 3: {
        ValueId other = any();
        if (b_.shape(other) == b_.shape(a)) return binary(a, other);
        return unary(a);
      }
      case 4:
        return unary(a);
      case 5:
        return movement(a);
      case 6:
        return b_.cast(b_.cast(a, below(2) == 0 ? DType::F64 : DType::F32), DType::F32);
      case 7:
        return rows(a);
      default:
        return product(a);
    }
  }

  ValueId binary(ValueId a, ValueId c) {
    if (below(2) == 0) std::swap(a, c);
    constexpr ScalarOp kOps[] = {ScalarOp::Add, ScalarOp::Sub, ScalarOp::Mul, ScalarOp::Min, ScalarOp::Max};
    return b_.apply(kOps[below(5)], {a, c});
  }
  ValueId unary(ValueId a) {
    constexpr ScalarOp kOps[] = {ScalarOp::Neg, ScalarOp::Tanh, ScalarOp::Abs};
    if (below(4) == 0) return b_.apply(ScalarOp::Pow, {a, b_.number(2)});
    if (below(4) == 0) return b_.div(a, b_.number(4));
    return b_.apply(kOps[below(3)], {a});
  }
  ValueId movement(ValueId a) {
    const Shape shape = b_.shape(a);
    auto rank = static_cast<int64_t>(shape.size());
    std::vector<int64_t> permutation;
    for (int64_t i = 0; i < rank; ++i) permutation.push_back(i);
    switch (below(4)) {
      case 0:
        return b_.reshape(b_.reshape(a, {b_.graph.values[static_cast<size_t>(a)].type.elements()}), shape);
      case 1:
        std::swap(permutation[static_cast<size_t>(rank - 1)], permutation[static_cast<size_t>(rank - 2)]);
        return b_.transpose(b_.transpose(a, permutation), permutation);
      case 2: {
        Shape pads(static_cast<size_t>(2 * rank), 0);
        pads[static_cast<size_t>(rank - 1)] = below(2);
        return b_.graph.add(Op::Pad, {a}, PadAttributes{pads}, "");
      }
      default:
        return b_.broadcast(a, shape);
    }
  }
  ValueId rows(ValueId a) {
    int64_t last = static_cast<int64_t>(b_.shape(a).size()) - 1;
    ValueId narrow = b_.apply(ScalarOp::Tanh, {a});
    if (below(2) == 0) {
      ValueId exponential = b_.apply(ScalarOp::Exp, {b_.sub(narrow, b_.reduce(ReduceKind::Max, narrow, {last}))});
      return b_.div(exponential, b_.reduce(ReduceKind::Sum, exponential, {last}));
    }
    ValueId centered = b_.sub(narrow, b_.reduce(ReduceKind::Mean, narrow, {last}));
    ValueId variance = b_.reduce(ReduceKind::Mean, b_.mul(centered, centered), {last});
    return b_.div(centered, b_.apply(ScalarOp::Sqrt, {b_.add(variance, b_.number(0.01))}));
  }
  ValueId product(ValueId a) {
    const Shape shape = b_.shape(a);
    // Big sums are brought back, so that the tolerance means something.
    if (below(2) == 0) {
      ValueId weight = b_.weights(fresh(), {shape.back(), 3 + below(3)});
      return b_.mul(b_.matmul(a, weight), b_.number(0.0625));
    }
    if (shape.size() != 4 || shape[2] < 3 || shape[3] < 3) return unary(a);
    int64_t groups = shape[1] % 2 == 0 && below(2) == 0 ? 2 : 1;
    ValueId weight = b_.weights(fresh(), {4, shape[1] / groups, 3, 3});
    return b_.mul(b_.conv(a, weight, below(2), groups), b_.number(0.015625));
  }

  Builder b_;
  std::mt19937_64 random_;
  std::vector<ValueId> values_;
  int names_ = 0;
};

TEST(Property, PassesKeepWhatGraphsCompute) {
  const char *given = std::getenv("HONE_TEST_SEED");
  uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  size_t before = 0, after = 0;
  for (uint64_t seed = first; seed < first + 400; ++seed) {
    SCOPED_TRACE(absl::StrCat("HONE_TEST_SEED=", seed));
    Graph original = RandomGraph(seed).make();
    Graph passed = original;
    ASSERT_TRUE(verify(original).ok()) << verify(original);
    auto timings = runPasses(passed);
    ASSERT_TRUE(timings.ok()) << timings.status() << "\n" << print(original);
    expectSameResults(original, passed, 1e-4);
    if (testing::Test::HasFailure()) FAIL() << print(original) << print(passed);
    before += original.nodes.size();
    after += passed.nodes.size();
  }
  EXPECT_LT(after * 10, before * 8) << "the graphs hold little for the passes to find";
}

}  // namespace
}  // namespace hone::graph
