// Networks of convolutions and pools over one to four dims, in groups of any size: which values have blocked channels,
// and that compiled plans compute what the graph means.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "compiler/graph/constants.h"
#include "compiler/plan/blocks.h"
#include "compiler/plan/plan.h"
#include "compiler/schedule/schedule.h"
#include "tests/plan/plan_runner.h"
#include "tests/support/execute.h"
#include "tests/support/random_schedule.h"
#include "tests/support/rounds.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Op;
using graph::Shape;
using graph::ValueId;

/// Adds nodes to a graph in few words.
class Network {
 public:
  ValueId input(Shape shape) {
    const ValueId value = graph.addValue("x", {DType::F32, std::move(shape)});
    graph.inputs.push_back({"x", value});
    return value;
  }
  ValueId constant(Shape shape) {
    std::vector<double> data(static_cast<size_t>(graph::TensorType{DType::F32, shape}.elements()));
    for (double &value : data) value = static_cast<double>(count_++ % 13) / 8 - 0.75;
    return graph.addConstant("", graph::makeConstant({DType::F32, std::move(shape)}, data));
  }
  /// With the same extent of the kernel in every dim, and half of it as padding.
  ValueId conv(ValueId x, int64_t outputs, int64_t kernel, int64_t stride, int64_t groups) {
    const auto spatial = static_cast<int64_t>(shape(x).size()) - 2;
    Shape weight = {outputs, shape(x)[1] / groups};
    weight.resize(static_cast<size_t>(spatial + 2), kernel);
    const graph::ConvAttributes conv{Shape(spatial, stride), Shape(spatial, 1), Shape(2 * spatial, kernel / 2), groups};
    return graph.add(Op::Conv, {x, constant(weight), constant({outputs})}, conv, "");
  }
  ValueId pool(ValueId x, graph::PoolKind kind) {
    const size_t spatial = shape(x).size() - 2;
    graph::PoolAttributes pool;
    pool.kind = kind;
    pool.kernel = Shape(spatial, 3);
    pool.strides = Shape(spatial, 2);
    pool.dilations = Shape(spatial, 1);
    pool.pads = Shape(2 * spatial, 1);
    return graph.add(Op::Pool, {x}, pool, "");
  }
  ValueId apply(ScalarOp op, std::vector<ValueId> inputs) {
    return graph.add(Op::Elementwise, std::move(inputs), graph::ElementwiseAttributes{op}, "");
  }
  ValueId concatenate(std::vector<ValueId> parts) {
    return graph.add(Op::Concat, std::move(parts), graph::AxisAttributes{1}, "");
  }
  void output(ValueId value) { graph.outputs.push_back({absl::StrCat("y", graph.outputs.size()), value}); }
  const Shape &shape(ValueId value) const { return graph.values[static_cast<size_t>(value)].type.shape; }

  Graph graph;

 private:
  int64_t count_ = 0;
};

Plan planOf(const Graph &graph) {
  TargetDescription target;
  target.vectorBytes = 64;
  EXPECT_TRUE(graph::verify(graph).ok()) << graph::verify(graph);
  absl::StatusOr<Plan> plan = makePlan(graph, target);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan{};
}

/// Of the layouts of what kernels give to each other, the last axis.
std::vector<std::string> layoutsBetween(const Plan &plan) {
  std::vector<std::string> layouts;
  for (const PlanBuffer &buffer : plan.buffers) {
    if (buffer.place == Place::Arena) layouts.push_back(buffer.layout.text());
  }
  return layouts;
}

// ---------------------------------------------------------------------------------------------------- layouts

TEST(WindowLayouts, FewChannelsOnePixelAndOutputsAreRowMajor) {
  for (const Shape &shape : {Shape{1, 3, 8}, Shape{1, 3, 4, 4, 4}}) {
    Network net;
    const ValueId few = net.conv(net.input(shape), 4, 3, 1, 1);
    net.output(net.conv(few, 32, 3, 1, 1));
    const Plan plan = planOf(net.graph);
    ASSERT_EQ(plan.kernels.size(), 2U);
    for (const PlanBuffer &buffer : plan.buffers) {
      EXPECT_TRUE(buffer.place == Place::Parameter || buffer.layout.isRowMajor(buffer.shape)) << buffer.name;
    }
  }
  Network net;
  const ValueId pixel = net.conv(net.input({1, 16, 1, 1, 1}), 32, 1, 1, 1);
  net.output(net.conv(pixel, 32, 1, 1, 1));
  for (const PlanBuffer &buffer : planOf(net.graph).buffers) EXPECT_TRUE(buffer.layout.isRowMajor(buffer.shape));
}

TEST(WindowLayouts, ChannelsAreBlockedInEveryRank) {
  const std::pair<Shape, std::string> cases[] = {{{1, 8, 9}, "[0][1/16][2][1%16]"},
                                                 {{1, 8, 9, 7}, "[0][1/16][2][3][1%16]"},
                                                 {{1, 8, 5, 7, 6}, "[0][1/16][2][3][4][1%16]"},
                                                 {{1, 8, 5, 3, 4, 3}, "[0][1/16][2][3][4][5][1%16]"}};
  for (const auto &[shape, layout] : cases) {
    Network net;
    const ValueId a = net.conv(net.input(shape), 24, 3, 1, 1);
    const ValueId b = net.apply(ScalarOp::Abs, {net.conv(a, 24, 3, 1, 24)});
    const ValueId c = net.pool(net.apply(ScalarOp::Add, {a, b}), graph::PoolKind::Max);
    net.output(net.conv(c, 20, 1, 1, 1));
    const std::vector<std::string> layouts = layoutsBetween(planOf(net.graph));
    EXPECT_EQ(layouts, std::vector<std::string>(3, layout)) << shape.size();
  }
}

TEST(WindowLayouts, FewChannelsAreSmallBlocks) {
  Network net;
  const ValueId a = net.conv(net.input({1, 3, 8, 8}), 8, 3, 1, 1);
  net.output(net.conv(net.conv(a, 8, 3, 1, 8), 32, 1, 1, 1));
  EXPECT_EQ(layoutsBetween(planOf(net.graph)), std::vector<std::string>(2, "[0][1/8][2][3][1%8]"));
}

TEST(WindowLayouts, GroupsThatDivideNoVectorAreRowMajor) {
  Network net;
  const ValueId a = net.conv(net.input({1, 3, 8, 8}), 30, 1, 1, 1);
  const ValueId b = net.conv(net.conv(a, 30, 3, 1, 6), 30, 1, 1, 1);
  net.output(net.conv(b, 8, 1, 1, 1));
  const std::vector<std::string> expected = {"[0][1][2][3]", "[0][1][2][3]", "[0][1/16][2][3][1%16]"};
  EXPECT_EQ(layoutsBetween(planOf(net.graph)), expected);
}

// The network's inputs are rows.
TEST(WindowLayouts, ChannelsThatAreComputedFromRowsOneByOneAreRows) {
  for (const bool isPool : {false, true}) {
    Network net;
    const ValueId x = net.input({1, 32, 8, 8});
    const ValueId a = isPool ? net.pool(x, graph::PoolKind::Max) : net.conv(x, 32, 3, 1, 32);
    const ValueId b = net.conv(a, 32, 1, 1, 1);
    net.output(net.conv(net.conv(b, 32, 3, 1, 32), 8, 1, 1, 1));
    const std::string blocked = "[0][1/16][2][3][1%16]";
    const std::vector<std::string> expected = {"[0][1][2][3]", blocked, blocked};
    EXPECT_EQ(layoutsBetween(planOf(net.graph)), expected) << isPool;
  }
}

TEST(WindowLayouts, GroupsAreBlockedAsTheirNeighbours) {
  for (const int64_t perGroup : {4, 8, 12, 24}) {
    Network net;
    const ValueId a = net.conv(net.input({1, 3, 8, 8}), 4 * perGroup, 1, 1, 1);
    net.output(net.conv(net.conv(a, 4 * perGroup, 3, 1, 4), 8, 1, 1, 1));
    const std::vector<std::string> expected(2, "[0][1/16][2][3][1%16]");
    EXPECT_EQ(layoutsBetween(planOf(net.graph)), expected) << perGroup;
  }
}

TEST(ChooseBlock, TakesTheLeastCost) {
  const auto choose = [](int64_t channels, std::vector<int64_t> runs, int64_t lanes, bool skipsRows = false) {
    std::vector<ChannelUse> uses;
    for (const int64_t run : runs) uses.push_back({run == 0 ? channels : run, skipsRows});
    return chooseBlock(channels, uses, lanes);
  };
  for (const int64_t lanes : {4, 8, 16}) {
    for (int64_t channels = 1; channels <= 4; ++channels) EXPECT_EQ(choose(channels, {0, 0}, lanes), 1);
    for (int64_t channels = 17; channels <= 2048; channels += 13) EXPECT_EQ(choose(channels, {0, 0}, lanes), lanes);
  }
  // Half of a wide block would be empty.
  for (int64_t channels = 5; channels <= 8; ++channels) {
    EXPECT_EQ(choose(channels, {0, 0}, 16), 8);
    EXPECT_EQ(choose(channels, {0, 0}, 8), 8);
    EXPECT_EQ(choose(channels, {0, 0}, 4), 4);
  }
  // Groups of 4, 8, 12, … make short vectors within blocks, others hardly any.
  for (const int64_t run : {4, 8, 12, 24, 40}) EXPECT_EQ(choose(8 * run, {0, run}, 16), 16) << run;
  for (const int64_t run : {1, 2, 5, 6, 7, 9, 10}) EXPECT_EQ(choose(16 * run, {0, run}, 16), 1) << run;
  // Unless vectors along rows would be gathered, or most kernels know of no groups.
  EXPECT_EQ(choose(96, {0, 6}, 16, true), 16);
  EXPECT_EQ(choose(96, {0, 0, 0, 6}, 16), 16);
}

// A vector of channels that begins within a block reaches over two of them.
TEST(WindowLayouts, PiecesOfAnyRankBeginWithABlock) {
  for (const int64_t first : {32, 24}) {
    Network net;
    const ValueId x = net.input({1, 16, 4, 4, 4});
    const ValueId both = net.concatenate({net.conv(x, first, 1, 1, 1), net.conv(x, 20, 1, 1, 1)});
    net.output(net.conv(both, 16, 1, 1, 1));
    EXPECT_EQ(planOf(net.graph).kernels.size(), first == 32 ? 3U : 4U);
  }
}

// Tokens in front of the patches of an image, or of frames, have no blocks, and patches are written behind them.
class RowsOfTokens : public ::testing::TestWithParam<Shape> {};

TEST_P(RowsOfTokens, BeginAnywhere) {
  Network net;
  const ValueId patches = net.conv(net.input(GetParam()), 16, 1, 1, 1);
  const ValueId flat = net.graph.add(Op::Reshape, {patches}, {}, "", graph::TensorType{DType::F32, {1, 16, 16}});
  const ValueId rows = net.graph.add(Op::Transpose, {flat}, graph::TransposeAttributes{{0, 2, 1}}, "");
  const ValueId all = net.concatenate({net.constant({1, 1, 16}), rows});
  net.output(net.graph.add(Op::MatMul, {all, net.constant({16, 8})}, graph::MatMulAttributes{}, ""));
  const Plan plan = planOf(net.graph);
  ASSERT_EQ(plan.kernels.size(), 3U);
  // The convolution and the token are written to one buffer.
  const auto written = [&](size_t kernel) { return plan.kernels[kernel].arguments.back(); };
  EXPECT_EQ(written(0), written(1));
}

INSTANTIATE_TEST_SUITE_P(WindowLayouts, RowsOfTokens, ::testing::Values(Shape{1, 3, 4, 4}, Shape{1, 3, 16}));

// The same of a detector's scores: rows of pixels of several images, joined, have no blocks of channels, so that what
// comes from them may be joined anywhere.
TEST(WindowLayouts, FlattenedImagesAreRowMajor) {
  Network net;
  const ValueId x = net.input({1, 16, 4, 4});
  const auto flat = [&](int64_t channels) {
    const ValueId image = net.conv(x, channels, 1, 1, 1);
    return net.graph.add(Op::Reshape, {image}, {}, "", graph::TensorType{DType::F32, {1, channels, 16}});
  };
  const auto join = [&](ValueId a, ValueId b) {
    return net.graph.add(Op::Concat, {a, b}, graph::AxisAttributes{2}, "");
  };
  const ValueId boxes = net.apply(ScalarOp::Abs, {join(flat(4), flat(4))});
  const ValueId scores = net.apply(ScalarOp::Abs, {join(flat(20), flat(20))});
  net.output(net.concatenate({boxes, scores}));
  const Plan plan = planOf(net.graph);
  EXPECT_EQ(plan.kernels.size(), 6U);
  for (const std::string &layout : layoutsBetween(plan)) EXPECT_EQ(layout, "[0][1][2]");
}

// --------------------------------------------------------------------------------------------------- execution

/// A chain with residuals and concatenations; spatial extents are small, and channels seldom fill whole vectors.
Graph randomWindows(hone::testing::Random &random) {
  Network net;
  const int64_t spatial = random.between(1, 3);
  Shape shape = {random.between(1, 2), random.between(1, 20)};
  for (int64_t i = 0; i < spatial; ++i) shape.push_back(random.between(1, spatial == 1 ? 40 : spatial == 2 ? 9 : 5));
  ValueId x = net.input(shape);
  for (int64_t node = random.between(2, 5); node > 0; --node) {
    const int64_t channels = net.shape(x)[1];
    int64_t groups = 1;
    if (random.chance(70)) {
      const int64_t perGroup = random.between(1, 24);
      groups = channels % perGroup == 0 ? channels / perGroup : channels;
    }
    const int64_t most = groups == 1 ? 50 : std::max<int64_t>(1, 60 / groups);
    const int64_t outputs = groups * (random.chance(40) ? channels / groups : random.between(1, most));
    const ValueId y = net.conv(x, outputs, random.chance(60) ? 3 : 1, random.between(1, 2), groups);
    if (random.chance(20)) {
      x = net.pool(y, random.chance(50) ? graph::PoolKind::Max : graph::PoolKind::Average);
    } else if (net.shape(y) == net.shape(x)) {
      x = random.chance(60) ? net.apply(ScalarOp::Add, {x, y}) : net.concatenate({x, y});
    } else {
      x = random.chance(50) ? net.apply(ScalarOp::Abs, {y}) : y;
    }
    if (random.chance(10)) net.output(x);
  }
  net.output(x);
  return std::move(net.graph);
}

tensor::HostTensor randomTensor(const graph::TensorType &type, hone::testing::Random &random) {
  tensor::HostTensor tensor = tensor::HostTensor::zeros(type.dtype, type.shape);
  for (int64_t i = 0; i < tensor.elements(); ++i) tensor.setReal(i, random.real(-1, 1));
  return tensor;
}

double largestDifference(const tensor::HostTensor &expected, const tensor::HostTensor &got) {
  double magnitude = 1e-3, difference = 0;
  for (int64_t i = 0; i < expected.elements(); ++i) {
    magnitude = std::max(magnitude, std::abs(expected.real(i)));
    difference = std::max(difference, std::abs(expected.real(i) - got.real(i)));
  }
  return difference / magnitude;
}

void expectRight(const char *targetText, int64_t sampled) {
  absl::StatusOr<TargetDescription> target = codegen::parseTarget(targetText);
  ASSERT_TRUE(target.ok()) << target.status();
  if (!hone::testing::canRun(*target)) GTEST_SKIP() << "this machine cannot run " << targetText;
  hone::testing::inRounds(sampled, 20 * sampled, [&](hone::testing::Random &random) {
    const Graph graph = randomWindows(random);
    const absl::StatusOr<Plan> plan = makePlan(graph, *target);
    ASSERT_TRUE(plan.ok()) << plan.status() << "\n" << graph::print(graph);
    const std::vector<tensor::HostTensor> inputs = {
        randomTensor(graph.values[static_cast<size_t>(graph.inputs[0].value)].type, random)};
    const uint64_t seed = random.next();
    const bool isDefault = random.chance(70);
    const auto run = [&](const tensor::Kernel &kernel, const std::vector<tensor::HostTensor> &arguments) {
      const schedule::Schedule schedule =
          isDefault ? estimate::leastSchedule(kernel, *target) : hone::testing::randomSchedule(kernel, *target, seed);
      return hone::testing::execute(kernel, schedule, *target, arguments, random.between(1, 3));
    };
    const auto expected = runGraph(graph, inputs), got = runPlan(*plan, inputs, run);
    ASSERT_TRUE(expected.ok()) << expected.status();
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(expected->size(), got->size());
    for (size_t i = 0; i < expected->size(); ++i) {
      EXPECT_LE(largestDifference((*expected)[i], (*got)[i]), 1e-5) << graph::print(graph) << print(*plan);
    }
    if (::testing::Test::HasFailure()) FAIL();  // one round says enough
  });
}

TEST(CompiledWindows, ComputeWhatTheGraphMeans) { expectRight("llvm", 25); }
TEST(CompiledWindows, ComputeWhatTheGraphMeansWithShorterVectors) { expectRight("llvm -mcpu=haswell", 6); }
TEST(CompiledWindows, ComputeWhatTheGraphMeansWithTheShortestVectors) { expectRight("llvm -mcpu=x86-64", 6); }

}  // namespace
}  // namespace hone::plan
