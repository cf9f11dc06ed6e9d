// Quantised operators on values where rounding, saturation and zero points show; expected values are written by hand
// from the operators' definitions.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/frontend/evaluated_node.h"

namespace hone {
namespace {

using test::Array;
using test::EvaluatedNode;
using Values = std::vector<double>;

Array floats(const graph::Shape &shape, const Values &values) { return {shape, values, DType::F32}; }
Array bytes(const graph::Shape &shape, const Values &values) { return {shape, values, DType::U8}; }
Array signedBytes(const graph::Shape &shape, const Values &values) { return {shape, values, DType::I8}; }
Array words(const graph::Shape &shape, const Values &values) { return {shape, values, DType::I32}; }

TEST(Quantisation, RefusesWhatDoesNotFit) {
  EvaluatedNode(13, "QuantizeLinear", {floats({2, 3}, Values(6)), floats({2}, {1, 1})})
      .isRefused("neither one element nor one for");
  EvaluatedNode(13, "QuantizeLinear", {floats({2}, {0, 0}), floats({}, {1}), words({}, {0})})
      .isRefused("8- and 16-bit integers");
  EvaluatedNode(13, "DequantizeLinear", {floats({2}, {0, 0}), floats({}, {1})}).isRefused("takes integers");
  EvaluatedNode(13, "QLinearMatMul",
                {words({1, 1}, {0}), floats({}, {1}), bytes({}, {0}), bytes({1, 1}, {0}), floats({}, {1}),
                 bytes({}, {0}), floats({}, {1}), bytes({}, {0})})
      .isRefused("operand 0 is i32[1,1]");
}

TEST(Quantisation, RoundsHalfToEvenAndSaturates) {
  const Array data = floats({8}, {0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 254.4});
  EvaluatedNode(10, "QuantizeLinear", {data, floats({}, {1})}).gives({bytes({8}, {0, 2, 2, 0, 0, 255, 0, 254})});
  // The zero point is added after the rounding: 0.5 + 1 is 1.5, but 0.5 rounds to 0 first.
  EvaluatedNode(13, "QuantizeLinear", {data, floats({}, {1}), bytes({}, {1})})
      .gives({bytes({8}, {1, 3, 3, 1, 0, 255, 0, 255})});
  EvaluatedNode(13, "QuantizeLinear", {data, floats({1}, {2}), signedBytes({1}, {-100})})
      .gives({signedBytes({8}, {-100, -99, -99, -100, -101, 50, -128, 27})});
}

TEST(Quantisation, HasScalesAlongAnAxis) {
  const Array data = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EvaluatedNode(13, "QuantizeLinear", {data, floats({3}, {1, 2, 4}), bytes({3}, {0, 10, 20})})
      .gives({bytes({2, 3}, {1, 11, 21, 4, 12, 22})});  // 5 / 2 and 6 / 4 round to 2
  EvaluatedNode(13, "QuantizeLinear", {data, floats({2}, {1, 2}), bytes({2}, {0, 10})})
      .with("axis", -2)
      .gives({bytes({2, 3}, {1, 2, 3, 12, 12, 13})});
  EvaluatedNode(13, "DequantizeLinear",
                {bytes({2, 3}, {0, 1, 255, 3, 4, 5}), floats({2}, {0.5, 2}), bytes({2}, {1, 3})})
      .with("axis", 0)
      .gives({floats({2, 3}, {-0.5, 0, 127, 0, 2, 4})});
}

TEST(Quantisation, DequantisesEveryInteger) {
  EvaluatedNode(13, "DequantizeLinear", {signedBytes({3}, {-128, 0, 127}), floats({}, {2}), signedBytes({}, {127})})
      .gives({floats({3}, {-510, -254, 0})});
  // The difference does not fit int32.
  EvaluatedNode(13, "DequantizeLinear", {words({2}, {-2147483648.0, 5}), floats({}, {0.25}), words({}, {2147483647})})
      .gives({floats({2}, {-1073741824, -536870912})});
}

TEST(Quantisation, FindsTheScaleOfData) {
  EvaluatedNode(11, "DynamicQuantizeLinear", {floats({4}, {-51, 0, 102, 204})}, 3)
      .gives({bytes({4}, {0, 51, 153, 255}), floats({}, {1}), bytes({}, {51})});
  // The range includes 0, on either side.
  EvaluatedNode(11, "DynamicQuantizeLinear", {floats({2}, {255, 510})}, 3)
      .gives({bytes({2}, {128, 255}), floats({}, {2}), bytes({}, {0})});
  EvaluatedNode(11, "DynamicQuantizeLinear", {floats({2}, {-255, -510})}, 3)
      .gives({bytes({2}, {127, 0}), floats({}, {2}), bytes({}, {255})});
  EvaluatedNode(11, "DynamicQuantizeLinear", {floats({2}, {0, 0})}, 3)
      .gives({bytes({2}, {0, 0}), floats({}, {1}), bytes({}, {0})});
}

TEST(Quantisation, MultipliesIntegersOfBothKinds) {
  const Array rows = bytes({2, 2}, {255, 0, 10, 20}), columns = signedBytes({2, 2}, {-128, 127, 1, -1});
  EvaluatedNode(10, "MatMulInteger", {rows, columns}).gives({words({2, 2}, {-32640, 32385, -1260, 1250})});
  // A zero point per row and one per column: [[245, -10], [-10, 0]] x [[-130, 126], [-1, -2]]
  EvaluatedNode(10, "MatMulInteger", {rows, columns, bytes({2}, {10, 20}), signedBytes({2}, {2, 1})})
      .gives({words({2, 2}, {-31840, 30890, 1300, -1260})});
}

TEST(Quantisation, ConvolvesWithZeroPointsAsPadding) {
  const Array data = bytes({1, 1, 3}, {11, 12, 13}), weight = bytes({2, 1, 2}, {1, 2, 3, 4});
  EvaluatedNode(10, "ConvInteger", {data, weight, bytes({}, {10}), bytes({2}, {0, 3})})
      .with("pads", std::vector<int64_t>{1, 0})
      .gives({words({1, 2, 3}, {2, 5, 8, 1, 2, 3})});
}

TEST(Quantisation, ConvolvesWithAScaleForEachChannel) {
  // Sums 3, 5 and 2, 3; with the bias 4, 6 and -3, -2; scales 0.5 * {1, 4} / 2.
  EvaluatedNode(10, "QLinearConv",
                {bytes({1, 1, 3}, {11, 12, 13}), floats({}, {0.5}), bytes({}, {10}), bytes({2, 1, 2}, {1, 1, 3, 4}),
                 floats({2}, {1, 4}), bytes({2}, {0, 3}), floats({}, {2}), bytes({}, {7}), words({2}, {1, -5})})
      .gives({bytes({1, 2, 2}, {8, 9, 4, 5})});  // 1, 1.5 -> 2, -3, -2
}

TEST(Quantisation, MultipliesQuantisedMatrices) {
  EvaluatedNode(10, "QLinearMatMul",
                {signedBytes({2, 2}, {1, 2, 3, 4}), floats({2}, {1, 2}), signedBytes({2}, {0, 1}),
                 signedBytes({2, 2}, {5, 6, 7, 8}), floats({2}, {0.5, 0.25}), signedBytes({2}, {0, 0}),
                 floats({1}, {4}), signedBytes({1}, {-1})})
      // Sums [[19, 22], [31, 36]]; scales [[1/8, 1/16], [1/4, 1/8]]
      .gives({signedBytes({2, 2}, {1, 0, 7, 3})});  // 2.375, 1.375, 7.75, 4.5 -> 4
}

}  // namespace
}  // namespace hone
