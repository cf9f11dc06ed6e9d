// Plans of small graphs as text. HONE_UPDATE_GOLDEN=1 rewrites the files in golden/: read the difference before
// committing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "compiler/graph/constants.h"
#include "compiler/plan/plan.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Op;
using graph::Shape;
using graph::ValueId;

/// Builds graphs in few words.
class Builder {
 public:
  ValueId input(const std::string &name, Shape shape, DType dtype = DType::F32) {
    const ValueId value = graph.addValue(name, {dtype, std::move(shape)});
    graph.inputs.push_back({name, value});
    return value;
  }
  ValueId constant(const std::string &name, Shape shape) {
    std::vector<double> data;
    const int64_t count = graph::TensorType{DType::F32, shape}.elements();
    for (int64_t i = 0; i < count; ++i) data.push_back(static_cast<double>(i % 7) - 3);
    return graph.addConstant(name, graph::makeConstant({DType::F32, std::move(shape)}, data));
  }
  ValueId scalar(double value) {
    return graph.addConstant("", graph::makeConstant({DType::F32, {}}, std::vector<double>{value}));
  }
  ValueId op(ScalarOp op, std::vector<ValueId> inputs, const std::string &name) {
    return named(graph.add(Op::Elementwise, std::move(inputs), graph::ElementwiseAttributes{op}, name), name);
  }
  ValueId conv(ValueId data, ValueId weight, ValueId bias, int64_t pad, int64_t groups, const std::string &name) {
    graph::ConvAttributes conv{{1, 1}, {1, 1}, {pad, pad, pad, pad}, groups};
    return named(graph.add(Op::Conv, {data, weight, bias}, conv, name), name);
  }
  ValueId matMul(ValueId a, ValueId b, const std::string &name) {
    return named(graph.add(Op::MatMul, {a, b}, graph::MatMulAttributes{}, name), name);
  }
  ValueId reshape(ValueId x, Shape shape, const std::string &name) {
    const DType dtype = graph.values[static_cast<size_t>(x)].type.dtype;
    return named(graph.add(Op::Reshape, {x}, {}, name, graph::TensorType{dtype, std::move(shape)}), name);
  }
  ValueId transpose(ValueId x, std::vector<int64_t> permutation, const std::string &name) {
    return named(graph.add(Op::Transpose, {x}, graph::TransposeAttributes{std::move(permutation)}, name), name);
  }
  void output(ValueId value) { graph.outputs.push_back({absl::StrCat("y", graph.outputs.size()), value}); }
  ValueId named(ValueId value, const std::string &name) {
    graph.values[static_cast<size_t>(value)].name = name;
    return value;
  }

  Graph graph;
};

Plan planOf(const Graph &graph) {
  TargetDescription target;
  target.vectorBytes = 64;
  EXPECT_TRUE(graph::verify(graph).ok()) << graph::verify(graph);
  absl::StatusOr<Plan> plan = makePlan(graph, target);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan{};
}

void expectGolden(const std::string &name, const Graph &graph) {
  const std::string path = absl::StrCat(HONE_GOLDEN_FOLDER, "/", name, ".txt"), text = print(planOf(graph));
  if (std::getenv("HONE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::stringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(expected.str(), text);
}

/// conv -> conv + residual, which is used again -> scale, shift, relu -> conv: blocked values, one kernel per conv.
Graph preActivation(bool residualFirst) {
  Builder b;
  const ValueId x = b.input("x", {1, 3, 6, 6});
  const ValueId stem = b.conv(x, b.constant("w0", {20, 3, 3, 3}), b.constant("b0", {20}), 1, 1, "stem");
  const ValueId inner = b.conv(stem, b.constant("w1", {20, 20, 1, 1}), b.constant("b1", {20}), 0, 1, "inner");
  const ValueId sum =
      residualFirst ? b.op(ScalarOp::Add, {stem, inner}, "sum") : b.op(ScalarOp::Add, {inner, stem}, "sum");
  const ValueId scaled = b.op(ScalarOp::Mul, {sum, b.constant("scale", {1, 20, 1, 1})}, "scaled");
  const ValueId shifted = b.op(ScalarOp::Add, {scaled, b.constant("shift", {20, 1, 1})}, "shifted");
  const ValueId active = b.op(ScalarOp::Max, {shifted, b.scalar(0)}, "active");
  const ValueId last = b.conv(active, b.constant("w2", {20, 20, 3, 3}), b.constant("b2", {20}), 1, 1, "last");
  b.output(b.op(ScalarOp::Add, {last, sum}, "end"));
  return b.graph;
}

TEST(PlanGolden, ConvWithResidualThatIsUsedAgain) { expectGolden("conv_residual", preActivation(false)); }

/// Two states that change places, one of which grows and is collected; the weights are multiplied in front of the loop.
TEST(PlanGolden, LoopOverTwoStates) {
  Builder b;
  const ValueId x = b.input("x", {2, 4}), w = b.input("w", {4, 4}), trips = b.input("trips", {}, DType::I64);
  const auto integer = [&](int64_t n) {
    return b.graph.addConstant("", graph::makeConstant({DType::I64, {}}, std::vector<int64_t>{n}));
  };
  std::vector<ValueId> operands;
  const auto state = [&](ValueId initial, DType dtype, Shape shape, const std::string &name) {
    const graph::LoopAttributes attributes{0, std::ssize(operands)};
    operands.push_back(b.named(
        b.graph.add(Op::LoopState, {initial}, attributes, name, graph::TensorType{dtype, std::move(shape)}), name));
    return operands.back();
  };
  state(b.op(ScalarOp::Less, {integer(0), trips}, "any"), DType::Bool, {}, "goes_on");
  const ValueId i = state(integer(0), DType::I64, {}, "i"), first = state(x, DType::F32, {2, 4}, "first");
  const ValueId second = state(b.scalar(1), DType::F32, {2, 4}, "second");
  const ValueId rows = state(b.scalar(0), DType::F32, {10, 2, 4}, "rows");
  const ValueId product = b.matMul(first, b.matMul(w, w, "weights"), "product");
  const ValueId grown = b.op(ScalarOp::Add, {product, second}, "grown");
  const ValueId following = b.op(ScalarOp::Add, {i, integer(1)}, "following");
  operands.push_back(b.op(ScalarOp::Less, {following, trips}, "is_below"));
  operands.insert(operands.end(), {following, second, grown});
  operands.push_back(b.named(b.graph.add(Op::LoopCollect, {rows, grown, i}, {}, "collected"), "collected"));
  const ValueId end = b.graph.add(Op::LoopEnd, operands, graph::LoopAttributes{0, -1}, "end");
  b.output(b.graph.add(Op::LoopResult, {end, first}, {}, "last"));
  b.output(b.op(ScalarOp::Neg, {b.graph.add(Op::LoopResult, {end, rows}, {}, "all")}, "negated"));
  expectGolden("loop", b.graph);
}

TEST(PlanGolden, DepthwiseBetweenPointwise) {
  Builder b;
  const ValueId x = b.input("x", {1, 3, 5, 5});
  const ValueId wide = b.conv(x, b.constant("w0", {16, 3, 1, 1}), b.constant("b0", {16}), 0, 1, "wide");
  const ValueId low = b.op(ScalarOp::Max, {wide, b.scalar(0)}, "low");
  const ValueId clipped = b.op(ScalarOp::Min, {low, b.scalar(6)}, "clipped");
  const ValueId depthwise =
      b.conv(clipped, b.constant("w1", {16, 1, 3, 3}), b.constant("b1", {16}), 1, 16, "depthwise");
  const ValueId mean =
      b.graph.add(Op::Reduce, {depthwise}, graph::ReduceAttributes{graph::ReduceKind::Mean, {2, 3}, true}, "mean");
  b.output(b.reshape(mean, {1, 16}, "flat"));
  expectGolden("depthwise", b.graph);
}

TEST(PlanGolden, SoftmaxWithScaleAndMask) {
  Builder b;
  const ValueId x = b.input("x", {2, 4, 8, 8}), mask = b.input("mask", {2, 1, 1, 8});
  const ValueId scaled = b.op(ScalarOp::Mul, {x, b.scalar(0.125)}, "scaled");
  const ValueId masked = b.op(ScalarOp::Add, {mask, scaled}, "masked");
  b.output(b.named(b.graph.add(Op::Softmax, {masked}, graph::AxisAttributes{3}, "softmax"), "softmax"));
  expectGolden("softmax_mask", b.graph);
}

TEST(PlanGolden, LayerNormAfterResidual) {
  Builder b;
  const ValueId x = b.input("x", {2, 24}), y = b.input("y", {2, 24});
  const ValueId sum = b.op(ScalarOp::Add, {x, y}, "sum");
  const ValueId norm = b.named(b.graph.add(Op::LayerNorm, {sum, b.constant("scale", {24}), b.constant("shift", {24})},
                                           graph::LayerNormAttributes{1, 1e-5}, "norm"),
                               "norm");
  b.output(b.op(ScalarOp::Tanh, {norm}, "tanh"));
  b.output(sum);
  expectGolden("layer_norm_residual", b.graph);
}

TEST(PlanGolden, Attention) {
  Builder b;
  const ValueId x = b.input("x", {1, 6, 8});
  const auto heads = [&](const std::string &name, std::vector<int64_t> permutation) {
    const ValueId product = b.matMul(x, b.constant(absl::StrCat("w", name), {8, 8}), name);
    const ValueId biased =
        b.op(ScalarOp::Add, {product, b.constant(absl::StrCat("b", name), {8})}, absl::StrCat(name, "_biased"));
    return b.transpose(b.reshape(biased, {1, 6, 2, 4}, absl::StrCat(name, "_split")), std::move(permutation),
                       absl::StrCat(name, "_heads"));
  };
  const ValueId q = heads("q", {0, 2, 1, 3}), k = heads("k", {0, 2, 3, 1}), v = heads("v", {0, 2, 1, 3});
  const ValueId scores = b.op(ScalarOp::Mul, {b.matMul(q, k, "scores"), b.scalar(0.5)}, "scaled");
  const ValueId weights = b.named(b.graph.add(Op::Softmax, {scores}, graph::AxisAttributes{3}, "softmax"), "softmax");
  const ValueId context = b.transpose(b.matMul(weights, v, "context"), {0, 2, 1, 3}, "back");
  const ValueId merged = b.reshape(context, {1, 6, 8}, "merged");
  b.output(b.op(ScalarOp::Add, {b.matMul(merged, b.constant("wo", {8, 8}), "projected"), x}, "end"));
  expectGolden("attention", b.graph);
}

TEST(PlanGolden, EmbeddingSum) {
  Builder b;
  const ValueId words = b.input("words", {1, 5}, DType::I64), types = b.input("types", {1, 5}, DType::I64);
  const ValueId word =
      b.graph.add(Op::Gather, {b.constant("word_table", {11, 4}), words}, graph::AxisAttributes{0}, "word");
  const ValueId type =
      b.graph.add(Op::Gather, {b.constant("type_table", {2, 4}), types}, graph::AxisAttributes{0}, "type");
  b.output(b.op(ScalarOp::Add, {b.op(ScalarOp::Add, {word, type}, "both"), b.constant("positions", {1, 5, 4})}, "sum"));
  expectGolden("embedding", b.graph);
}

// The first mean runs across memory and is cut, the second along it, the third is short.
TEST(PlanGolden, LongMeans) {
  Builder b;
  const ValueId x = b.input("x", {3600, 48});
  for (int64_t axis : {0, 1}) {
    b.output(b.graph.add(Op::Reduce, {x}, graph::ReduceAttributes{graph::ReduceKind::Mean, {axis}, false}, "mean"));
  }
  const ValueId few = b.input("few", {1024, 48});
  b.output(b.graph.add(Op::Reduce, {few}, graph::ReduceAttributes{graph::ReduceKind::Mean, {0}, false}, "mean"));
  expectGolden("long_means", b.graph);
}

TEST(PlanGolden, PortsThatShareAValue) {
  Builder b;
  const ValueId x = b.input("x", {2, 3});
  const ValueId y = b.op(ScalarOp::Neg, {x}, "y");
  b.output(y);
  b.output(b.reshape(y, {6}, "flat"));
  b.output(x);
  b.output(b.constant("c", {2}));
  expectGolden("shared_ports", b.graph);
}

// ------------------------------------------------------------------------------------------------- structure

TEST(Plan, OperandOrderDoesNotHinderFusion) {
  const Plan one = planOf(preActivation(false)), other = planOf(preActivation(true));
  ASSERT_EQ(one.kernels.size(), 3u);
  ASSERT_EQ(other.kernels.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(one.kernels[i].kernel.stages.size(), other.kernels[i].kernel.stages.size());
  }
}

TEST(Plan, EqualLayersGiveEqualKernels) {
  Builder b;
  ValueId x = b.input("x", {1, 16, 6, 6});
  for (int i = 0; i < 4; ++i) {
    x = b.conv(x, b.constant(absl::StrCat("w", i), {16, 16, 3, 3}), b.constant(absl::StrCat("b", i), {16}), 1, 1,
               absl::StrCat("conv", i));
    x = b.op(ScalarOp::Max, {x, b.scalar(0)}, absl::StrCat("relu", i));
  }
  b.output(x);
  const Plan plan = planOf(b.graph);
  ASSERT_EQ(plan.kernels.size(), 4u);
  const auto text = [&](size_t i) { return tensor::print(tensor::canonical(plan.kernels[i].kernel)); };
  EXPECT_EQ(text(1), text(2));
  // The first reads a row-major input, the last writes a row-major output.
  EXPECT_NE(text(0), text(1));
  EXPECT_NE(text(2), text(3));
}

TEST(Plan, ScalarOpsAreComputedBeforeTheViewsInBetween) {
  Builder b;
  const ValueId x = b.input("x", {1, 6, 8});
  const ValueId product = b.matMul(x, b.constant("w", {8, 8}), "product");
  const ValueId heads = b.transpose(b.reshape(product, {1, 6, 2, 4}, "split"), {0, 2, 1, 3}, "heads");
  const ValueId scaled = b.op(ScalarOp::Mul, {b.scalar(0.5), heads}, "scaled");
  b.output(b.matMul(scaled, b.constant("v", {4, 4}), "end"));
  EXPECT_EQ(planOf(b.graph).kernels.size(), 2u);
}

TEST(Plan, ReshapesAreNoKernels) {
  Builder b;
  const ValueId x = b.input("x", {4, 6});
  const ValueId y = b.reshape(b.op(ScalarOp::Neg, {x}, "neg"), {2, 12}, "y");
  b.output(b.reshape(b.matMul(y, b.constant("w", {12, 3}), "product"), {6}, "end"));
  EXPECT_EQ(planOf(b.graph).kernels.size(), 2u);
}

/// The buffer that \p kernel writes.
int written(const PlanKernel &kernel) {
  size_t argument = 0;
  for (const tensor::Buffer &buffer : kernel.kernel.buffers) {
    if (buffer.role == tensor::BufferRole::Output) return kernel.arguments[argument];
    if (buffer.role != tensor::BufferRole::Temporary) ++argument;
  }
  return -1;
}

bool isBlocked(const Plan &plan, int buffer) {
  const PlanBuffer &b = plan.buffers[static_cast<size_t>(buffer)];
  return !b.layout.isRowMajor(b.shape);
}

ValueId pointwiseConv(Builder &b, ValueId x, int64_t outputs, const std::string &name) {
  const int64_t inputs = b.graph.values[static_cast<size_t>(x)].type.shape[1];
  return b.conv(x, b.constant("w" + name, {outputs, inputs, 1, 1}), b.constant("b" + name, {outputs}), 0, 1, name);
}

TEST(Plan, WovenPiecesAreWrittenWhereTheyEndUp) {
  Builder b;
  const ValueId x = b.input("x", {1, 16, 4, 4});
  std::vector<ValueId> parts;
  for (const char *name : {"p0", "p1", "p2", "p3"}) {
    parts.push_back(b.reshape(pointwiseConv(b, x, 24, name), {1, 24, 1, 4, 4}, ""));
  }
  const ValueId stacked = b.graph.add(Op::Concat, parts, graph::AxisAttributes{2}, "stacked");
  const ValueId turned = b.transpose(b.reshape(stacked, {1, 24, 2, 2, 4, 4}, ""), {0, 1, 4, 2, 5, 3}, "");
  b.output(pointwiseConv(b, b.reshape(turned, {1, 24, 8, 8}, "woven"), 16, "end"));
  const Plan plan = planOf(b.graph);
  ASSERT_EQ(plan.kernels.size(), 5u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(written(plan.kernels[i]), written(plan.kernels[0]));
  EXPECT_TRUE(isBlocked(plan, written(plan.kernels[0])));
}

TEST(Plan, ConcatenatedChannelsAreWrittenToTheirPlaces) {
  for (const int64_t first : {32, 24}) {
    Builder b;
    const ValueId x = b.input("x", {1, 16, 4, 4});
    const ValueId a = pointwiseConv(b, x, first, "a"), c = pointwiseConv(b, x, 20, "c");
    const ValueId both = b.graph.add(Op::Concat, {a, c}, graph::AxisAttributes{1}, "both");
    b.output(pointwiseConv(b, both, 16, "end"));
    const Plan plan = planOf(b.graph);
    // Where the second piece does not begin with a block it is copied.
    ASSERT_EQ(plan.kernels.size(), first == 32 ? 3u : 4u);
    EXPECT_TRUE(isBlocked(plan, written(plan.kernels[0])));
    EXPECT_EQ(written(plan.kernels[0]) == written(plan.kernels[1]), first == 32);
  }
}

TEST(Plan, PiecesThatAreReadElsewhereAreCopied) {
  Builder b;
  const ValueId x = b.input("x", {1, 16, 4, 4});
  const ValueId a = pointwiseConv(b, x, 16, "a"), c = pointwiseConv(b, a, 16, "c");
  const ValueId both = b.graph.add(Op::Concat, {a, c}, graph::AxisAttributes{1}, "both");
  b.output(pointwiseConv(b, both, 16, "end"));
  const Plan plan = planOf(b.graph);
  ASSERT_EQ(plan.kernels.size(), 4u);
  EXPECT_EQ(written(plan.kernels[1]), written(plan.kernels[2]));
}

TEST(Plan, RepeatedRowsAreReadFromBlocks) {
  Builder b;
  const ValueId x = b.input("x", {1, 16, 4, 4}), wide = b.input("wide", {1, 16, 8, 8});
  const ValueId small = b.reshape(pointwiseConv(b, x, 32, "small"), {1, 32, 4, 1, 4, 1}, "");
  const ValueId repeated =
      b.graph.add(Op::Broadcast, {small}, {}, "", graph::TensorType{DType::F32, {1, 32, 4, 2, 4, 2}});
  const ValueId upsampled = b.reshape(repeated, {1, 32, 8, 8}, "upsampled");
  const ValueId sum = b.op(ScalarOp::Add, {pointwiseConv(b, wide, 32, "large"), upsampled}, "sum");
  b.output(pointwiseConv(b, sum, 16, "end"));
  const Plan plan = planOf(b.graph);
  ASSERT_EQ(plan.kernels.size(), 3u);
  EXPECT_TRUE(isBlocked(plan, written(plan.kernels[0])));
  EXPECT_TRUE(isBlocked(plan, written(plan.kernels[1])));
}

// Frontends make constants of what would be computed from nothing.
TEST(Plan, ComputesNothingFromTensorsWithoutElements) {
  Builder b;
  const ValueId x = b.input("x", {0, 6});
  b.output(b.op(ScalarOp::Neg, {x}, "neg"));
  const auto plan = makePlan(b.graph, {});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInternal);
}

TEST(Plan, HandsTensorsWithoutElementsOn) {
  Builder b;
  const ValueId x = b.input("x", {0, 6}), y = b.input("y", {2});
  b.output(x);
  b.output(b.op(ScalarOp::Neg, {y}, "neg"));
  const Plan plan = planOf(b.graph);
  ASSERT_EQ(plan.kernels.size(), 1u);
  const PlanBuffer &nothing = plan.buffers[static_cast<size_t>(plan.outputs[0])];
  EXPECT_EQ(nothing.place, Place::Output);
  EXPECT_EQ(nothing.shape, (std::vector<int64_t>{0, 6}));
  EXPECT_EQ(nothing.bytes, 0);
}

}  // namespace
}  // namespace hone::plan
