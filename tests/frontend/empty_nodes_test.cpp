// Operators on tensors without elements, compiled and run. What is right is numpy's and ONNX's rule, written out.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "tests/frontend/compiled_node.h"

namespace hone::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

using Values = std::vector<double>;
using Integers = std::vector<int64_t>;

CompiledNode reduced(const std::string &op, DType dtype = DType::F32) {
  // In versions that have the axes as an attribute the form of the operator is one for all of them.
  CompiledNode node(op == "ReduceSum" ? 11 : 13, op, {Array({2, 0, 3}, Values(), dtype)});
  node.with("axes", Integers{1}).with("keepdims", 0);
  return node;
}

Array all(double value, DType dtype = DType::F32) { return {{2, 3}, Values(6, value), dtype}; }

TEST(Empty, ReductionsOverNothing) {
  reduced("ReduceSum").gives({all(0)});
  reduced("ReduceSumSquare").gives({all(0)});
  reduced("ReduceL1").gives({all(0)});
  reduced("ReduceL2").gives({all(0)});
  reduced("ReduceProd").gives({all(1)});
  reduced("ReduceMax").gives({all(-kInfinity)});
  reduced("ReduceMin").gives({all(kInfinity)});
  reduced("ReduceMean").gives({all(kNan)});
  reduced("ReduceLogSum").gives({all(-kInfinity)});
  reduced("ReduceLogSumExp").gives({all(-kInfinity)});
  reduced("ReduceMax", DType::I32).gives({all(-2147483648.0, DType::I32)});
  reduced("ReduceMin", DType::I32).gives({all(2147483647.0, DType::I32)});
  reduced("ReduceMin", DType::U8).gives({all(255, DType::U8)});
}

TEST(Empty, RefusesWhatHasNoValue) {
  for (const auto &[op, reason] : {std::pair("ArgMax", "no elements to compare"), std::pair("ArgMin", "no elements")}) {
    CompiledNode node(13, op, {Array({2, 0})});
    node.with("axis", 1);
    const auto result = node.run();
    EXPECT_TRUE(absl::StrContains(result.status().message(), reason)) << result.status();
  }
  const auto mean = reduced("ReduceMean", DType::I32).run();
  EXPECT_TRUE(absl::StrContains(mean.status().message(), "the mean of no integers")) << mean.status();
  const auto gather = CompiledNode(13, "Gather", {Array({0, 2}), Array({1}, DType::I64)}).run();
  EXPECT_TRUE(absl::StrContains(gather.status().message(), "is empty")) << gather.status();
}

TEST(Empty, ResultsWithoutElements) {
  const Array x({0, 3});
  CompiledNode(13, "Relu", {x}).gives({x});
  CompiledNode(13, "Add", {x, Array({1, 3}, {1, 2, 3})}).gives({x});
  CompiledNode(13, "Transpose", {x}).gives({Array({3, 0})});
  CompiledNode(13, "Softmax", {x}).with("axis", 0).gives({x});
  CompiledNode(13, "CumSum", {x}).constant("axis", Integers{0}).gives({x});
  CompiledNode(13, "MatMul", {Array({2, 0, 3}), Array({3, 4}, Values(12, 1))}).gives({Array({2, 0, 4})});
  CompiledNode(13, "ArgMax", {x}).with("axis", 1).gives({Array({0, 1}, DType::I64)});
  CompiledNode(13, "Gather", {Array({2, 3}, Values(6, 1)), Array({0}, DType::I64)}).gives({x});
  CompiledNode(13, "GatherElements", {x, Array({0, 3}, DType::I64)}).gives({x});
  CompiledNode(13, "ReverseSequence", {Array({0, 2}), Array({2}, {0, 0}, DType::I64)}).gives({Array({0, 2})});
  CompiledNode(13, "TopK", {Array({2, 3}, Values(6, 1))}, 2)
      .constant("k", Integers{0})
      .gives({Array({2, 0}), Array({2, 0}, DType::I64)});
  CompiledNode(13, "TopK", {Array({2, 0})}, 2)
      .constant("k", Integers{0})
      .gives({Array({2, 0}), Array({2, 0}, DType::I64)});
  CompiledNode(13, "Hardmax", {Array({2, 0})}).gives({Array({2, 0})});
  CompiledNode(13, "Conv", {Array({0, 2, 4, 4}), Array({3, 2, 1, 1}, Values(6, 1))}).gives({Array({0, 3, 4, 4})});
}

TEST(Empty, PartsWithoutElements) {
  const Array past({1, 2, 0, 2}), k({1, 2, 1, 2}, {1, 2, 3, 4});
  CompiledNode(13, "Concat", {past, k}).with("axis", 2).gives({k});
  CompiledNode(13, "Concat", {past, past}).with("axis", 2).gives({past});
  CompiledNode(13, "Split", {Array({3}, {1, 2, 3})}, 3)
      .constant("split", Integers{2, 0, 1})
      .gives({Array({2}, {1, 2}), Array({0}), Array({1}, {3})});
  CompiledNode(13, "Slice", {Array({3}, {1, 2, 3})}, 1)
      .constant("starts", Integers{9})
      .constant("ends", Integers{12})
      .gives({Array({0})});
  CompiledNode(13, "ScatterND", {Array({2}, {1, 2}), Array({0, 1}, DType::I64), Array({0})})
      .gives({Array({2}, {1, 2})});
}

TEST(Empty, ProductsAndWindowsOverNothing) {
  CompiledNode(13, "MatMul", {Array({2, 0}), Array({0, 3})}).gives({all(0)});
  CompiledNode(13, "Gemm", {Array({2, 0}), Array({0, 3}), Array({3}, {1, 2, 3})})
      .gives({Array({2, 3}, {1, 2, 3, 1, 2, 3})});
  CompiledNode(13, "Pad", {Array({0})})
      .constant("pads", Integers{1, 2})
      .scalar("value", 7)
      .gives({Array({3}, {7, 7, 7})});
  // Windows that lie in the padding alone.
  CompiledNode(13, "Conv", {Array({1, 1, 0}), Array({2, 1, 2}, Values(4, 1)), Array({2}, {5, 6})})
      .with("pads", Integers{1, 1})
      .gives({Array({1, 2, 1}, {5, 6})});
  CompiledNode(13, "Det", {Array({2, 0, 0})}).gives({Array({2}, {1, 1})});
  CompiledNode(13, "Einsum", {Array({2, 0}), Array({0, 3})}).with("equation", "ij,jk->ik").gives({all(0)});
}

}  // namespace
}  // namespace hone::test
