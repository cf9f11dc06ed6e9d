// What changed between the versions of an operator: defaults, rules, and where a list is kept. Each test has both
// sides of a change, with values written by hand from the operators' definitions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compiler/base/half.h"
#include "tests/frontend/evaluated_node.h"

namespace hone {
namespace {

using test::Array;
using test::EvaluatedNode;
using Shape = std::vector<int64_t>;
using Values = std::vector<double>;

const Array kSquare = {{2, 2}, {1, 2, 3, 4}};

Array bools(const Shape &shape, const Values &values) { return {shape, values, DType::Bool}; }
Array integers(const Shape &shape, const Values &values) { return {shape, values, DType::I64}; }
Array image(const Shape &extents, const Values &values) { return {{1, 1, extents[0], extents[1]}, values}; }

// --------------------------------------------------------------------------------------------------- up to opset 18

TEST(Versions, SeluHasMoreDigitsFrom6On) {
  const double below = std::exp(-1) - 1;
  EvaluatedNode(1, "Selu", {{{2}, {1, -1}}}).gives({{{2}, {1.0507, 1.0507 * 1.6732 * below}}});
  EvaluatedNode(6, "Selu", {{{2}, {1, -1}}}).gives({{{2}, {1.05070102, 1.05070102 * 1.67326319 * below}}});
}

TEST(Versions, BinaryOperatorsAlignAtAnAxisBefore7) {
  const Array perRow = {{2}, {1, 3}};
  const auto aligned = [&](const char *op) {
    EvaluatedNode node(1, op, {kSquare, perRow});
    return node.with("broadcast", 1).with("axis", 0);
  };
  aligned("Div").gives({{{2, 2}, {1, 2, 1, 4.0 / 3}}});
  aligned("Pow").gives({{{2, 2}, {1, 2, 27, 64}}});
  aligned("Equal").gives({bools({2, 2}, {1, 0, 1, 0})});
  aligned("Less").gives({bools({2, 2}, {0, 0, 0, 0})});
  aligned("Greater").gives({bools({2, 2}, {0, 1, 0, 1})});
  const Array truths = bools({2, 2}, {0, 1, 0, 1}), perRowTruth = bools({2}, {0, 1});
  const auto logical = [&](const char *op) {
    EvaluatedNode node(1, op, {truths, perRowTruth});
    return node.with("broadcast", 1).with("axis", 0);
  };
  logical("And").gives({bools({2, 2}, {0, 0, 0, 1})});
  logical("Or").gives({bools({2, 2}, {0, 1, 1, 1})});
  logical("Xor").gives({bools({2, 2}, {0, 1, 1, 0})});
  EvaluatedNode(7, "Div", {kSquare, perRow}).gives({{{2, 2}, {1, 2.0 / 3, 3, 4.0 / 3}}});
}

TEST(Versions, ConcatNamesItsAxisFrom4On) {
  EvaluatedNode(1, "Concat", {kSquare, kSquare}).gives({{{2, 4}, {1, 2, 1, 2, 3, 4, 3, 4}}});
  EvaluatedNode(4, "Concat", {kSquare, kSquare}).isRefused("attribute 'axis' is missing");
}

TEST(Versions, HardmaxComparesOneAxisFrom13On) {
  const Array data = {{2, 2, 2}, {1, 2, 4, 3, 8, 7, 5, 6}};
  EvaluatedNode(11, "Hardmax", {data}).gives({{{2, 2, 2}, {0, 0, 1, 0, 1, 0, 0, 0}}});
  EvaluatedNode(13, "Hardmax", {data}).gives({{{2, 2, 2}, {0, 1, 1, 0, 1, 0, 0, 1}}});
}

TEST(Versions, SoftmaxRunsOverOneAxisFrom13On) {
  const Array zeros = {{2, 2, 2}, Values(8)};
  EvaluatedNode(11, "Softmax", {zeros}).gives({{{2, 2, 2}, Values(8, 0.25)}});
  EvaluatedNode(13, "Softmax", {zeros}).gives({{{2, 2, 2}, Values(8, 0.5)}});
  EvaluatedNode(11, "LogSoftmax", {zeros}).gives({{{2, 2, 2}, Values(8, -std::log(4))}});
  EvaluatedNode(13, "LogSoftmax", {zeros}).gives({{{2, 2, 2}, Values(8, -std::log(2))}});
}

TEST(Versions, DropoutHasAMaskOfBoolsFrom10On) {
  const Array row = {{2}, {3, 4}};
  EvaluatedNode(6, "Dropout", {row}, 2).with("is_test", 1).gives({row, {{2}, {1, 1}}});
  EvaluatedNode(7, "Dropout", {row}, 2).gives({row, {{2}, {1, 1}}});
  EvaluatedNode(10, "Dropout", {row}, 2).gives({row, bools({2}, {1, 1})});
  EvaluatedNode(12, "Dropout", {row}, 2).gives({row, bools({2}, {1, 1})});
}

TEST(Versions, DropoutOfRatio0DropsNothingInTrainingEither) {
  const auto training = [](float ratio) {
    EvaluatedNode node(22, "Dropout", {{{2}, {3, 4}}}, 2);
    node.scalar("ratio", ratio).operand("training");
    onnx::TensorProto &flag = *node.model.model.mutable_graph()->add_initializer();
    flag.set_name("training");
    flag.set_data_type(onnx::TensorProto::BOOL);
    flag.add_int32_data(1);
    return node;
  };
  training(0).gives({{{2}, {3, 4}}, bools({2}, {1, 1})});
  training(0.5F).isRefused("training_mode 1 with a ratio that is not known to be 0");
}

TEST(Versions, TopKCountsByAnAttributeBefore10) {
  const Array row = {{4}, {3, 1, 4, 2}};
  EvaluatedNode(1, "TopK", {row}, 2).with("k", 2).with("axis", 0).gives({{{2}, {4, 3}}, integers({2}, {2, 0})});
  EvaluatedNode ten(10, "TopK", {row}, 2);
  ten.constant("k", Shape{2}).gives({{{2}, {4, 3}}, integers({2}, {2, 0})});
  EvaluatedNode smallest(11, "TopK", {row}, 2);
  smallest.constant("k", Shape{2}).with("largest", 0).gives({{{2}, {1, 2}}, integers({2}, {1, 3})});
}

TEST(Versions, TileRepeatsOneAxisBefore6) {
  EvaluatedNode first(1, "Tile", {kSquare});
  first.constant("tiles", Shape{2}).constant("axis", Shape{1}).gives({{{2, 4}, {1, 2, 1, 2, 3, 4, 3, 4}}});
  EvaluatedNode sixth(6, "Tile", {kSquare});
  sixth.constant("repeats", Shape{1, 2}).gives({{{2, 4}, {1, 2, 1, 2, 3, 4, 3, 4}}});
}

TEST(Versions, ResizeHasItsPointsInPixelsMiddlesFrom11On) {
  const Array row = image({1, 5}, {1, 2, 3, 4, 5}), pair = image({1, 2}, {1, 3});
  EvaluatedNode ten(10, "Resize", {row});
  ten.constant("scales", std::vector<float>{1, 1, 1, 0.6F}).gives({image({1, 3}, {1, 2, 4})});
  EvaluatedNode eleven(11, "Resize", {row});
  eleven.constant("roi", std::vector<float>{}).constant("scales", std::vector<float>{1, 1, 1, 0.6F});
  eleven.gives({image({1, 3}, {1, 3, 5})});
  EvaluatedNode linear(10, "Resize", {pair});
  linear.constant("scales", std::vector<float>{1, 1, 1, 2}).with("mode", "linear").gives({image({1, 4}, {1, 2, 3, 3})});
  EvaluatedNode middles(11, "Resize", {pair});
  middles.constant("roi", std::vector<float>{}).constant("scales", std::vector<float>{1, 1, 1, 2});
  middles.with("mode", "linear").gives({image({1, 4}, {1, 1.5, 2.5, 3})});
}

TEST(Versions, UpsampleKeepsItsScalesInThreePlaces) {
  const Array row = image({1, 2}, {1, 2}), twice = image({2, 4}, {1, 1, 2, 2, 1, 1, 2, 2});
  EvaluatedNode(1, "Upsample", {row}).with("height_scale", 2.0F).with("width_scale", 2.0F).gives({twice});
  EvaluatedNode(7, "Upsample", {row}).with("scales", std::vector<float>{1, 1, 2, 2}).gives({twice});
  EvaluatedNode nine(9, "Upsample", {row});
  nine.constant("scales", std::vector<float>{1, 1, 2, 2}).gives({twice});
  EvaluatedNode(7, "Upsample", {image({1, 2}, {1, 3})})
      .with("scales", std::vector<float>{1, 1, 1, 2})
      .with("mode", "linear")
      .gives({image({1, 4}, {1, 2, 3, 3})});
}

TEST(Versions, RoiAlignTakesHalfAPixelOffFrom16On) {
  Values pixels(16);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<double>(i);
  const std::vector<Array> operands = {image({4, 4}, pixels), {{1, 4}, {0, 0, 2, 2}}, integers({1}, {0})};
  EvaluatedNode(10, "RoiAlign", operands).with("sampling_ratio", 1).gives({image({1, 1}, {5})});
  EvaluatedNode(16, "RoiAlign", operands).with("sampling_ratio", 1).gives({image({1, 1}, {2.5})});
}

TEST(Versions, LpPoolsPowerIsAFloatBefore2) {
  const Array row = {{1, 1, 2}, {3, -4}};
  const Shape kernel = {2};
  EvaluatedNode(1, "LpPool", {row}).with("kernel_shape", kernel).gives({{{1, 1, 1}, {5}}});
  EvaluatedNode(1, "LpPool", {row}).with("kernel_shape", kernel).with("p", 1.0F).gives({{{1, 1, 1}, {7}}});
  EvaluatedNode(2, "LpPool", {row}).with("kernel_shape", kernel).gives({{{1, 1, 1}, {5}}});
  EvaluatedNode(2, "LpPool", {row}).with("kernel_shape", kernel).with("p", 1).gives({{{1, 1, 1}, {7}}});
  EvaluatedNode(1, "GlobalLpPool", {row}).with("p", 1.0F).gives({{{1, 1, 1}, {7}}});
  EvaluatedNode(2, "GlobalLpPool", {row}).gives({{{1, 1, 1}, {5}}});
}

TEST(Versions, AveragePoolLeavesItsPadsOut) {
  const Array row = {{1, 1, 2}, {2, 4}};
  const auto pool = [&](int64_t version) {
    EvaluatedNode node(version, "AveragePool", {row});
    return node.with("kernel_shape", Shape{2}).with("pads", Shape{1, 1});
  };
  pool(1).gives({{{1, 1, 3}, {2, 3, 4}}});
  pool(7).gives({{{1, 1, 3}, {2, 3, 4}}});
  pool(7).with("count_include_pad", 1).gives({{{1, 1, 3}, {1, 3, 2}}});
}

TEST(Versions, PoolsDropAWindowThatBeginsAtTheEnd) {
  const auto pool = [](const char *op, const Array &data, const Shape &pads) {
    EvaluatedNode node(10, op, {data});
    return node.with("kernel_shape", Shape{2}).with("strides", Shape{4}).with("pads", pads).with("ceil_mode", 1);
  };
  for (const char *op : {"MaxPool", "AveragePool"}) {
    // The second window would begin at 4: behind the data, and behind the pad before them with the data.
    pool(op, {{1, 1, 4}, {2, 2, 3, 4}}, {0, 0}).gives({{{1, 1, 1}, {2}}});
    pool(op, {{1, 1, 3}, {1, 2, 3}}, {1, 1}).gives({{{1, 1, 1}, {1}}});
    // One element further it counts.
    pool(op, {{1, 1, 5}, {2, 2, 3, 4, 5}}, {0, 0}).gives({{{1, 1, 2}, {2, 5}}});
  }
}

TEST(Versions, BatchNormalizationHasADefaultForEpsilon) {
  const Array data = {{1, 1, 1}, {3}}, one = {{1}, {1}}, zero = {{1}, {0}};
  for (const int64_t version : {6, 7, 9, 14, 15}) {
    EvaluatedNode(version, "BatchNormalization", {data, one, zero, zero, zero})
        .gives({{{1, 1, 1}, {3 / std::sqrt(1e-5)}}});
  }
  EvaluatedNode(6, "BatchNormalization", {data, one, zero, zero, one})
      .with("is_test", 1)
      .with("epsilon", 0.0F)
      .gives({data});
}

TEST(Versions, ArgMaxTakesTheFirstUnlessAskedFrom12On) {
  const Array row = {{3}, {5, 1, 5}};
  for (const int64_t version : {1, 11, 12, 13}) EvaluatedNode(version, "ArgMax", {row}).gives({integers({1}, {0})});
  EvaluatedNode(12, "ArgMax", {row}).with("select_last_index", 1).gives({integers({1}, {2})});
  EvaluatedNode(12, "ArgMin", {{{3}, {1, 5, 1}}}).with("select_last_index", 1).gives({integers({1}, {2})});
}

TEST(Versions, ReductionsTakeAxesAsAnOperandFrom18On) {
  const struct {
    const char *op;
    Values perRow;
    double all;
  } kReductions[] = {
      {"ReduceL1", {3, 7}, 10},
      {"ReduceL2", {std::sqrt(5), 5}, std::sqrt(30)},
      {"ReduceLogSum", {std::log(3), std::log(7)}, std::log(10)},
      {"ReduceLogSumExp", {2 + std::log1p(std::exp(-1)), 4 + std::log1p(std::exp(-1))}, 4.440189698561196},
      {"ReduceMax", {2, 4}, 4},
      {"ReduceMean", {1.5, 3.5}, 2.5},
      {"ReduceMin", {1, 3}, 1},
      {"ReduceProd", {2, 12}, 24},
      {"ReduceSumSquare", {5, 25}, 30},
  };
  for (const auto &reduction : kReductions) {
    SCOPED_TRACE(reduction.op);
    EvaluatedNode(13, reduction.op, {kSquare}).with("axes", Shape{1}).gives({{{2, 1}, reduction.perRow}});
    EvaluatedNode eighteen(18, reduction.op, {kSquare});
    eighteen.constant("axes", Shape{1}).gives({{{2, 1}, reduction.perRow}});
    EvaluatedNode(18, reduction.op, {kSquare}).gives({{{1, 1}, {reduction.all}}});
  }
  EvaluatedNode(18, "ReduceSum", {kSquare}).with("noop_with_empty_axes", 1).gives({kSquare});
}

TEST(Versions, DepthToSpaceHasASecondOrderFrom11On) {
  const Array data = {{1, 8, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7}};
  EvaluatedNode(1, "DepthToSpace", {data}).with("blocksize", 2).gives({{{1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7}}});
  EvaluatedNode(11, "DepthToSpace", {data}).with("blocksize", 2).gives({{{1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7}}});
  EvaluatedNode(11, "DepthToSpace", {data})
      .with("blocksize", 2)
      .with("mode", "CRD")
      .gives({{{1, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}}});
}

TEST(Versions, SplitHasItsPartsInThreePlaces) {
  const Array row = {{3}, {1, 2, 3}};
  EvaluatedNode first(1, "Split", {row}, 2);
  first.constant("split", Shape{1, 2}).with("axis", 0).gives({{{1}, {1}}, {{2}, {2, 3}}});
  EvaluatedNode(2, "Split", {row}, 2).with("split", Shape{2, 1}).gives({{{2}, {1, 2}}, {{1}, {3}}});
  EvaluatedNode(13, "Split", {row}, 2).isRefused("3 elements do not divide into 2 equal parts");
  EvaluatedNode(18, "Split", {row}, 2).with("num_outputs", 2).gives({{{2}, {1, 2}}, {{1}, {3}}});
}

TEST(Versions, ShapeTakesAPartFrom15On) {
  const Array data = {{2, 3, 1}, Values(6)};
  EvaluatedNode(13, "Shape", {data}).gives({integers({3}, {2, 3, 1})});
  EvaluatedNode(15, "Shape", {data}).gives({integers({3}, {2, 3, 1})});
  EvaluatedNode(15, "Shape", {data}).with("start", -2).with("end", -1).gives({integers({1}, {3})});
}

// ------------------------------------------------------------------------------------------------ from opset 19 on

TEST(Versions, ExtremesOfBoolsFrom20On) {
  const Array data = bools({2, 2}, {1, 0, 1, 1});
  EvaluatedNode most(20, "ReduceMax", {data});
  most.constant("axes", Shape{1}).with("keepdims", 0).gives({bools({2}, {1, 1})});
  EvaluatedNode least(20, "ReduceMin", {data});
  least.constant("axes", Shape{1}).with("keepdims", 0).gives({bools({2}, {0, 1})});
}

TEST(Versions, IsNanAndIsInfTakeShortFloatsFrom20On) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const DType dtype : {DType::F16, DType::BF16, DType::F32, DType::F64}) {
    const Array data = {{4}, {1, -infinity, infinity, std::nan("")}, dtype};
    EvaluatedNode(20, "IsNaN", {data}).gives({bools({4}, {0, 0, 0, 1})});
    EvaluatedNode(20, "IsInf", {data}).gives({bools({4}, {0, 1, 1, 0})});
    EvaluatedNode(20, "IsInf", {data}).with("detect_positive", 0).gives({bools({4}, {0, 1, 0, 0})});
  }
}

TEST(Versions, LpNormalizationOfNothingIs0From22On) {
  const Array data = {{2, 2}, {0, 0, 3, -4}};
  EvaluatedNode(22, "LpNormalization", {data}).gives({{{2, 2}, {0, 0, 0.6, -0.8}}});
  EvaluatedNode(22, "LpNormalization", {data}).with("p", 1).gives({{{2, 2}, {0, 0, 3.0 / 7, -4.0 / 7}}});
  const double nan = std::nan("");
  EvaluatedNode(1, "LpNormalization", {data}).gives({{{2, 2}, {nan, nan, 0.6, -0.8}}});
}

TEST(Versions, CumProdMultipliesAlongAnAxis) {
  const Array data = {{2, 3}, {1, 2, 3, 4, 5, 6}};
  const auto product = [&](int64_t axis, int exclusive, int reverse) {
    EvaluatedNode node(26, "CumProd", {data});
    node.constant("axis", Shape{axis});
    return node.with("exclusive", exclusive).with("reverse", reverse);
  };
  product(1, 0, 0).gives({{{2, 3}, {1, 2, 6, 4, 20, 120}}});
  product(-1, 1, 0).gives({{{2, 3}, {1, 1, 2, 1, 4, 20}}});
  product(1, 0, 1).gives({{{2, 3}, {6, 6, 3, 120, 30, 6}}});
  product(0, 1, 1).gives({{{2, 3}, {4, 5, 6, 1, 1, 1}}});
}

TEST(Versions, RangeOfShortFloatsIsComputedWiderFrom27On) {
  const auto range = [](int64_t version) {
    EvaluatedNode node(version, "Range", {});
    for (const auto &[name, value] : {std::pair<const char *, int>{"start", 2048}, {"limit", 2052}, {"delta", 1}}) {
      onnx::TensorProto &number = *node.model.model.mutable_graph()->add_initializer();
      number.set_name(name);
      number.set_data_type(onnx::TensorProto::FLOAT16);
      number.add_int32_data(doubleToHalf(value));
      node.operand(name);
    }
    return node;
  };
  // float16 has the even numbers here: 2049 and 2051 round to 2048 and 2052.
  range(27).gives({{{4}, {2048, 2048, 2050, 2052}, DType::F16}});
  range(27).with("stash_type", 10).gives({{{4}, {2048, 2048, 2050, 2052}, DType::F16}});
  range(27).with("stash_type", 7).isRefused("attribute 'stash_type' names int64");
}

TEST(Versions, SpaceToDepthHasASecondOrderFrom28On) {
  const Array data = {{1, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}};
  EvaluatedNode(13, "SpaceToDepth", {data}).with("blocksize", 2).gives({{{1, 8, 1, 1}, {0, 4, 1, 5, 2, 6, 3, 7}}});
  EvaluatedNode(28, "SpaceToDepth", {data}).with("blocksize", 2).gives({{{1, 8, 1, 1}, {0, 4, 1, 5, 2, 6, 3, 7}}});
  EvaluatedNode(28, "SpaceToDepth", {data})
      .with("blocksize", 2)
      .with("mode", "CRD")
      .gives({{{1, 8, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7}}});
}

TEST(Versions, BitShiftTakesSignedIntegersFrom28On) {
  const auto shifted = [](const char *direction) {
    return EvaluatedNode(28, "BitShift", {{{5}, {-5, 5, -1, 64, -5}, DType::I8}, {{5}, {1, 1, 8, 1, -1}, DType::I8}})
        .with("direction", direction);
  };
  shifted("RIGHT").gives({{{5}, {-3, 2, -1, 32, -1}, DType::I8}});
  shifted("LEFT").gives({{{5}, {-10, 10, 0, -128, 0}, DType::I8}});
}

TEST(Versions, ModTakesFloorsOfFloatsFrom28On) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Array dividend = {{7}, {-4.5, 4.5, -5, 5, infinity, 3, 6}},
              divisor = {{7}, {2, -2, infinity, infinity, 2, 0, 3}};
  EvaluatedNode(28, "Mod", {dividend, divisor}).gives({{{7}, {1.5, -1.5, infinity, 5, nan, nan, 0}}});
  EvaluatedNode(28, "Mod", {dividend, divisor}).with("fmod", 1).gives({{{7}, {-0.5, 0.5, -5, 5, nan, nan, 0}}});
}

}  // namespace
}  // namespace hone
