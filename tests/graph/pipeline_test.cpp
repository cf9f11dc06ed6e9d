// Constant folding, common subexpressions, dead code, and the funnel through which all passes run.
#include "compiler/graph/pipeline.h"

#include "absl/strings/str_cat.h"
#include "compiler/graph/passes.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

TEST(FoldConstants, ShapeArithmetic) {
  Builder b;
  ValueId shape = b.constant("shape", {4}, {1, 8, 16, 32}, DType::I64);
  ValueId pick = b.constant("pick", {2}, {2, -1}, DType::I64);
  ValueId extents = b.graph.add(Op::Gather, {shape, pick}, AxisAttributes{0}, "");
  ValueId halves = b.div(extents, b.number(2, DType::I64));
  ValueId minusOne = b.constant("rest", {1}, {-1}, DType::I64);
  Graph &graph = b.output(b.graph.add(Op::Concat, {minusOne, halves}, AxisAttributes{0}, ""));
  ASSERT_TRUE(foldConstants(graph).ok());
  EXPECT_EQ(print(graph), "graph test\nconst@#1 : i64[3] = [-1, 8, 16]\noutput \"out\" = const@#1\n");
}

TEST(FoldConstants, KeepsTheValuesName) {
  Builder b;
  ValueId sum = b.add(b.number(1), b.number(2));
  b.graph.values[static_cast<size_t>(sum)].name = "three";
  Graph &graph = b.output(sum);
  ASSERT_TRUE(foldConstants(graph).ok());
  EXPECT_EQ(print(graph), "graph test\nconst@three : f32[] = 3\noutput \"out\" = const@three\n");
}

TEST(FoldConstants, LeavesInputsAndHugeBroadcastsAlone) {
  Builder b;
  b.output(b.add(b.input("x", {2}), b.number(1)));
  Graph &graph = b.output(b.broadcast(b.number(1), {1 << 14, 1 << 14}));  // 1 GB
  ASSERT_TRUE(foldConstants(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(FoldConstants, LeavesLongWorkAlone) {
  Builder b;
  // 2^31 steps for a result of 1 MB.
  ValueId a = b.graph.addConstant("a", makeFilled({DType::F32, {512, 8192}}, 1));
  Graph &graph = b.output(b.matmul(a, a, {false, true}));
  ASSERT_TRUE(foldConstants(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 1u);
}

TEST(FoldConstants, ReportsWhatCannotBeComputed) {
  Builder b;
  ValueId data = b.constant("data", {2}, {1, 2}), index = b.constant("index", {1}, {2}, DType::I64);
  Graph &graph = b.output(b.graph.add(Op::Gather, {data, index}, AxisAttributes{0}, "pick"));
  EXPECT_EQ(foldConstants(graph).message(), "gather 'pick': index 2 is outside an extent of 2");
}

TEST(CommonSubexpressions, MergesEqualNodesAndConstants) {
  Builder b;
  ValueId x = b.input("x", {2}), y = b.input("y", {2});
  ValueId first = b.mul(b.add(x, y), b.constant("c", {2}, {1, 2}));
  ValueId second = b.mul(b.add(y, x), b.constant("d", {2}, {1, 2}));
  Graph &graph = b.output(b.div(first, second));
  ASSERT_TRUE(mergeCommonSubexpressions(graph).ok());
  EXPECT_EQ(nodeLines(graph),
            "%2 = add(%0, %1) : f32[2]\n%3 = mul(%2, const@c) : f32[2]\n%4 = div(%3, %3) : f32[2]\n"
            "output \"out\" = %4\n");
}

TEST(CommonSubexpressions, MergesEmptyConstants) {
  Builder b;
  ValueId x = b.input("x", {0});
  ValueId first = b.add(x, b.constant("c", {0}, {})), second = b.add(x, b.constant("d", {0}, {}));
  Graph &graph = b.output(b.mul(first, second));
  ASSERT_TRUE(mergeCommonSubexpressions(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(CommonSubexpressions, KeepsWhatDiffers) {
  Builder b;
  ValueId x = b.input("x", {2, 2});
  b.output(b.sub(x, b.number(1)));
  b.output(b.sub(b.number(1), x));                  // order
  b.output(b.add(x, b.number(2)));                  // op
  b.output(b.sub(x, b.number(3)));                  // constant
  b.output(b.sub(x, b.constant("", {1, 1}, {1})));  // shape of the constant
  b.output(b.reduce(ReduceKind::Sum, x, {0}));      // attributes …
  b.output(b.reduce(ReduceKind::Sum, x, {1}));
  b.output(b.reduce(ReduceKind::Max, x, {1}));
  b.output(b.cast(x, DType::F64));  // type
  Graph &graph = b.output(b.cast(x, DType::F16));
  ASSERT_TRUE(mergeCommonSubexpressions(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 10u);
}

TEST(DeadCode, RemovesWhatNothingReadsButKeepsInputs) {
  Builder b;
  ValueId unused = b.input("unused", {2}), x = b.input("x", {2});
  b.apply(ScalarOp::Exp, {b.add(unused, b.constant("c", {2}, {1, 2}))});
  Graph &graph = b.output(b.apply(ScalarOp::Neg, {x}));
  ASSERT_TRUE(removeDeadCode(graph).ok());
  EXPECT_TRUE(verify(graph).ok()) << verify(graph);
  EXPECT_EQ(graph.values.size(), 3u);
  EXPECT_EQ(print(graph),
            "graph test\ninput %0 \"unused\" : f32[2]\ninput %1 \"x\" : f32[2]\n%2 = neg(%1) : f32[2]\n"
            "output \"out\" = %2\n");
}

// ------------------------------------------------------------------------------------------------- the funnel

Graph doubleNegation() {
  Builder b;
  return b.output(b.apply(ScalarOp::Neg, {b.apply(ScalarOp::Neg, {b.input("x", {2})})}));
}

TEST(Pipeline, RunsAllPassesAndTimesThem) {
  Graph graph = doubleNegation();
  auto timings = runPasses(graph);
  ASSERT_TRUE(timings.ok()) << timings.status();
  ASSERT_GE(timings->size(), passNames().size());
  for (const PassTiming &timing : *timings) EXPECT_GE(timing.seconds, 0);
  EXPECT_EQ(graph.nodes.size(), 0u);
}

TEST(Pipeline, DisablesByName) {
  Graph graph = doubleNegation();
  PassOptions options;
  options.disabled = {"simplify"};
  auto timings = runPasses(graph, options);
  ASSERT_TRUE(timings.ok());
  for (const PassTiming &timing : *timings) EXPECT_NE(timing.name, "simplify");
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(Pipeline, PrintsAfterAPass) {
  Graph graph = doubleNegation();
  PassOptions options;
  options.printAfter = {"simplify"};
  std::vector<std::string> printed;
  options.print = [&](const std::string &pass, const std::string &text) { printed.push_back(pass + ": " + text); };
  ASSERT_TRUE(runPasses(graph, options).ok());
  ASSERT_EQ(printed.size(), 2u);  // simplify runs twice
  EXPECT_EQ(printed[0], "simplify: graph test\ninput %0 \"x\" : f32[2]\noutput \"out\" = %0\n");
}

TEST(Pipeline, RefusesUnknownNames) {
  const std::string known =
      "dead-code, fold-constants, simplify, common-subexpressions, recognize-softmax, recognize-layer-norm, "
      "fold-scales";
  Graph graph = doubleNegation();
  PassOptions options;
  options.disabled = {"simplfy"};
  EXPECT_EQ(runPasses(graph, options).status().message(), "unknown pass 'simplfy': the passes are " + known);
  options.disabled.clear();
  options.printAfter = {"al"};
  EXPECT_EQ(runPasses(graph, options).status().message(), "unknown pass 'al': the passes are " + known);
  EXPECT_EQ(graph.nodes.size(), 2u) << "something ran";
}

TEST(Pipeline, RefusesAGraphThatIsNotWellFormed) {
  Graph graph = doubleNegation();
  std::swap(graph.nodes[0], graph.nodes[1]);
  EXPECT_FALSE(runPasses(graph).ok());
}

TEST(Pipeline, IsIdempotentAndDeterministic) {
  Builder b;
  ValueId x = b.input("x", {1, 4, 6, 6});
  ValueId conv = b.conv(x, b.weights("w", {4, 4, 3, 3}), 1);
  ValueId norm = b.add(b.mul(conv, b.weights("s", {4, 1, 1})), b.weights("t", {4, 1, 1}));
  Graph &graph = b.output(b.apply(ScalarOp::Max, {b.add(x, norm), b.number(0)}));
  Graph again = graph;
  ASSERT_TRUE(runPasses(graph).ok());
  ASSERT_TRUE(runPasses(again).ok());
  std::string once = print(graph);
  EXPECT_EQ(print(again), once);
  ASSERT_TRUE(runPasses(graph).ok());
  EXPECT_EQ(print(graph), once);
  EXPECT_EQ(graph.nodes.size(), 3u) << once;
}

// A BERT-like stack of big weights: folding must not take long, whatever it costs per element.
TEST(Pipeline, IsFastOnBigWeights) {
  Builder b;
  ValueId x = b.input("x", {128, 1024});
  for (int i = 0; i < 24; ++i) {  // 24 x 1 M weights
    ValueId weight = b.graph.addConstant(absl::StrCat("w", i), makeFilled({DType::F32, {1024, 1024}}, 0.5 + i));
    x = b.add(b.mul(b.matmul(x, weight), b.weights(absl::StrCat("s", i), {1024})),
              b.weights(absl::StrCat("t", i), {1024}));
  }
  Graph &graph = b.output(x);
  auto timings = runPasses(graph);
  ASSERT_TRUE(timings.ok());
  EXPECT_EQ(graph.nodes.size(), 48u);
  double seconds = 0;
  for (const PassTiming &timing : *timings) seconds += timing.seconds;
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_LT(seconds, 10) << "meant to stay below 1 s; the margin is for loaded and instrumented machines";
}

}  // namespace
}  // namespace hone::graph
