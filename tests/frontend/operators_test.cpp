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
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/model_builder.h"

namespace hone {
namespace {

using test::ModelBuilder;
using test::setAttribute;
using Shape = graph::Shape;
using Values = std::vector<double>;

graph::Graph import(const ModelBuilder &model, const frontend::ImportOptions &options = {}) {
  auto graph = frontend::importModel(model.bytes(), options);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  return *std::move(graph);
}

frontend::ImportOptions withShapes(const std::map<std::string, graph::Shape> &shapes) {
  frontend::ImportOptions options;
  options.inputShapes = shapes;
  return options;
}

struct Tensor {
  Shape shape;
  Values values;
};

void expectTensor(const graph::ConstantData &actual, const Tensor &expected) {
  EXPECT_EQ(actual.type.shape, expected.shape);
  ASSERT_EQ(actual.type.elements(), static_cast<int64_t>(expected.values.size()));
  for (size_t i = 0; i < expected.values.size(); ++i) {
    double value = graph::elementAsDouble(actual, static_cast<int64_t>(i));
    EXPECT_NEAR(value, expected.values[i], 1e-5 * (1 + std::fabs(expected.values[i]))) << "element " << i;
  }
}

/// A model with one node whose first operands are float inputs, called a, b, …; further ones are initializers.
class OneNode {
 public:
  OneNode(int64_t opset, const std::string &op, const std::vector<Tensor> &inputs,
          const std::vector<std::string> &furtherOperands = {}, int outputs = 1)
      : model(opset) {
    std::vector<std::string> operands, results;
    for (const Tensor &input : inputs) {
      std::string name(1, static_cast<char>('a' + operands.size()));
      model.input(name, DType::F32, input.shape);
      inputs_[name] = graph::makeConstant({DType::F32, input.shape}, input.values);
      operands.push_back(name);
    }
    operands.insert(operands.end(), furtherOperands.begin(), furtherOperands.end());
    for (int i = 0; i < outputs; ++i) {
      results.push_back(absl::StrCat("y", i));
      model.output(results.back());
    }
    node = &model.node(op, operands, results);
  }

  template <typename T>
  OneNode &with(const std::string &attribute, const T &value) {
    setAttribute(*node, attribute, value);
    return *this;
  }

  void gives(const std::vector<Tensor> &expected) {
    graph::Graph graph = import(model);
    auto outputs = test::evaluateGraph(graph, inputs_);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (size_t i = 0; i < expected.size(); ++i) expectTensor(*outputs->at(absl::StrCat("y", i)), expected[i]);
  }

  ModelBuilder model;
  onnx::NodeProto *node;

 private:
  std::map<std::string, graph::Constant> inputs_;
};

const Tensor kRow = {{1, 4}, {-2, -0.5, 0.5, 7}};
const Tensor kSquare = {{2, 2}, {1, 2, 3, 4}};

// ------------------------------------------------------------------------------------------ broadcasting before 7

TEST(LegacyBroadcast, AxisAlignsTheSecondOperand) {
  Tensor data{{2, 3, 1}, {1, 2, 3, 4, 5, 6}}, perRow{{2}, {10, 20}};
  OneNode(6, "Add", {data, perRow}).with("broadcast", 1).with("axis", 0).gives({{{2, 3, 1}, {11, 12, 13, 24, 25, 26}}});
  Tensor perColumn{{3}, {10, 20, 30}};
  OneNode(1, "Mul", {data, perColumn})
      .with("broadcast", 1)
      .with("axis", 1)
      .gives({{{2, 3, 1}, {10, 40, 90, 40, 100, 180}}});
}

TEST(LegacyBroadcast, WithoutAxisTheLastDimsMatch) {
  OneNode(6, "Sub", {kSquare, {{2}, {1, 2}}}).with("broadcast", 1).gives({{{2, 2}, {0, 0, 2, 2}}});
}

TEST(LegacyBroadcast, IsRefusedWhereTheAttributeIsNotSet) {
  OneNode one(6, "Add", {kSquare, {{2}, {1, 2}}});
  auto graph = frontend::importModel(one.model.bytes(), {});
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.status().message().find("'broadcast'"), std::string::npos) << graph.status();
}

TEST(LegacyBroadcast, PReluHasASlopePerChannel) {
  Tensor data{{1, 2, 2}, {-1, 1, -1, 1}}, slope{{2}, {0.5, 0.25}};
  OneNode(6, "PRelu", {data, slope}).gives({{{1, 2, 2}, {-0.5, 1, -0.25, 1}}});
}

// -------------------------------------------------------------------------------------------------- elementwise

TEST(Clip, TakesItsBoundsFromAttributesBefore11) {
  OneNode(6, "Clip", {kRow}).with("min", 0.0F).with("max", 6.0F).gives({{{1, 4}, {0, 0, 0.5, 6}}});
  OneNode(6, "Clip", {kRow}).with("max", 1.0F).gives({{{1, 4}, {-2, -0.5, 0.5, 1}}});
  OneNode(6, "Clip", {kRow}).gives({kRow});
}

TEST(Clip, TakesItsBoundsFromOperandsFrom11On) {
  OneNode lower(11, "Clip", {kRow}, {"low"});
  lower.model.floats("low", {}, {-1});
  lower.gives({{{1, 4}, {-1, -0.5, 0.5, 7}}});
  OneNode upper(13, "Clip", {kRow}, {"", "high"});
  upper.model.floats("high", {1}, {6});
  upper.gives({{{1, 4}, {-2, -0.5, 0.5, 6}}});
}

TEST(Cast, TakesANameBefore6) {
  OneNode one(1, "Cast", {{{3}, {-1.5, 0, 2.5}}});
  one.with("to", "INT32").gives({{{3}, {-1, 0, 2}}});
  EXPECT_EQ(import(one.model).values.back().type.dtype, DType::I32);
}

TEST(Activations, HaveTheirDefaults) {
  OneNode(6, "LeakyRelu", {kRow}).gives({{{1, 4}, {-0.02, -0.005, 0.5, 7}}});
  OneNode(6, "Elu", {kRow}).gives({{{1, 4}, {std::exp(-2) - 1, std::exp(-0.5) - 1, 0.5, 7}}});
  OneNode(6, "HardSigmoid", {kRow}).gives({{{1, 4}, {0.1, 0.4, 0.6, 1}}});
  OneNode(14, "HardSwish", {{{5}, {-4, -3, 1.5, 3, 5}}}).gives({{{5}, {0, 0, 1.125, 3, 5}}});
  OneNode(1, "Softplus", {{{3}, {-100, 0, 100}}}).gives({{{3}, {0, std::log(2), 100}}});
  OneNode(6, "Sigmoid", {{{3}, {-200, 0, 200}}}).gives({{{3}, {0, 0.5, 1}}});
}

TEST(Variadic, TakesOneOperandOrMany) {
  OneNode(8, "Sum", {kSquare}).gives({kSquare});
  OneNode(8, "Mean", {kSquare, {{2}, {1, 3}}, {{1}, {1}}}).gives({{{2, 2}, {1, 2, 5.0 / 3, 8.0 / 3}}});
  OneNode(8, "Max", {kSquare, {{2, 1}, {2, 3}}}).gives({{{2, 2}, {2, 2, 3, 4}}});
}

// ------------------------------------------------------------------------------------------- products and windows

TEST(Gemm, ScalesAndTransposes) {
  Tensor a{{3, 2}, {1, 2, 3, 4, 5, 6}}, b{{1, 3}, {1, 10, 100}}, c{{1}, {7}};
  // a' (2x3) * b' (3x1): [531, 642]
  OneNode(7, "Gemm", {a, b, c})
      .with("transA", 1)
      .with("transB", 1)
      .with("alpha", 2.0F)
      .with("beta", 0.5F)
      .gives({{{2, 1}, {1065.5, 1287.5}}});
  OneNode(11, "Gemm", {kSquare, kSquare}).gives({{{2, 2}, {7, 10, 15, 22}}});
}

TEST(MatMul, TakesVectors) {
  Tensor vector{{2}, {1, 10}}, batch{{2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}};
  OneNode(9, "MatMul", {vector, vector}).gives({{{}, {101}}});
  OneNode(9, "MatMul", {kSquare, vector}).gives({{{2}, {21, 43}}});
  OneNode(9, "MatMul", {vector, kSquare}).gives({{{2}, {31, 42}}});
  OneNode(9, "MatMul", {vector, batch}).gives({{{2, 2}, {31, 42, 75, 86}}});
  OneNode(9, "MatMul", {batch, vector}).gives({{{2, 2}, {21, 43, 65, 87}}});
}

TEST(Conv, PadsAutomatically) {
  Tensor data{{1, 1, 4}, {1, 2, 3, 4}}, weight{{1, 1, 2}, {1, 10}};
  OneNode(1, "Conv", {data, weight}).with("auto_pad", "SAME_UPPER").gives({{{1, 1, 4}, {21, 32, 43, 4}}});
  OneNode(1, "Conv", {data, weight}).with("auto_pad", "SAME_LOWER").gives({{{1, 1, 4}, {10, 21, 32, 43}}});
  OneNode(11, "Conv", {data, weight}).with("auto_pad", "VALID").gives({{{1, 1, 3}, {21, 32, 43}}});
  // Two windows of three (1 + 2 * dilation) at stride 3 over 4 elements reach over 6: one pad before, one behind.
  OneNode(11, "Conv", {data, weight})
      .with("auto_pad", "SAME_UPPER")
      .with("strides", std::vector<int64_t>{3})
      .with("dilations", std::vector<int64_t>{2})
      .gives({{{1, 1, 2}, {20, 3}}});
}

TEST(Conv, HasGroupsAndABias) {
  Tensor data{{1, 2, 2}, {1, 2, 3, 4}}, weight{{2, 1, 1}, {10, 100}}, bias{{2}, {0.5, 0.25}};
  OneNode(11, "Conv", {data, weight, bias}).with("group", 2).gives({{{1, 2, 2}, {10.5, 20.5, 300.25, 400.25}}});
}

TEST(AveragePool, CountsPaddingButNeverTheOverhang) {
  Tensor data{{1, 1, 4}, {1, 2, 3, 4}};
  auto pool = [&](int64_t countPadding) {
    return OneNode(10, "AveragePool", {data})
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
  Tensor data{{1, 1, 6}, {6, 5, 4, 3, 2, 1}};
  auto pool = [&](int64_t ceilMode) {
    return OneNode(10, "MaxPool", {data})
        .with("kernel_shape", std::vector<int64_t>{3})
        .with("strides", std::vector<int64_t>{2})
        .with("ceil_mode", ceilMode);
  };
  pool(0).gives({{{1, 1, 2}, {6, 4}}});
  pool(1).gives({{{1, 1, 3}, {6, 4, 2}}});
}

// -------------------------------------------------------------------------------------------- rows and reductions

TEST(Softmax, FlattensBefore13) {
  Tensor zeros{{2, 2, 2}, Values(8, 0)};
  OneNode(11, "Softmax", {zeros}).gives({{{2, 2, 2}, Values(8, 0.25)}});
  OneNode(13, "Softmax", {zeros}).gives({{{2, 2, 2}, Values(8, 0.5)}});
  OneNode(11, "LogSoftmax", {zeros}).with("axis", 0).gives({{{2, 2, 2}, Values(8, -std::log(8))}});
}

TEST(BatchNormalization, TakesAParameterPerElementWithoutSpatial) {
  Tensor data{{2, 2}, {1, 2, 3, 4}}, scale{{2}, {2, 1}}, bias{{2}, {0, 1}}, mean{{2}, {1, 0}}, variance{{2}, {4, 1}};
  for (int spatial : {0, 1}) {
    OneNode(7, "BatchNormalization", {data, scale, bias, mean, variance})
        .with("spatial", spatial)
        .with("epsilon", 0.0F)
        .gives({{{2, 2}, {0, 3, 2, 5}}});
  }
}

TEST(Reductions, TakeAxesFromAttributeOrOperand) {
  OneNode(11, "ReduceSum", {kSquare}).with("axes", std::vector<int64_t>{-1}).gives({{{2, 1}, {3, 7}}});
  OneNode operand(13, "ReduceSum", {kSquare}, {"axes"});
  operand.model.integers("axes", {0});
  operand.with("keepdims", 0).gives({{{2}, {4, 6}}});
  OneNode eighteen(18, "ReduceMax", {kSquare}, {"axes"});
  eighteen.model.integers("axes", {1});
  eighteen.gives({{{2, 1}, {2, 4}}});
  OneNode(18, "ReduceL2", {kSquare}).with("noop_with_empty_axes", 1).gives({kSquare});
  OneNode(13, "ReduceLogSumExp", {{{2}, {1000, 1000}}}).with("keepdims", 0).gives({{{}, {1000 + std::log(2)}}});
}

// ----------------------------------------------------------------------------------------------------- movement

TEST(Slice, TakesAttributesBefore10) {
  Tensor data{{2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}};
  OneNode(1, "Slice", {data})
      .with("starts", std::vector<int64_t>{1, -3})
      .with("ends", std::vector<int64_t>{1000, -1})
      .gives({{{1, 2}, {5, 6}}});
  OneNode(1, "Slice", {data})
      .with("axes", std::vector<int64_t>{1})
      .with("starts", std::vector<int64_t>{0})
      .with("ends", std::vector<int64_t>{2})
      .gives({{{2, 2}, {0, 1, 4, 5}}});
}

TEST(Slice, RunsBackwards) {
  OneNode one(10, "Slice", {{{5}, {0, 1, 2, 3, 4}}}, {"starts", "ends", "axes", "steps"});
  one.model.integers("starts", {INT64_MAX});
  one.model.integers("ends", {INT64_MIN});
  one.model.integers("axes", {0});
  one.model.integers("steps", {-2});
  one.gives({{{3}, {4, 2, 0}}});
}

TEST(Split, KnowsAllItsForms) {
  Tensor data{{5}, {0, 1, 2, 3, 4}};
  OneNode(2, "Split", {data}, {}, 2).with("split", std::vector<int64_t>{2, 3}).gives({{{2}, {0, 1}}, {{3}, {2, 3, 4}}});
  OneNode operand(13, "Split", {data}, {"split"}, 2);
  operand.model.integers("split", {4, 1});
  operand.gives({{{4}, {0, 1, 2, 3}}, {{1}, {4}}});
  OneNode(18, "Split", {data}, {}, 2).with("num_outputs", 2).gives({{{3}, {0, 1, 2}}, {{2}, {3, 4}}});
}

TEST(Pad, KnowsAllItsForms) {
  Tensor data{{3}, {1, 2, 3}};
  OneNode(1, "Pad", {data})
      .with("paddings", std::vector<int64_t>{1, 0})
      .with("value", 9.0F)
      .gives({{{4}, {9, 1, 2, 3}}});
  OneNode(2, "Pad", {data})
      .with("pads", std::vector<int64_t>{2, 1})
      .with("mode", "reflect")
      .gives({{{6}, {3, 2, 1, 2, 3, 2}}});
  OneNode(2, "Pad", {data}).with("pads", std::vector<int64_t>{-1, 2}).with("mode", "edge").gives({{{4}, {2, 3, 3, 3}}});
  OneNode eighteen(18, "Pad", {kSquare}, {"pads", "value", "axes"});
  eighteen.model.integers("pads", {1, 0});
  eighteen.model.floats("value", {}, {5});
  eighteen.model.integers("axes", {-1});
  eighteen.gives({{{2, 3}, {5, 1, 2, 5, 3, 4}}});
}

TEST(Reshape, KnowsAllItsForms) {
  Tensor data{{2, 3}, {1, 2, 3, 4, 5, 6}};
  OneNode(1, "Reshape", {data}).with("shape", std::vector<int64_t>{3, -1}).gives({{{3, 2}, data.values}});
  OneNode operand(5, "Reshape", {data}, {"shape"});
  operand.model.integers("shape", {0, 1, -1});
  operand.gives({{{2, 1, 3}, data.values}});
}

TEST(ShapeOperators, MoveFromAttributesToOperands) {
  Tensor data{{1, 3, 1}, {1, 2, 3}};
  OneNode(1, "Squeeze", {data}).gives({{{3}, data.values}});
  OneNode(11, "Squeeze", {data}).with("axes", std::vector<int64_t>{-1}).gives({{{1, 3}, data.values}});
  OneNode squeeze(13, "Squeeze", {data}, {"axes"});
  squeeze.model.integers("axes", {0});
  squeeze.gives({{{3, 1}, data.values}});
  OneNode(1, "Unsqueeze", {data}).with("axes", std::vector<int64_t>{0, 4}).gives({{{1, 1, 3, 1, 1}, data.values}});
  OneNode(9, "Flatten", {data}).with("axis", 0).gives({{{1, 3}, data.values}});
  OneNode(11, "Flatten", {data}).with("axis", -1).gives({{{3, 1}, data.values}});
}

TEST(Tile, RepeatsDims) {
  OneNode one(6, "Tile", {{{1, 2}, {1, 2}}}, {"repeats"});
  one.model.integers("repeats", {2, 2});
  one.gives({{{2, 4}, {1, 2, 1, 2, 1, 2, 1, 2}}});
}

TEST(Dropout, PassesItsOperandOn) {
  OneNode(7, "Dropout", {kRow}, {}, 2).gives({kRow, {{1, 4}, {1, 1, 1, 1}}});
  EXPECT_TRUE(import(OneNode(1, "Dropout", {kRow}).model).nodes.empty());
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
