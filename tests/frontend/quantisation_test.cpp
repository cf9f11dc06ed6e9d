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
      .isRefused("does not give int32");
  EvaluatedNode(13, "DequantizeLinear", {floats({2}, {0, 0}), floats({}, {1})}).isRefused("takes integers");
  EvaluatedNode(13, "QLinearMatMul",
                {words({1, 1}, {0}), floats({}, {1}), bytes({}, {0}), bytes({1, 1}, {0}), floats({}, {1}),
                 bytes({}, {0}), floats({}, {1}), bytes({}, {0})})
      .isRefused("operand 0 is int32[1,1]");
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

// ----------------------------------------------------------------------------------------------- from opset 19 on

/// TensorProto.DataType of the newest ONNX.
enum : int { kE4M3FN = 17, kE5M2 = 19, kInt4 = 22, kE2M1 = 23, kE8M0 = 24, kUInt2 = 25 };

/// Operand \p position has the narrow type \p type, in whose container it is fed.
EvaluatedNode &declared(EvaluatedNode &node, int position, int type) {
  node.model.model.mutable_graph()->mutable_input(position)->mutable_type()->mutable_tensor_type()->set_elem_type(type);
  return node;
}

TEST(Quantisation, HasBlocksAlongAnAxis) {
  // Blocks of two, the last of which is cut.
  const Array data = floats({2, 3}, {1, 2, 3, 40, 50, 60}), scales = floats({2, 2}, {1, 2, 10, 20});
  EvaluatedNode(21, "QuantizeLinear", {data, scales, bytes({2, 2}, {0, 5, 1, 2})})
      .with("axis", 1)
      .with("block_size", 2)
      .gives({bytes({2, 3}, {1, 2, 7, 5, 6, 5})});  // 1.5 rounds to 2
  EvaluatedNode(21, "DequantizeLinear", {bytes({3, 2}, {1, 2, 3, 4, 5, 6}), floats({2, 2}, {1, 2, 10, 20})})
      .with("axis", 0)
      .with("block_size", 2)
      .gives({floats({3, 2}, {1, 4, 3, 8, 50, 120})});
  EvaluatedNode(21, "QuantizeLinear", {data, floats({2, 1}, {1, 2})})
      .with("block_size", 2)
      .isRefused("operand 1 has shape [2,1]; with blocks of 2 along axis 1 of [2,3] it is [2,2]");
}

TEST(Quantisation, TakesOneScaleWhateverTheAxis) {
  EvaluatedNode(13, "QuantizeLinear", {floats({2}, {2, 4}), floats({1}, {2}), bytes({1}, {1})})
      .with("axis", 5)
      .gives({bytes({2}, {2, 3})});
  // With one dim the axis says nothing.
  EvaluatedNode(13, "DequantizeLinear", {bytes({2}, {2, 4}), floats({2}, {2, 3})}).gives({floats({2}, {4, 12})});
}

TEST(Quantisation, GivesTheTypeThatIsAskedFor) {
  const Array data = floats({4}, {-40000, -9, 7, 40000}), one = floats({}, {1});
  EvaluatedNode(21, "QuantizeLinear", {data, one})
      .with("output_dtype", 5)
      .gives({{{4}, {-32768, -9, 7, 32767}, DType::I16}});
  EvaluatedNode(21, "QuantizeLinear", {data, one}).with("output_dtype", 4).gives({{{4}, {0, 0, 7, 40000}, DType::U16}});
  EvaluatedNode(21, "QuantizeLinear", {data, one})
      .with("output_dtype", kInt4)
      .gives({signedBytes({4}, {-8, -8, 7, 7})});
  EvaluatedNode(25, "QuantizeLinear", {data, one}).with("output_dtype", kUInt2).gives({bytes({4}, {0, 0, 3, 3})});
  EvaluatedNode(21, "QuantizeLinear", {data, one, bytes({}, {0})})
      .with("output_dtype", 3)
      .isRefused("operand 2 (y_zero_point) is uint8, but attribute 'output_dtype' says int8");
}

TEST(Quantisation, GoesToNarrowTypesAndBack) {
  const Array data = floats({4}, {-3, 1.25, 500, 0.3}), half = floats({}, {0.5});
  EvaluatedNode eighths(19, "QuantizeLinear", {data, half, bytes({}, {0})});
  declared(eighths, 2, kE4M3FN).gives({bytes({4}, {0xcc, 0x42, 0x7e, 0x32})});  // -6, 2.5, 448, 0.625 from 0.6
  declared(eighths.with("saturate", 0), 2, kE4M3FN).gives({bytes({4}, {0xcc, 0x42, 0x7f, 0x32})});
  EvaluatedNode quarters(23, "QuantizeLinear", {data, half});
  quarters.with("output_dtype", kE2M1).gives({bytes({4}, {0xf, 0x4, 0x7, 0x1})});  // -6, 2 from 2.5, 6, 0.5
  EvaluatedNode back(19, "DequantizeLinear", {bytes({3}, {0xcc, 0x42, 0x7e}), half});
  declared(back, 0, kE4M3FN).gives({floats({3}, {-3, 1.25, 224})});
  EvaluatedNode integers(21, "DequantizeLinear", {signedBytes({3}, {-8, 0, 7}), half, signedBytes({}, {1})});
  declared(declared(integers, 0, kInt4), 2, kInt4).gives({floats({3}, {-4.5, -0.5, 3})});
  // A zero point of another type than the data's is a mistake.
  EvaluatedNode mixed(21, "DequantizeLinear", {signedBytes({3}, {-8, 0, 7}), half, signedBytes({}, {1})});
  declared(mixed, 0, kInt4).isRefused("operand 2 (x_zero_point) is int8, but the data int4");
}

TEST(Quantisation, DividesInThePrecisionThatIsAskedFor) {
  const Array data = {{2}, {2054, 2046}, DType::F16}, scale = {{}, {3}, DType::F16};
  // 2054 / 3 is 684.67. float16 has steps of 0.5 there: 684.5, a tie that goes to 684; in float32 it is 685.
  EvaluatedNode(21, "QuantizeLinear", {data, scale}).with("output_dtype", 4).gives({{{2}, {684, 682}, DType::U16}});
  EvaluatedNode(23, "QuantizeLinear", {data, scale})
      .with("output_dtype", 4)
      .with("precision", 1)
      .gives({{{2}, {685, 682}, DType::U16}});
}

TEST(Quantisation, HasShortScales) {
  // 70000 is beyond float16, the product is not, and rounded only then.
  EvaluatedNode(19, "DequantizeLinear", {words({2}, {70000, -3}), {{}, {0.0009765625}, DType::F16}})
      .gives({{{2}, {68.375, -0.0029296875}, DType::F16}});
  EvaluatedNode(23, "DequantizeLinear", {bytes({2}, {3, 255}), {{}, {0.5}, DType::BF16}})
      .with("output_dtype", 1)
      .gives({floats({2}, {1.5, 127.5})});
  EvaluatedNode powers(24, "DequantizeLinear", {bytes({2}, {3, 255}), bytes({}, {0x7d})});
  declared(powers, 1, kE8M0).isRefused("does not give float8e8m0; set the attribute 'output_dtype'");
  EvaluatedNode powersAsked(24, "DequantizeLinear", {bytes({2}, {3, 255}), bytes({}, {0x7d})});
  declared(powersAsked.with("output_dtype", 1), 1, kE8M0).gives({floats({2}, {0.75, 63.75})});
  EvaluatedNode(21, "QLinearMatMul",
                {bytes({1, 1}, {6}),
                 {{}, {0.5}, DType::F16},
                 bytes({}, {0}),
                 bytes({1, 1}, {3}),
                 {{}, {1}, DType::F16},
                 bytes({}, {0}),
                 {{}, {2}, DType::F16},
                 bytes({}, {1})})
      .gives({bytes({1, 1}, {5})});  // 18 * 0.5 / 2 rounds to 4
}

}  // namespace
}  // namespace hone
