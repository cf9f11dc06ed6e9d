// Forms of operators by version that ONNX's own test data does not hold (it has the newest version of each): expected
// values are written by hand from the operators' definitions. And what the graph looks like for the important ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/constants.h"
#include "tests/frontend/evaluated_node.h"
#include "tests/frontend/model_builder.h"
#include "tests/frontend/refused_model.h"

namespace hone {
namespace {

using test::Array;
using test::EvaluatedNode;
using test::ModelBuilder;
using test::withShapes;
using Shape = graph::Shape;
using Values = std::vector<double>;

graph::Graph import(const ModelBuilder &model, const frontend::ImportOptions &options = {}) {
  auto graph = frontend::importModel(model.bytes(), options);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  return *std::move(graph);
}

const Array kRow = {{1, 4}, {-2, -0.5, 0.5, 7}};
const Array kSquare = {{2, 2}, {1, 2, 3, 4}};

// ------------------------------------------------------------------------------------------ broadcasting before 7

TEST(LegacyBroadcast, AxisAlignsTheSecondOperand) {
  Array data{{2, 3, 1}, {1, 2, 3, 4, 5, 6}}, perRow{{2}, {10, 20}};
  EvaluatedNode(6, "Add", {data, perRow})
      .with("broadcast", 1)
      .with("axis", 0)
      .gives({{{2, 3, 1}, {11, 12, 13, 24, 25, 26}}});
  Array perColumn{{3}, {10, 20, 30}};
  EvaluatedNode(1, "Mul", {data, perColumn})
      .with("broadcast", 1)
      .with("axis", 1)
      .gives({{{2, 3, 1}, {10, 40, 90, 40, 100, 180}}});
}

TEST(LegacyBroadcast, WithoutAxisTheLastDimsMatch) {
  EvaluatedNode(6, "Sub", {kSquare, {{2}, {1, 2}}}).with("broadcast", 1).gives({{{2, 2}, {0, 0, 2, 2}}});
}

TEST(LegacyBroadcast, IsRefusedWhereTheAttributeIsNotSet) {
  EvaluatedNode one(6, "Add", {kSquare, {{2}, {1, 2}}});
  auto graph = frontend::importModel(one.model.bytes(), {});
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.status().message().find("'broadcast'"), std::string::npos) << graph.status();
}

TEST(LegacyBroadcast, PReluHasASlopePerChannel) {
  Array data{{1, 2, 2}, {-1, 1, -1, 1}}, slope{{2}, {0.5, 0.25}};
  EvaluatedNode(6, "PRelu", {data, slope}).gives({{{1, 2, 2}, {-0.5, 1, -0.25, 1}}});
}

// -------------------------------------------------------------------------------------------------- elementwise

TEST(Clip, TakesItsBoundsFromAttributesBefore11) {
  EvaluatedNode(6, "Clip", {kRow}).with("min", 0.0F).with("max", 6.0F).gives({{{1, 4}, {0, 0, 0.5, 6}}});
  EvaluatedNode(6, "Clip", {kRow}).with("max", 1.0F).gives({{{1, 4}, {-2, -0.5, 0.5, 1}}});
  EvaluatedNode(6, "Clip", {kRow}).gives({kRow});
}

TEST(Clip, TakesItsBoundsFromOperandsFrom11On) {
  EvaluatedNode lower(11, "Clip", {kRow});
  lower.scalar("low", -1);
  lower.gives({{{1, 4}, {-1, -0.5, 0.5, 7}}});
  EvaluatedNode upper(13, "Clip", {kRow});
  upper.operand("").constant("high", std::vector<float>{6});
  upper.gives({{{1, 4}, {-2, -0.5, 0.5, 6}}});
}

TEST(Cast, TakesANameBefore6) {
  EvaluatedNode one(1, "Cast", {{{3}, {-1.5, 0, 2.5}}});
  one.with("to", "INT32").gives({{{3}, {-1, 0, 2}, DType::I32}});
}

TEST(Activations, HaveTheirDefaults) {
  EvaluatedNode(6, "LeakyRelu", {kRow}).gives({{{1, 4}, {-0.02, -0.005, 0.5, 7}}});
  EvaluatedNode(6, "Elu", {kRow}).gives({{{1, 4}, {std::exp(-2) - 1, std::exp(-0.5) - 1, 0.5, 7}}});
  EvaluatedNode(6, "HardSigmoid", {kRow}).gives({{{1, 4}, {0.1, 0.4, 0.6, 1}}});
  EvaluatedNode(14, "HardSwish", {{{5}, {-4, -3, 1.5, 3, 5}}}).gives({{{5}, {0, 0, 1.125, 3, 5}}});
  EvaluatedNode(1, "Softplus", {{{3}, {-100, 0, 100}}}).gives({{{3}, {0, std::log(2), 100}}});
  EvaluatedNode(6, "Sigmoid", {{{3}, {-200, 0, 200}}}).gives({{{3}, {0, 0.5, 1}}});
}

TEST(Variadic, TakesOneOperandOrMany) {
  EvaluatedNode(8, "Sum", {kSquare}).gives({kSquare});
  EvaluatedNode(8, "Mean", {kSquare, {{2}, {1, 3}}, {{1}, {1}}}).gives({{{2, 2}, {1, 2, 5.0 / 3, 8.0 / 3}}});
  EvaluatedNode(8, "Max", {kSquare, {{2, 1}, {2, 3}}}).gives({{{2, 2}, {2, 2, 3, 4}}});
}

// ------------------------------------------------------------------------------------------- products and windows

TEST(Gemm, ScalesAndTransposes) {
  Array a{{3, 2}, {1, 2, 3, 4, 5, 6}}, b{{1, 3}, {1, 10, 100}}, c{{1}, {7}};
  // a' (2x3) * b' (3x1): [531, 642]
  EvaluatedNode(7, "Gemm", {a, b, c})
      .with("transA", 1)
      .with("transB", 1)
      .with("alpha", 2.0F)
      .with("beta", 0.5F)
      .gives({{{2, 1}, {1065.5, 1287.5}}});
  EvaluatedNode(11, "Gemm", {kSquare, kSquare}).gives({{{2, 2}, {7, 10, 15, 22}}});
}

TEST(MatMul, TakesVectors) {
  Array vector{{2}, {1, 10}}, batch{{2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}};
  EvaluatedNode(9, "MatMul", {vector, vector}).gives({{{}, {101}}});
  EvaluatedNode(9, "MatMul", {kSquare, vector}).gives({{{2}, {21, 43}}});
  EvaluatedNode(9, "MatMul", {vector, kSquare}).gives({{{2}, {31, 42}}});
  EvaluatedNode(9, "MatMul", {vector, batch}).gives({{{2, 2}, {31, 42, 75, 86}}});
  EvaluatedNode(9, "MatMul", {batch, vector}).gives({{{2, 2}, {21, 43, 65, 87}}});
}

TEST(Conv, PadsAutomatically) {
  Array data{{1, 1, 4}, {1, 2, 3, 4}}, weight{{1, 1, 2}, {1, 10}};
  EvaluatedNode(1, "Conv", {data, weight}).with("auto_pad", "SAME_UPPER").gives({{{1, 1, 4}, {21, 32, 43, 4}}});
  EvaluatedNode(1, "Conv", {data, weight}).with("auto_pad", "SAME_LOWER").gives({{{1, 1, 4}, {10, 21, 32, 43}}});
  EvaluatedNode(11, "Conv", {data, weight}).with("auto_pad", "VALID").gives({{{1, 1, 3}, {21, 32, 43}}});
  // Two windows of three (1 + 2 * dilation) at stride 3 over 4 elements reach over 6: one pad before, one behind.
  EvaluatedNode(11, "Conv", {data, weight})
      .with("auto_pad", "SAME_UPPER")
      .with("strides", std::vector<int64_t>{3})
      .with("dilations", std::vector<int64_t>{2})
      .gives({{{1, 1, 2}, {20, 3}}});
}

TEST(Conv, HasGroupsAndABias) {
  Array data{{1, 2, 2}, {1, 2, 3, 4}}, weight{{2, 1, 1}, {10, 100}}, bias{{2}, {0.5, 0.25}};
  EvaluatedNode(11, "Conv", {data, weight, bias}).with("group", 2).gives({{{1, 2, 2}, {10.5, 20.5, 300.25, 400.25}}});
}

TEST(AveragePool, CountsPaddingButNeverTheOverhang) {
  Array data{{1, 1, 4}, {1, 2, 3, 4}};
  auto pool = [&](int64_t countPadding) {
    return EvaluatedNode(10, "AveragePool", {data})
        .with("kernel_shape", std::vector<int64_t>{3})
        .with("strides", std::vector<int64_t>{2})
        .with("pads", std::vector<int64_t>{1, 1})
        .with("ceil_mode", 1)
        .with("count_include_pad", countPadding);
  };
  // Windows: [pad 1 2], [2 3 4], [4 pad overhang].
  pool(0).gives({{{1, 1, 3}, {1.5, 3, 4}}});
  pool(1).gives({{{1, 1, 3}, {1, 3, 2}}});
}

TEST(MaxPool, RoundsUpInCeilMode) {
  Array data{{1, 1, 6}, {6, 5, 4, 3, 2, 1}};
  auto pool = [&](int64_t ceilMode) {
    return EvaluatedNode(10, "MaxPool", {data})
        .with("kernel_shape", std::vector<int64_t>{3})
        .with("strides", std::vector<int64_t>{2})
        .with("ceil_mode", ceilMode);
  };
  pool(0).gives({{{1, 1, 2}, {6, 4}}});
  pool(1).gives({{{1, 1, 3}, {6, 4, 2}}});
}

// -------------------------------------------------------------------------------------------- rows and reductions

TEST(Softmax, FlattensBefore13) {
  Array zeros{{2, 2, 2}, Values(8, 0)};
  EvaluatedNode(11, "Softmax", {zeros}).gives({{{2, 2, 2}, Values(8, 0.25)}});
  EvaluatedNode(13, "Softmax", {zeros}).gives({{{2, 2, 2}, Values(8, 0.5)}});
  EvaluatedNode(11, "LogSoftmax", {zeros}).with("axis", 0).gives({{{2, 2, 2}, Values(8, -std::log(8))}});
}

TEST(BatchNormalization, TakesAParameterPerElementWithoutSpatial) {
  Array data{{2, 2}, {1, 2, 3, 4}}, scale{{2}, {2, 1}}, bias{{2}, {0, 1}}, mean{{2}, {1, 0}}, variance{{2}, {4, 1}};
  for (int spatial : {0, 1}) {
    EvaluatedNode(7, "BatchNormalization", {data, scale, bias, mean, variance})
        .with("spatial", spatial)
        .with("epsilon", 0.0F)
        .gives({{{2, 2}, {0, 3, 2, 5}}});
  }
}

TEST(Reductions, TakeAxesFromAttributeOrOperand) {
  EvaluatedNode(11, "ReduceSum", {kSquare}).with("axes", std::vector<int64_t>{-1}).gives({{{2, 1}, {3, 7}}});
  EvaluatedNode operand(13, "ReduceSum", {kSquare});
  operand.constant("axes", std::vector<int64_t>{0});
  operand.with("keepdims", 0).gives({{{2}, {4, 6}}});
  EvaluatedNode eighteen(18, "ReduceMax", {kSquare});
  eighteen.constant("axes", std::vector<int64_t>{1});
  eighteen.gives({{{2, 1}, {2, 4}}});
  EvaluatedNode(18, "ReduceL2", {kSquare}).with("noop_with_empty_axes", 1).gives({kSquare});
  EvaluatedNode(13, "ReduceLogSumExp", {{{2}, {1000, 1000}}}).with("keepdims", 0).gives({{{}, {1000 + std::log(2)}}});
}

// ----------------------------------------------------------------------------------------------------- movement

TEST(Slice, TakesAttributesBefore10) {
  Array data{{2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}};
  EvaluatedNode(1, "Slice", {data})
      .with("starts", std::vector<int64_t>{1, -3})
      .with("ends", std::vector<int64_t>{1000, -1})
      .gives({{{1, 2}, {5, 6}}});
  EvaluatedNode(1, "Slice", {data})
      .with("axes", std::vector<int64_t>{1})
      .with("starts", std::vector<int64_t>{0})
      .with("ends", std::vector<int64_t>{2})
      .gives({{{2, 2}, {0, 1, 4, 5}}});
}

TEST(Slice, RunsBackwards) {
  EvaluatedNode one(10, "Slice", {{{5}, {0, 1, 2, 3, 4}}});
  one.constant("starts", std::vector<int64_t>{INT64_MAX});
  one.constant("ends", std::vector<int64_t>{INT64_MIN});
  one.constant("axes", std::vector<int64_t>{0});
  one.constant("steps", std::vector<int64_t>{-2});
  one.gives({{{3}, {4, 2, 0}}});
}

TEST(Split, KnowsAllItsForms) {
  Array data{{5}, {0, 1, 2, 3, 4}};
  EvaluatedNode(2, "Split", {data}, 2)
      .with("split", std::vector<int64_t>{2, 3})
      .gives({{{2}, {0, 1}}, {{3}, {2, 3, 4}}});
  EvaluatedNode operand(13, "Split", {data}, 2);
  operand.constant("split", std::vector<int64_t>{4, 1});
  operand.gives({{{4}, {0, 1, 2, 3}}, {{1}, {4}}});
  EvaluatedNode(18, "Split", {data}, 2).with("num_outputs", 2).gives({{{3}, {0, 1, 2}}, {{2}, {3, 4}}});
}

TEST(Pad, KnowsAllItsForms) {
  Array data{{3}, {1, 2, 3}};
  EvaluatedNode(1, "Pad", {data})
      .with("paddings", std::vector<int64_t>{1, 0})
      .with("value", 9.0F)
      .gives({{{4}, {9, 1, 2, 3}}});
  EvaluatedNode(2, "Pad", {data})
      .with("pads", std::vector<int64_t>{2, 1})
      .with("mode", "reflect")
      .gives({{{6}, {3, 2, 1, 2, 3, 2}}});
  EvaluatedNode(2, "Pad", {data})
      .with("pads", std::vector<int64_t>{-1, 2})
      .with("mode", "edge")
      .gives({{{4}, {2, 3, 3, 3}}});
  EvaluatedNode eighteen(18, "Pad", {kSquare});
  eighteen.constant("pads", std::vector<int64_t>{1, 0});
  eighteen.scalar("value", 5);
  eighteen.constant("axes", std::vector<int64_t>{-1});
  eighteen.gives({{{2, 3}, {5, 1, 2, 5, 3, 4}}});
}

TEST(Reshape, KnowsAllItsForms) {
  Array data{{2, 3}, {1, 2, 3, 4, 5, 6}};
  EvaluatedNode(1, "Reshape", {data}).with("shape", std::vector<int64_t>{3, -1}).gives({{{3, 2}, data.values}});
  EvaluatedNode operand(5, "Reshape", {data});
  operand.constant("shape", std::vector<int64_t>{0, 1, -1});
  operand.gives({{{2, 1, 3}, data.values}});
}

TEST(ShapeOperators, MoveFromAttributesToOperands) {
  Array data{{1, 3, 1}, {1, 2, 3}};
  EvaluatedNode(1, "Squeeze", {data}).gives({{{3}, data.values}});
  EvaluatedNode(11, "Squeeze", {data}).with("axes", std::vector<int64_t>{-1}).gives({{{1, 3}, data.values}});
  EvaluatedNode squeeze(13, "Squeeze", {data});
  squeeze.constant("axes", std::vector<int64_t>{0});
  squeeze.gives({{{3, 1}, data.values}});
  EvaluatedNode(1, "Unsqueeze", {data})
      .with("axes", std::vector<int64_t>{0, 4})
      .gives({{{1, 1, 3, 1, 1}, data.values}});
  EvaluatedNode(9, "Flatten", {data}).with("axis", 0).gives({{{1, 3}, data.values}});
  EvaluatedNode(11, "Flatten", {data}).with("axis", -1).gives({{{3, 1}, data.values}});
}

TEST(Tile, RepeatsDims) {
  EvaluatedNode one(6, "Tile", {{{1, 2}, {1, 2}}});
  one.constant("repeats", std::vector<int64_t>{2, 2});
  one.gives({{{2, 4}, {1, 2, 1, 2, 1, 2, 1, 2}}});
}

TEST(Dropout, PassesItsOperandOn) {
  EvaluatedNode(7, "Dropout", {kRow}, 2).gives({kRow, {{1, 4}, {1, 1, 1, 1}}});
  EXPECT_TRUE(import(EvaluatedNode(1, "Dropout", {kRow}).model).nodes.empty());
}

// ---------------------------------------------------------------------------------------------------- whole graphs

TEST(Import, FoldsShapeArithmetic) {
  ModelBuilder model(13);
  model.namedInput("x", DType::F32, {"N", "6", "4"});
  model.integers("zero", {0});
  model.integers("rest", {2, -1});
  model.node("Shape", {"x"}, {"shape"});
  test::setAttribute(model.node("Gather", {"shape", "zero"}, {"batch"}), "axis", 0);
  test::setAttribute(model.node("Concat", {"batch", "rest"}, {"target"}), "axis", 0);
  model.node("Reshape", {"x", "target"}, {"y"});
  model.output("y");
  EXPECT_EQ(graph::print(import(model, withShapes({{"x", {5, 6, 4}}}))), R"(graph test
input %0 "x" : f32[5,6,4]
%1 = reshape(%0) : f32[5,2,12]
output "y" = %1
)");
}

TEST(Import, FoldsBatchNormalizationIntoScaleAndShift) {
  ModelBuilder model(9);
  model.input("x", DType::F32, {1, 2, 3, 3});
  model.floats("scale", {2}, {1, 2});
  model.floats("bias", {2}, {0, 1});
  model.floats("mean", {2}, {1, 1});
  model.floats("variance", {2}, {3, 15});
  test::setAttribute(model.node("BatchNormalization", {"x", "scale", "bias", "mean", "variance"}, {"y"}), "epsilon",
                     1.0F);
  model.output("y");
  EXPECT_EQ(graph::print(import(model)), R"(graph test
input %0 "x" : f32[1,2,3,3]
const@#1 : f32[2,1,1] = [0.5, 0.5]
const@#2 : f32[2,1,1] = [-0.5, 0.5]
%1 = mul(%0, const@#1) : f32[1,2,3,3]
%2 = add(%1, const@#2) : f32[1,2,3,3]
output "y" = %2
)");
}

TEST(Import, SortsNodesAndDropsWhatNobodyNeeds) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {2});
  model.node("Neg", {"middle"}, {"y"});
  model.node("NoSuchOperator", {"x"}, {"dead"});
  model.node("Abs", {"x"}, {"middle"});
  model.output("y");
  graph::Graph graph = import(model);
  EXPECT_EQ(graph::print(graph), R"(graph test
input %0 "x" : f32[2]
%1 = abs(%0) : f32[2]
%2 = neg(%1) : f32[2]
output "y" = %2
)");
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(graph.nodes[0].name, "node_middle");
  EXPECT_EQ(graph.values[static_cast<size_t>(graph.nodes[0].output)].name, "middle");
}

TEST(Import, BindsDimsThatShareAName) {
  ModelBuilder model(13);
  model.namedInput("a", DType::F32, {"batch", "4"});
  model.namedInput("b", DType::F32, {"batch", "4"});
  model.node("Add", {"a", "b"}, {"y"});
  model.output("y");
  graph::Graph graph = import(model, withShapes({{"a", {3, 4}}}));
  EXPECT_EQ(graph.values[static_cast<size_t>(graph.outputs[0].value)].type.shape, (Shape{3, 4}));
  // An entry of 0 or less leaves the dimension to the model.
  graph = import(model, withShapes({{"b", {3, -1}}}));
  EXPECT_EQ(graph.values[static_cast<size_t>(graph.outputs[0].value)].type.shape, (Shape{3, 4}));
}

TEST(Import, TakesInitializersThatAreListedAsInputs) {
  ModelBuilder model(6);
  model.input("x", DType::F32, {2});
  model.input("w", DType::F32, {2});
  model.floats("w", {2}, {1, 2});
  model.node("Add", {"x", "w"}, {"y"});
  model.output("y");
  EXPECT_EQ(import(model).inputs.size(), 1U);
}

TEST(Import, ListsWhatItSupports) {
  std::vector<std::string> names = frontend::supportedOperators();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_NE(std::find(names.begin(), names.end(), "Conv"), names.end());
}

}  // namespace
}  // namespace hone
