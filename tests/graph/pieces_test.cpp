// Pointwise nodes in front of the concatenations behind which they were: where they end up, and that nothing else
// changes.
#include <algorithm>

#include "compiler/graph/passes.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

ValueId concat(Builder &b, std::vector<ValueId> parts, int64_t axis) {
  return b.graph.add(Op::Concat, std::move(parts), AxisAttributes{axis}, "");
}

ValueId convOf(Builder &b, ValueId x, const std::string &name, int64_t outputs = 2) {
  return b.conv(x, b.weights(name, {outputs, b.shape(x)[1], 1, 1}));
}

/// Four convolutions, each every second row and column of the result: [1, 2, 6, 8].
ValueId woven(Builder &b) {
  const ValueId x = b.input("x", {1, 3, 3, 4});
  std::vector<ValueId> parts;
  for (const char *name : {"w0", "w1", "w2", "w3"}) parts.push_back(b.reshape(convOf(b, x, name), {1, 2, 1, 3, 4}));
  const ValueId split = b.reshape(concat(b, parts, 2), {1, 2, 2, 2, 3, 4});
  return b.reshape(b.transpose(split, {0, 1, 4, 2, 5, 3}), {1, 2, 6, 8});
}

/// Nodes of \p op behind a concatenation, with any views in between.
int countBehindConcat(const Graph &graph, Op op) {
  std::vector<bool> isBehind(graph.values.size(), false);
  int count = 0;
  for (const Node &node : graph.nodes) {
    const bool any = std::any_of(node.inputs.begin(), node.inputs.end(),
                                 [&](ValueId input) { return isBehind[static_cast<size_t>(input)]; });
    isBehind[static_cast<size_t>(node.output)] = any || node.op == Op::Concat;
    count += any && node.op == op ? 1 : 0;
  }
  return count;
}

int elementwiseBehindConcat(Builder &b, ValueId result) {
  const Graph before = b.output(result);
  Graph after = before;
  EXPECT_TRUE(simplify(after).ok());
  EXPECT_TRUE(verify(after).ok()) << verify(after) << print(after);
  expectSameResults(before, after);
  return countBehindConcat(after, Op::Elementwise);
}

TEST(Pieces, ChainsMoveInFrontOfWhatIsWoven) {
  Builder b;
  const ValueId scaled = b.mul(woven(b), b.weights("scale", {2, 1, 1}));
  const ValueId shifted = b.add(scaled, b.weights("shift", {1, 2, 1, 1}));
  EXPECT_EQ(elementwiseBehindConcat(b, b.apply(ScalarOp::Max, {shifted, b.number(0)})), 0);
}

TEST(Pieces, ConstantsOfChannelsAreCutWithThem) {
  Builder b;
  const ValueId x = b.input("x", {1, 3, 2, 2});
  const ValueId both = concat(b, {convOf(b, x, "a", 2), convOf(b, x, "c", 3)}, 1);
  EXPECT_EQ(elementwiseBehindConcat(b, b.sub(b.weights("s", {5, 1, 1}), both)), 0);
}

TEST(Pieces, ConstantsOfWovenRowsStay) {
  Builder b;
  const ValueId y = woven(b);
  EXPECT_EQ(elementwiseBehindConcat(b, b.mul(y, b.weights("rows", {6, 1}))), 1);
}

TEST(Pieces, WhatIsReadTwiceStays) {
  Builder b;
  const ValueId y = woven(b);
  EXPECT_EQ(elementwiseBehindConcat(b, b.mul(b.apply(ScalarOp::Tanh, {y}), y)), 2);
}

TEST(Pieces, PiecesThatNobodyComputesStay) {
  Builder b;
  const ValueId x = b.input("x", {1, 3, 2, 2});
  const ValueId both = concat(b, {convOf(b, x, "a"), x}, 1);
  EXPECT_EQ(elementwiseBehindConcat(b, b.apply(ScalarOp::Tanh, {both})), 1);
}

TEST(Pieces, WhatGrowsStays) {
  Builder b;
  const ValueId x = b.input("x", {1, 3, 2, 2});
  const ValueId both = concat(b, {convOf(b, x, "a"), convOf(b, x, "c")}, 1);
  // The constant makes the result larger than what is concatenated.
  EXPECT_EQ(elementwiseBehindConcat(b, b.mul(both, b.weights("wide", {3, 4, 1, 1}))), 1);
}

}  // namespace
}  // namespace hone::graph
