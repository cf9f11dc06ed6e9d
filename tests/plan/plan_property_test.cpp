// Random graphs: executing the plan gives what evaluating the graph gives, and no two live buffers share bytes.
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/graph.h"
#include "compiler/graph/loops.h"
#include "compiler/graph/pipeline.h"
#include "compiler/plan/plan.h"
#include "tests/plan/plan_runner.h"
#include "tests/plan/random_graph.h"
#include "tests/support/rounds.h"

namespace hone::plan {
namespace {

TargetDescription targetWithLanes(int64_t lanes) {
  TargetDescription target;
  target.vectorBytes = 4 * lanes;
  return target;
}

/// Both sides round to float at different places; what is left is a few units in the last place of the largest
/// intermediate value.
constexpr double kTolerance = 2e-4;

std::string difference(const tensor::HostTensor &expected, const tensor::HostTensor &got,
                       double tolerance = kTolerance) {
  if (expected.dtype != got.dtype || expected.shape != got.shape) return "type differs";
  double magnitude = 1;
  for (int64_t i = 0; i < expected.elements(); ++i) {
    if (std::isfinite(expected.real(i))) magnitude = std::max(magnitude, std::abs(expected.real(i)));
  }
  for (int64_t i = 0; i < expected.elements(); ++i) {
    const double a = expected.real(i), b = got.real(i);
    if (a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance * magnitude) continue;
    return "element " + std::to_string(i) + " is " + std::to_string(b) + ", expected " + std::to_string(a);
  }
  return "";
}

/// Lifetimes and overlaps by looking at every pair of buffers at every kernel.
std::string findOverlap(const Plan &plan) {
  const auto uses = [&](size_t kernel, size_t buffer) {
    for (int argument : plan.kernels[kernel].arguments) {
      if (static_cast<size_t>(argument) == buffer) return true;
    }
    return false;
  };
  std::vector<std::pair<size_t, size_t>> lives(plan.buffers.size(), {plan.kernels.size(), 0});
  for (size_t b = 0; b < plan.buffers.size(); ++b) {
    for (size_t k = 0; k < plan.kernels.size(); ++k) {
      if (uses(k, b)) lives[b] = {std::min(lives[b].first, k), k};
    }
  }
  for (size_t a = 0; a < plan.buffers.size(); ++a) {
    const PlanBuffer &first = plan.buffers[a];
    if (first.place != Place::Arena || lives[a].first == plan.kernels.size()) continue;
    if (first.offset % 64 != 0) return first.name + " is not aligned";
    if (first.offset < 0 || first.offset + first.bytes > plan.arenaBytes) return first.name + " leaves the arena";
    for (size_t b = a + 1; b < plan.buffers.size(); ++b) {
      const PlanBuffer &second = plan.buffers[b];
      if (second.place != Place::Arena || lives[b].first == plan.kernels.size()) continue;
      const bool meet = lives[a].first <= lives[b].second && lives[b].first <= lives[a].second;
      const bool overlap = first.offset < second.offset + second.bytes && second.offset < first.offset + first.bytes;
      if (meet && overlap) return first.name + " and " + second.name + " share bytes";
    }
  }
  return "";
}

void check(const graph::Graph &graph, uint64_t seed, int64_t lanes) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  ASSERT_TRUE(graph::verify(graph).ok()) << graph::verify(graph);
  const absl::StatusOr<Plan> plan = makePlan(graph, targetWithLanes(lanes));
  ASSERT_TRUE(plan.ok()) << plan.status() << "\n" << graph::print(graph);
  EXPECT_EQ(findOverlap(*plan), "") << print(*plan);
  const std::vector<tensor::HostTensor> inputs = randomInputs(graph, seed + 1);
  const auto expected = runGraph(graph, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto got = runPlan(*plan, inputs);
  ASSERT_TRUE(got.ok()) << got.status() << "\n" << graph::print(graph) << print(*plan);
  ASSERT_EQ(got->size(), expected->size());
  for (size_t i = 0; i < got->size(); ++i) {
    const std::string error = difference((*expected)[i], (*got)[i]);
    ASSERT_EQ(error, "") << "output " << i << "\n" << graph::print(graph) << print(*plan);
  }
}

constexpr int64_t kSampled = 150, kAll = 4000;  // graphs

TEST(PlanProperty, SmallGraphsMeanTheSame) {
  hone::testing::inRounds(kSampled, kAll, [](hone::testing::Random &random) {
    const uint64_t seed = random.next();
    check(randomGraph(seed, static_cast<int>(random.between(1, 6))), seed, random.chance(50) ? 4 : 8);
  });
}

TEST(PlanProperty, LargerGraphsMeanTheSame) {
  hone::testing::inRounds(kSampled, kAll, [](hone::testing::Random &random) {
    const uint64_t seed = random.next();
    check(randomGraph(seed, static_cast<int>(random.between(8, 32))), seed, random.chance(50) ? 4 : 16);
  });
}

TEST(PlanProperty, LoopsMeanTheSame) {
  size_t loops = 0;
  int64_t graphs = 0;
  hone::testing::inRounds(kSampled, kAll, [&](hone::testing::Random &random) {
    const uint64_t seed = random.next();
    graph::Graph graph = randomLoops(seed, static_cast<int>(random.between(4, 28)));
    const bool isNarrow = random.chance(50);
    check(graph, seed, isNarrow ? 4 : 16);
    ASSERT_TRUE(graph::runPasses(graph).ok());
    check(graph, seed, isNarrow ? 16 : 4);
    loops += graph::findLoops(graph)->loops.size();
    ++graphs;
  });
  EXPECT_GT(static_cast<int64_t>(loops), graphs / 4);
}

/// The ops whose stages depend on the dtype: accumulators, divisions, what lies outside.
graph::Graph graphOf(DType dtype) {
  graph::Graph graph;
  const auto x = graph.addValue("x", {dtype, {2, 6, 5, 4}});
  graph.inputs.push_back({"x", x});
  std::vector<graph::ValueId> results;
  for (const auto kind : {graph::ReduceKind::Mean, graph::ReduceKind::Max, graph::ReduceKind::Sum}) {
    results.push_back(graph.add(graph::Op::Reduce, {x}, graph::ReduceAttributes{kind, {1, 3}, false}, "reduce"));
  }
  graph::PoolAttributes pool{graph::PoolKind::Max, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, false};
  results.push_back(graph.add(graph::Op::Pool, {x}, pool, "max"));
  results.push_back(graph.add(graph::Op::MatMul, {x, x}, graph::MatMulAttributes{false, true}, "matmul"));
  if (isFloat(dtype)) {
    pool.kind = graph::PoolKind::Average;
    results.push_back(graph.add(graph::Op::Pool, {x}, pool, "average"));
    results.push_back(graph.add(graph::Op::Softmax, {x}, graph::AxisAttributes{1}, "softmax"));
    results.push_back(graph.add(graph::Op::LogSoftmax, {x}, graph::AxisAttributes{3}, "logsoftmax"));
    const auto scale = graph.addConstant("scale", graph::makeFilled({dtype, {4}}, 0.5));
    results.push_back(graph.add(graph::Op::LayerNorm, {x, scale, scale}, graph::LayerNormAttributes{2, 1e-2}, "norm"));
    const auto weight = graph.addConstant("weight", graph::makeFilled({dtype, {3, 6, 2, 2}}, 0.25));
    const auto bias = graph.addConstant("bias", graph::makeFilled({dtype, {3}}, 1));
    const graph::ConvAttributes conv{{1, 1}, {1, 1}, {0, 1, 1, 0}, 1};
    results.push_back(graph.add(graph::Op::Conv, {x, weight, bias}, conv, "conv"));
  }
  const auto big = graph.addConstant("big", graph::makeFilled({dtype, {}}, 2));
  for (graph::ValueId result : results) {
    const auto scaled =
        graph.add(graph::Op::Elementwise, {result, big}, graph::ElementwiseAttributes{ScalarOp::Mul}, "scaled");
    graph.outputs.push_back({absl::StrCat("y", graph.outputs.size()), scaled});
  }
  return graph;
}

TEST(PlanProperty, EveryDTypeMeansTheSame) {
  for (const DType dtype : {DType::I8, DType::I16, DType::I32, DType::I64, DType::U8, DType::U16, DType::U32,
                            DType::U64, DType::F16, DType::BF16, DType::F32, DType::F64}) {
    SCOPED_TRACE(std::string(name(dtype)));
    const graph::Graph graph = graphOf(dtype);
    ASSERT_TRUE(graph::verify(graph).ok()) << graph::verify(graph);
    const absl::StatusOr<Plan> plan = makePlan(graph, targetWithLanes(4));
    ASSERT_TRUE(plan.ok()) << plan.status();
    const std::vector<tensor::HostTensor> inputs = randomInputs(graph, 1);
    const auto expected = runGraph(graph, inputs), got = runPlan(*plan, inputs);
    ASSERT_TRUE(expected.ok() && got.ok()) << expected.status() << got.status();
    const double tolerance = !isFloat(dtype) ? 0 : dtype == DType::BF16 ? 3e-2 : dtype == DType::F16 ? 4e-3 : 1e-5;
    for (size_t i = 0; i < got->size(); ++i) {
      EXPECT_EQ(difference((*expected)[i], (*got)[i], tolerance), "") << "output " << i << "\n" << print(*plan);
    }
  }
}

// The checks themselves: a plan whose buffers all lie at the same place must be noticed.
TEST(PlanProperty, DamagedMemoryPlansAreNoticed) {
  int overlaps = 0, wrong = 0;
  hone::testing::inRounds(40, 400, [&](hone::testing::Random &random) {
    const uint64_t seed = random.next();
    const graph::Graph graph = randomGraph(seed, 20);
    absl::StatusOr<Plan> plan = makePlan(graph, targetWithLanes(8));
    ASSERT_TRUE(plan.ok());
    for (PlanBuffer &buffer : plan->buffers) buffer.offset = 0;
    overlaps += findOverlap(*plan).empty() ? 0 : 1;
    const std::vector<tensor::HostTensor> inputs = randomInputs(graph, seed);
    const auto expected = runGraph(graph, inputs), got = runPlan(*plan, inputs);
    if (!expected.ok() || !got.ok()) return;
    for (size_t i = 0; i < got->size(); ++i) wrong += difference((*expected)[i], (*got)[i]).empty() ? 0 : 1;
  });
  EXPECT_GT(overlaps, 20);
  EXPECT_GT(wrong, 20);
}

TEST(PlanProperty, PlansAreDeterministic) {
  hone::testing::inRounds(20, 400, [](hone::testing::Random &random) {
    const graph::Graph graph = randomGraph(random.next(), 20);
    const auto first = makePlan(graph, targetWithLanes(8)), second = makePlan(graph, targetWithLanes(8));
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(print(*first), print(*second));
  });
}

}  // namespace
}  // namespace hone::plan
