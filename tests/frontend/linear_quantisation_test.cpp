// ONNX Runtime's quantised operators; expected values are written by hand from real = (integer - zero) * scale.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/frontend/evaluated_node.h"

namespace hone {
namespace {

using test::Array;
using test::EvaluatedNode;
using test::omitted;
using Values = std::vector<double>;

Array floats(const graph::Shape &shape, const Values &values) { return {shape, values, DType::F32}; }
Array scale(double value) { return {{}, {value}, DType::F32}; }
Array bytes(const graph::Shape &shape, const Values &values) { return {shape, values, DType::U8}; }
Array byte(double value) { return {{}, {value}, DType::U8}; }
Array signedBytes(const graph::Shape &shape, const Values &values) { return {shape, values, DType::I8}; }
Array signedByte(double value) { return {{}, {value}, DType::I8}; }
Array words(const graph::Shape &shape, const Values &values) { return {shape, values, DType::I32}; }

EvaluatedNode microsoft(const std::string &op, const std::vector<Array> &operands) {
  EvaluatedNode node(13, op, operands);
  node.ofDomain("com.microsoft", 1);
  return node;
}

TEST(LinearQuantisation, RefusesWhatDoesNotFit) {
  const Array data = bytes({2}, {1, 2});
  microsoft("QLinearAdd", {data, scale(1), byte(0), data, floats({2}, {1, 2}), byte(0), scale(1), byte(0)})
      .isRefused("operand 4 has shape [2]; a scale or zero point of one element");
  microsoft("QLinearAdd", {data, scale(1), byte(0), data, scale(1), byte(0)}).isRefused("operand 6 is missing");
  microsoft("QLinearSigmoid", {words({2}, {1, 2}), scale(1), byte(0), scale(1), byte(0)})
      .isRefused("operand 0 is int32[2]");
  microsoft("QLinearGlobalAveragePool", {data, scale(1), byte(0), scale(1), byte(0)}).isRefused("3 dims or more");
  microsoft("QLinearConcat", {scale(1), byte(0), data, scale(1)}).with("axis", 0).isRefused("three for each part");
  microsoft("QGemm", {data, scale(1), byte(0), data, scale(1), byte(0)}).isRefused("takes matrices");
  const Array matrix = bytes({2, 2}, {1, 2, 3, 4});
  microsoft("QGemm", {matrix, scale(1), byte(0), matrix, scale(1), byte(0), words({3}, {1, 2, 3})})
      .isRefused("operand 6 (C) of shape [3]");
  microsoft("DynamicQuantizeLSTM", {floats({1, 1, 1}, {1}), bytes({1, 1, 4}, Values(4)), bytes({1, 1, 4}, Values(4))})
      .isRefused("operand 8 is missing");
}

TEST(LinearQuantisation, Adds) {
  // 0, 5, 122.5, -5 and 0, 1, 2, 3
  microsoft("QLinearAdd", {bytes({4}, {10, 20, 255, 0}), scale(0.5), byte(10), bytes({4}, {4, 5, 6, 7}), scale(1),
                           byte(4), scale(0.5), byte(3)})
      .gives({bytes({4}, {3, 15, 252, 0})});
  // The zero point is rounded, too: 0.5 + 1 and 1.5 + 1 are both 2.
  microsoft("QLinearAdd",
            {bytes({2}, {1, 3}), scale(0.5), omitted(), bytes({1}, {0}), scale(1), omitted(), scale(1), byte(1)})
      .gives({bytes({2}, {2, 2})});
}

TEST(LinearQuantisation, Multiplies) {
  microsoft("QLinearMul", {signedBytes({2}, {2, -3}), scale(0.5), signedByte(0), signedBytes({2}, {5, 7}), scale(0.5),
                           signedByte(1), scale(0.5), signedByte(-10)})
      .gives({signedBytes({2}, {-6, -19})});
}

TEST(LinearQuantisation, PoolsInEitherLayout) {
  microsoft("QLinearGlobalAveragePool", {bytes({1, 2, 1, 2}, {1, 2, 10, 20}), scale(2), byte(0), scale(1), byte(5)})
      .gives({bytes({1, 2, 1, 1}, {8, 35})});
  microsoft("QLinearGlobalAveragePool", {bytes({1, 1, 2, 2}, {1, 10, 2, 20}), scale(2), byte(0), scale(1), byte(5)})
      .with("channels_last", 1)
      .gives({bytes({1, 1, 1, 2}, {8, 35})});
  // Averages 0.5 and 2.5; with the zero point 1.5 and 3.5.
  microsoft("QLinearAveragePool", {bytes({1, 1, 3}, {0, 1, 4}), scale(0.5), byte(0), scale(0.5), byte(1)})
      .with("kernel_shape", std::vector<int64_t>{2})
      .gives({bytes({1, 1, 2}, {2, 4})});
  microsoft("QLinearAveragePool", {bytes({1, 2, 2}, {0, 10, 2, 30}), scale(1), byte(0), scale(1), byte(0)})
      .with("kernel_shape", std::vector<int64_t>{2})
      .with("channels_last", 1)
      .gives({bytes({1, 1, 2}, {1, 20})});
  microsoft("QLinearReduceMean", {bytes({2, 2}, {1, 3, 5, 9}), scale(1), byte(1), scale(2), byte(0)})
      .with("axes", std::vector<int64_t>{1})
      .with("keepdims", 0)
      .gives({bytes({2}, {0, 3})});  // 1 / 2 rounds to 0
}

TEST(LinearQuantisation, ConvolvesInEitherLayout) {
  // One tap per channel: 1 * (data - 1).
  const std::vector<Array> further = {
      scale(1), byte(1), signedBytes({2, 2, 1}, {1, 0, 0, 1}), scale(0.5), signedByte(0), scale(1), byte(10)};
  std::vector<Array> operands = {bytes({1, 2, 2}, {1, 3, 5, 9})};
  operands.insert(operands.end(), further.begin(), further.end());
  microsoft("QLinearConv", operands).gives({bytes({1, 2, 2}, {10, 11, 12, 14})});
  microsoft("QLinearConv", operands).with("channels_last", 1).gives({bytes({1, 2, 2}, {10, 11, 12, 14})});
}

TEST(LinearQuantisation, ActsOnWhatIntegersStandFor) {
  microsoft("QLinearLeakyRelu", {signedBytes({2}, {-10, 10}), scale(1), omitted(), scale(0.5), signedByte(1)})
      .with("alpha", 0.25F)
      .gives({signedBytes({2}, {-4, 21})});
  microsoft("QLinearSigmoid", {signedBytes({2}, {0, 127}), scale(1), signedByte(0), scale(1.0 / 256), signedByte(-128)})
      .gives({signedBytes({2}, {0, 127})});
  // 1 / 0.028 is 35.7, of which whole steps count.
  microsoft("QLinearSoftmax", {bytes({1, 1}, {7}), scale(0.1), byte(0), scale(0.028), byte(0)})
      .with("opset", 13)
      .gives({bytes({1, 1}, {35})});
  // Up to version 12 all dims from the axis on, 1, are one: four elements share 1.
  microsoft("QLinearSoftmax", {bytes({1, 2, 2}, {7, 7, 7, 7}), scale(0.1), byte(0), scale(1.0 / 256), byte(3)})
      .with("opset", 12)
      .gives({bytes({1, 2, 2}, {67, 67, 67, 67})});
}

TEST(LinearQuantisation, BringsPartsToOneScale) {
  microsoft("QLinearConcat",
            {scale(1), byte(2), bytes({2}, {4, 6}), scale(0.5), byte(2), bytes({1}, {10}), scale(2), byte(9)})
      .with("axis", 0)
      .gives({bytes({3}, {3, 4, 4})});
  microsoft("QLinearWhere", {Array({2}, {1, 0}, DType::Bool), bytes({2}, {10, 10}), scale(1), byte(0),
                             bytes({2}, {3, 3}), scale(2), byte(1), scale(0.5), byte(0)})
      .gives({bytes({2}, {20, 8})});
}

TEST(LinearQuantisation, MultipliesMatrices) {
  // [2, 3] times columns [1, 2] and [2, 3]: 8 and 13, with C 10 and 10; scales 0.5 and 1.
  std::vector<Array> operands = {bytes({1, 2}, {3, 4}),       scale(0.5),          byte(1),
                                 bytes({2, 2}, {1, 2, 3, 4}), floats({2}, {1, 2}), bytes({2}, {0, 1}),
                                 words({2}, {2, -3})};
  microsoft("QGemm", operands).with("transB", 1).gives({floats({1, 2}, {5, 10})});
  operands.push_back(scale(0.5));
  operands.push_back(byte(5));
  microsoft("QGemm", operands).with("transB", 1).gives({bytes({1, 2}, {15, 25})});
  microsoft("QGemm", operands).with("transB", 1).with("alpha", 2.F).gives({bytes({1, 2}, {25, 45})});
  // [1, -1] times [-2, 1] and [3, 0]
  microsoft("MatMulIntegerToFloat", {bytes({1, 2}, {3, 1}), signedBytes({2, 2}, {-2, 3, 1, 0}), scale(2),
                                     floats({2}, {0.5, 1}), byte(2), signedBytes({2}, {0, 0}), floats({2}, {1, 2})})
      .gives({floats({1, 2}, {-2, 8})});
  microsoft("DynamicQuantizeMatMul",
            {floats({1, 2}, {0, 255}), bytes({2, 1}, {1, 3}), scale(2), omitted(), floats({1}, {1})})
      .gives({floats({1, 1}, {1531})});
}

// The state, 255 and 0.6, has the scale 1: what meets the weights is 255 and 1.
TEST(LinearQuantisation, RoundsTheStateOfAnLstm) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const double cell = sigmoid(0.5) * std::tanh(0.5), state = sigmoid(0.5) * std::tanh(cell);
  Values weights(16, 0);
  std::fill(weights.begin() + 8, weights.end(), 7);
  std::fill(weights.begin(), weights.begin() + 8, 5);  // the zero point
  const Array single = floats({1}, {0.25}), zero = bytes({1}, {5});
  microsoft("DynamicQuantizeLSTM",
            {floats({1, 1, 1}, {0}), bytes({1, 1, 8}, Values(8, 5)), bytes({1, 2, 8}, weights), omitted(), omitted(),
             floats({1, 1, 2}, {255, 0.6}), floats({1, 1, 2}, {0, 0}), omitted(), single, zero, single, zero})
      .gives({floats({1, 1, 1, 2}, {state, state})});
}

// Both the data and the state are 3, 7 and 255 times their scale, and each column of the weights is 7, -3 and 0 times a
// large one: the sums are 0, and what scales leave of them if they come first would not be small.
TEST(LinearQuantisation, SumsTheIntegersOfAnLstm) {
  Values column(12, 12);
  column.insert(column.end(), 12, 2);
  column.insert(column.end(), 12, 5);
  const Array weights = bytes({1, 3, 12}, column), nothing = bytes({1, 3, 12}, Values(36, 5));
  const Array large = floats({1}, {1e9 / 7}), zero = bytes({1}, {5});
  const auto lstm = [&](const Array &data, const Array &ofData, const Array &state, const Array &ofState) {
    microsoft("DynamicQuantizeLSTM", {data, ofData, ofState, omitted(), omitted(), state, floats({1, 1, 3}, {0, 0, 0}),
                                      omitted(), large, zero, large, zero})
        .gives({floats({1, 1, 1, 3}, {0, 0, 0})});
  };
  const Array values = floats({1, 1, 3}, {0.3, 0.7, 25.5}), zeros = floats({1, 1, 3}, {0, 0, 0});
  lstm(values, weights, zeros, nothing);
  lstm(zeros, nothing, values, weights);
}

}  // namespace
}  // namespace hone
