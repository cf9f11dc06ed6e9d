// Element types that a graph holds in wider integers: every code of every float both ways, packed tensors, what moves
// them, and what refuses them. Expected values come from the formats' definitions, by search among all codes.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/frontend/compiled_node.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using test::setAttribute;
using Values = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

// TensorProto.DataType of the newest ONNX.
enum : int { kE4M3FN = 17, kE4M3FNUZ, kE5M2, kE5M2FNUZ, kUInt4, kInt4, kE2M1, kE8M0, kUInt2, kInt2, kE2M3, kE3M2 };

enum class Special { None, LastIsNan, InfinityAndNan, MinusZeroIsNan };

struct Format {
  const char *name;
  int type, bits, mantissaBits, bias;
  Special special;
  int largest;  ///< the code of the largest finite number

  int sign() const { return 1 << (bits - 1); }
  /// 2^(e - bias) * 1.m, or with e = 0 as many times the smallest number as m says.
  double magnitude(int code) const {
    const int e = code >> mantissaBits, m = code % (1 << mantissaBits);
    const double fraction = std::ldexp(m, -mantissaBits);
    return e == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, e - bias);
  }
  double value(int pattern) const {
    const int code = pattern % sign();
    const bool isNegative = pattern >= sign();
    if (special == Special::MinusZeroIsNan && pattern == sign()) return kNan;
    double result = magnitude(code);
    if (code > largest) result = special == Special::InfinityAndNan && code == largest + 1 ? kInfinity : kNan;
    return isNegative ? -result : result;
  }
  /// The nearest number, of two the one with the even code; what is nearer to the number that would follow the largest
  /// is too large.
  int code(double x, bool saturates) const {
    const int minus = std::signbit(x) ? sign() : 0;
    if (std::isnan(x)) {
      if (special == Special::None || special == Special::MinusZeroIsNan) return sign();
      return minus + (special == Special::InfinityAndNan ? largest + 3 : largest + 1);
    }
    int nearest = largest + 1;
    if (std::fabs(x) < magnitude(largest + 1)) {
      double least = kInfinity;
      for (int c = 0; c <= largest + 1; ++c) {
        const double distance = std::fabs(magnitude(c) - std::fabs(x));
        if (distance > least || (distance == least && c % 2 != 0)) continue;
        least = distance, nearest = c;
      }
    }
    if (nearest > largest) {
      if (saturates || special == Special::None) return minus + largest;
      return special == Special::MinusZeroIsNan ? sign() : minus + largest + 1;
    }
    return special == Special::MinusZeroIsNan && nearest == 0 ? 0 : minus + nearest;
  }
};

constexpr Format kFormats[] = {
    {"float8e4m3fn", kE4M3FN, 8, 3, 7, Special::LastIsNan, 0x7e},
    {"float8e4m3fnuz", kE4M3FNUZ, 8, 3, 8, Special::MinusZeroIsNan, 0x7f},
    {"float8e5m2", kE5M2, 8, 2, 15, Special::InfinityAndNan, 0x7b},
    {"float8e5m2fnuz", kE5M2FNUZ, 8, 2, 16, Special::MinusZeroIsNan, 0x7f},
    {"float4e2m1", kE2M1, 4, 1, 1, Special::None, 0x7},
    {"float6e2m3", kE2M3, 6, 3, 1, Special::None, 0x1f},
    {"float6e3m2", kE3M2, 6, 2, 3, Special::None, 0x1f},
};

/// Says that operand \p position has the element type \p type, in whose container it is fed.
void declare(CompiledNode &node, int position, int type) {
  node.model.model.mutable_graph()->mutable_input(position)->mutable_type()->mutable_tensor_type()->set_elem_type(type);
}

/// All elements of the only output, which must have the dtype \p dtype.
Values valuesOf(const CompiledNode &node, DType dtype) {
  const auto outputs = node.run();
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  EXPECT_EQ(outputs->at(0).dtype, dtype);
  return outputs->at(0).values;
}

std::string refusal(const CompiledNode &node) {
  const auto outputs = node.run();
  EXPECT_FALSE(outputs.ok());
  return std::string(outputs.status().message());
}

Array row(const Values &values, DType dtype) { return {{static_cast<int64_t>(values.size())}, values, dtype}; }

Values cast(const Values &values, DType from, int64_t to, DType container, bool saturates = true) {
  return valuesOf(CompiledNode(28, "Cast", {row(values, from)}).with("to", to).with("saturate", saturates ? 1 : 0),
                  container);
}

/// From the type \p from, held in \p container.
Values castFrom(int from, DType container, const Values &values, int64_t to, DType result) {
  CompiledNode node(28, "Cast", {row(values, container)});
  declare(node, 0, from);
  return valuesOf(node.with("to", to), result);
}

void expectSame(const Values &actual, const Values &expected, const std::string &what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    const bool same = std::isnan(expected[i])
                          ? std::isnan(actual[i])
                          : actual[i] == expected[i] && std::signbit(actual[i]) == std::signbit(expected[i]);
    EXPECT_TRUE(same) << what << ", element " << i << ": " << actual[i] << " instead of " << expected[i];
  }
}

// ---------------------------------------------------------------------------------------------------------- floats

TEST(NarrowFloats, HaveTheNumbersOfTheirDefinitions) {
  const struct {
    int type;
    Values codes, values;
  } kKnown[] = {
      {kE4M3FN, {0x7e, 0x01, 0x08, 0x80, 0x7f, 0xff}, {448, 0x1p-9, 0x1p-6, -0.0, kNan, kNan}},
      {kE4M3FNUZ, {0x7f, 0x01, 0x80, 0x00}, {240, 0x1p-10, kNan, 0}},
      {kE5M2, {0x7b, 0x01, 0x7c, 0xfc, 0x7d}, {57344, 0x1p-16, kInfinity, -kInfinity, kNan}},
      {kE5M2FNUZ, {0x7f, 0x01, 0x80}, {57344, 0x1p-17, kNan}},
      {kE8M0, {0x7f, 0xfe, 0xff, 0x80}, {1, 0x1p127, kNan, 2}},
      {kE2M1, {0, 1, 2, 3, 4, 5, 6, 7, 15}, {0, 0.5, 1, 1.5, 2, 3, 4, 6, -6}},
      {kE2M3, {0x1f, 0x01, 0x20}, {7.5, 0.125, -0.0}},
      {kE3M2, {0x1f, 0x01, 0x3f}, {28, 0.0625, -28}},
  };
  for (const auto &known : kKnown) {
    expectSame(castFrom(known.type, DType::U8, known.codes, 1, DType::F32), known.values, std::to_string(known.type));
  }
}

TEST(NarrowFloats, AreReadFromAllTheirCodes) {
  const struct {
    int64_t type;
    DType dtype;
  } kWide[] = {{1, DType::F32}, {10, DType::F16}, {11, DType::F64}, {16, DType::BF16}};
  for (const Format &format : kFormats) {
    Values codes, values;
    for (int pattern = 0; pattern < 1 << format.bits; ++pattern) {
      codes.push_back(pattern);
      values.push_back(format.value(pattern));
    }
    for (const auto &wide : kWide) {
      expectSame(castFrom(format.type, DType::U8, codes, wide.type, wide.dtype), values, format.name);
    }
    // And back: every code but NaN's is its own number's. NaN has one code, or one for each sign.
    Values again = cast(values, DType::F32, format.type, DType::U8);
    for (size_t i = 0; i < codes.size(); ++i) {
      if (std::isfinite(values[i])) {
        EXPECT_EQ(again[i], codes[i]) << format.name;
      }
    }
  }
}

/// Numbers on both sides of all boundaries between the codes of \p format, \p step apart relatively.
Values aroundBoundaries(const Format &format, double step) {
  Values result = {0.0, -0.0, kInfinity, -kInfinity, kNan, 1e30, -1e30, 1e-30, -1e-30};
  for (int code = 0; code <= format.largest + 1; ++code) {
    const double number = format.magnitude(code), middle = (number + format.magnitude(code + 1)) / 2;
    for (const double center : {number, middle}) {
      for (const double x : {center, center * (1 + step), center * (1 - step)}) {
        result.push_back(x);
        result.push_back(-x);
      }
    }
  }
  return result;
}

TEST(NarrowFloats, AreRoundedHalfToEvenFromEveryWiderType) {
  const struct {
    DType dtype;
    double step;  ///< the least relative step of the type, or a little more
  } kWide[] = {{DType::F32, 0x1p-22}, {DType::F64, 0x1p-50}, {DType::F16, 0x1p-9}, {DType::BF16, 0x1p-6}};
  for (const Format &format : kFormats) {
    for (const auto &wide : kWide) {
      Values numbers = aroundBoundaries(format, wide.step);
      // As the type holds them.
      for (double &x : numbers) x = graph::elementAsDouble(*row({x}, wide.dtype).constant(), 0);
      for (const bool saturates : {true, false}) {
        Values expected;
        for (const double x : numbers) expected.push_back(format.code(x, saturates));
        const std::string what = std::string(format.name) + " from " + std::string(name(wide.dtype));
        expectSame(cast(numbers, wide.dtype, format.type, DType::U8, saturates), expected, what);
      }
    }
  }
}

TEST(NarrowFloats, ComeFromIntegersAndBools) {
  EXPECT_EQ(cast({-1, 0, 100, 127}, DType::I8, kE4M3FN, DType::U8), (Values{0xb8, 0, 0x6c, 0x70}));
  // 2^24 + 1 is no float32; large numbers saturate.
  EXPECT_EQ(cast({16777217, -9, 449}, DType::I32, kE5M2, DType::U8), (Values{0x7b, 0xc8, 0x5f}));
  EXPECT_EQ(cast({0, 1}, DType::Bool, kE2M1, DType::U8), (Values{0, 2}));
  EXPECT_EQ(castFrom(kE5M2, DType::U8, {0xc1, 0x7c, 0x00, 0x7d}, 6, DType::I32), (Values{-2, 2147483647, 0, 0}));
  EXPECT_EQ(castFrom(kE5M2, DType::U8, {0xc1, 0x80, 0x00, 0x7d}, 9, DType::Bool), (Values{1, 0, 0, 1}));
  EXPECT_EQ(castFrom(kE5M2, DType::U8, {0x7b, 0x01, 0x7c}, kE4M3FN, DType::U8), (Values{0x7e, 0, 0x7e}));
  EXPECT_EQ(castFrom(kE5M2, DType::U8, {0x7b, 0x91}, kE5M2, DType::U8), (Values{0x7b, 0x91}));
}

TEST(NarrowFloats, OfPowersOfTwoAreRoundedAsAsked) {
  const Values numbers = {1, 1.25, 1.5, 1.75, 0x1.8p127, 0x1p-126, 0, kInfinity, kNan};
  const auto encoded = [&](const char *mode, int saturates) {
    return valuesOf(CompiledNode(28, "Cast", {row(numbers, DType::F32)})
                        .with("to", kE8M0)
                        .with("round_mode", mode)
                        .with("saturate", saturates),
                    DType::U8);
  };
  EXPECT_EQ(encoded("up", 1), (Values{127, 128, 128, 128, 254, 1, 0, 254, 255}));
  EXPECT_EQ(encoded("down", 1), (Values{127, 127, 127, 127, 254, 1, 0, 254, 255}));
  EXPECT_EQ(encoded("nearest", 1), (Values{127, 127, 128, 128, 254, 1, 0, 254, 255}));
  EXPECT_EQ(encoded("nearest", 0), (Values{127, 127, 128, 128, 255, 1, 255, 255, 255}));
  EXPECT_EQ(encoded("down", 0), (Values{127, 127, 127, 127, 254, 1, 255, 255, 255}));
  CompiledNode wrong(28, "Cast", {row(numbers, DType::F32)});
  EXPECT_TRUE(
      absl::StrContains(refusal(wrong.with("to", kE8M0).with("round_mode", "even")), "not up, down or nearest"));
}

// -------------------------------------------------------------------------------------------------------- integers

TEST(NarrowIntegers, KeepTheirLowBits) {
  const Values numbers = {-9, -8, -1, 0, 7, 8, 15, 16};
  EXPECT_EQ(cast(numbers, DType::I32, kInt4, DType::I8), (Values{7, -8, -1, 0, 7, -8, -1, 0}));
  EXPECT_EQ(cast(numbers, DType::I64, kUInt4, DType::U8), (Values{7, 8, 15, 0, 7, 8, 15, 0}));
  EXPECT_EQ(cast(numbers, DType::I8, kInt2, DType::I8), (Values{-1, 0, -1, 0, -1, 0, -1, 0}));
  EXPECT_EQ(cast(numbers, DType::I16, kUInt2, DType::U8), (Values{3, 0, 3, 0, 3, 0, 3, 0}));
  EXPECT_EQ(cast({-9, 1.9, -1.9, 6.5}, DType::F32, kInt4, DType::I8), (Values{7, 1, -1, 6}));
  EXPECT_EQ(cast({0, 1}, DType::Bool, kInt2, DType::I8), (Values{0, 1}));
  EXPECT_EQ(castFrom(kInt4, DType::I8, {-8, 7}, 1, DType::F32), (Values{-8, 7}));
  EXPECT_EQ(castFrom(kInt4, DType::I8, {-8, 7}, 3, DType::I8), (Values{-8, 7}));
  EXPECT_EQ(castFrom(kInt4, DType::I8, {-8, 0}, 9, DType::Bool), (Values{1, 0}));
  EXPECT_EQ(castFrom(kInt4, DType::I8, {-8, 7}, kUInt4, DType::U8), (Values{8, 7}));
  EXPECT_EQ(castFrom(kUInt4, DType::U8, {15, 3}, kE4M3FN, DType::U8), (Values{0x57, 0x44}));
}

// --------------------------------------------------------------------------------------------------------- tensors

/// A tensor of \p type whose bytes are packed, in raw data or as a list.
onnx::TensorProto packed(int type, const std::vector<int64_t> &shape, const std::vector<int> &bytes, bool isRaw) {
  onnx::TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(type);
  for (const int64_t extent : shape) tensor.add_dims(extent);
  if (isRaw) tensor.set_raw_data(std::string(bytes.begin(), bytes.end()));
  for (const int byte : bytes) {
    if (!isRaw) tensor.add_int32_data(byte);
  }
  return tensor;
}

/// x + Cast(w) for zeros x, so that the constant is seen.
CompiledNode castOf(const onnx::TensorProto &tensor) {
  CompiledNode node(28, "Add", {row(Values(static_cast<size_t>(tensor.dims(0))), DType::F32)});
  *node.model.model.mutable_graph()->add_initializer() = tensor;
  setAttribute(node.model.node("Cast", {"w"}, {"wide"}), "to", 1);
  return node.operand("wide");
}

TEST(NarrowTensors, ArePacked) {
  for (const bool isRaw : {true, false}) {
    EXPECT_EQ(valuesOf(castOf(packed(kInt4, {3}, {0x7f, 0x08}, isRaw)), DType::F32), (Values{-1, 7, -8}));
    EXPECT_EQ(valuesOf(castOf(packed(kUInt4, {3}, {0x7f, 0x08}, isRaw)), DType::F32), (Values{15, 7, 8}));
    EXPECT_EQ(valuesOf(castOf(packed(kInt2, {5}, {0xe4, 0x02}, isRaw)), DType::F32), (Values{0, 1, -2, -1, -2}));
    EXPECT_EQ(valuesOf(castOf(packed(kUInt2, {5}, {0xe4, 0x02}, isRaw)), DType::F32), (Values{0, 1, 2, 3, 2}));
    EXPECT_EQ(valuesOf(castOf(packed(kE2M1, {3}, {0xf1, 0x06}, isRaw)), DType::F32), (Values{0.5, -6, 4}));
    EXPECT_EQ(valuesOf(castOf(packed(kE4M3FN, {2}, {0x7e, 0xb8}, isRaw)), DType::F32), (Values{448, -1}));
    EXPECT_EQ(valuesOf(castOf(packed(kE8M0, {2}, {0x7e, 0x81}, isRaw)), DType::F32), (Values{0.5, 4}));
  }
  // Codes 0x1f, 0x01, 0x3f, 0x20 and 0x08 in six bits each, without gaps; a list has an entry for each.
  EXPECT_EQ(valuesOf(castOf(packed(kE3M2, {5}, {0x5f, 0xf0, 0x83, 0x08}, true)), DType::F32),
            (Values{28, 0.0625, -28, 0, 1.0 / 2}));
  EXPECT_EQ(valuesOf(castOf(packed(kE3M2, {2}, {0x1f, 0x01}, false)), DType::F32), (Values{28, 0.0625}));
}

TEST(NarrowTensors, OfTheWrongSizeAreRefused) {
  EXPECT_EQ(refusal(castOf(packed(kInt4, {3}, {0x7f}, true))), "tensor 'w': holds 1 bytes, its shape [3] asks for 2");
  EXPECT_EQ(refusal(castOf(packed(kInt4, {3}, {1, 2, 3}, false))),
            "tensor 'w': holds 3 bytes, its shape [3] asks for 2");
  EXPECT_EQ(refusal(castOf(packed(kE3M2, {5}, {1, 2, 3}, true))),
            "tensor 'w': holds 3 bytes, its shape [5] asks for 4");
  EXPECT_TRUE(absl::StrContains(refusal(castOf(packed(29, {1}, {1}, true))), "element type 29 is unknown"));
}

TEST(NarrowTensors, MayBeValuesOfConstants) {
  CompiledNode node(28, "Add", {row({0, 0, 0}, DType::F32)});
  onnx::AttributeProto &value = *node.model.node("Constant", {}, {"w"}).add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  *value.mutable_t() = packed(kInt4, {3}, {0x7f, 0x08}, true);
  setAttribute(node.model.node("Cast", {"w"}, {"wide"}), "to", 1);
  EXPECT_EQ(valuesOf(node.operand("wide"), DType::F32), (Values{-1, 7, -8}));
}

TEST(NarrowTensors, FillAShape) {
  CompiledNode node(28, "Add", {row({0, 0}, DType::F32)});
  node.model.integers("shape", {2});
  onnx::NodeProto &fill = node.model.node("ConstantOfShape", {"shape"}, {"w"});
  onnx::AttributeProto &value = *fill.add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  *value.mutable_t() = packed(kE5M2, {1}, {0xc0}, true);
  setAttribute(node.model.node("Cast", {"w"}, {"wide"}), "to", 1);
  EXPECT_EQ(valuesOf(node.operand("wide"), DType::F32), (Values{-2, -2}));
}

// -------------------------------------------------------------------------------------------------------- movement

/// A node on the operand a of type \p type; what it gives, "m", is cast to float32 as the output.
class MovedNode {
 public:
  MovedNode(const std::string &op, const Array &data, int type, int64_t opset = 28) : node_(opset, op, {data}) {
    declare(node_, 0, type);
    node_.node().set_output(0, "m");
    node_.node().set_name("moves");
    setAttribute(node_.model.node("Cast", {"m"}, {"y0"}), "to", 1);
  }
  CompiledNode &node() { return node_; }
  Values values() const { return valuesOf(node_, DType::F32); }

 private:
  CompiledNode node_;
};

TEST(NarrowValues, AreMovedByWhatComputesNothing) {
  const Array codes({2, 2}, {0x38, 0x40, 0x44, 0xb8}, DType::U8);  // 1, 2, 3, -1
  const auto moved = [&](const char *op) { return MovedNode(op, codes, kE4M3FN); };
  EXPECT_EQ(moved("Identity").values(), (Values{1, 2, 3, -1}));
  EXPECT_EQ(moved("Transpose").values(), (Values{1, 3, 2, -1}));
  EXPECT_EQ(moved("Flatten").values(), (Values{1, 2, 3, -1}));
  EXPECT_EQ(moved("Dropout").values(), (Values{1, 2, 3, -1}));
  const auto with = [&](const char *op, const std::vector<int64_t> &numbers) {
    MovedNode node = moved(op);
    node.node().constant("numbers", numbers);
    return node.values();
  };
  EXPECT_EQ(with("Reshape", {4}), (Values{1, 2, 3, -1}));
  EXPECT_EQ(with("Unsqueeze", {0}), (Values{1, 2, 3, -1}));
  EXPECT_EQ(with("Expand", {2, 2, 2}), (Values{1, 2, 3, -1, 1, 2, 3, -1}));
  EXPECT_EQ(with("Gather", {1}), (Values{3, -1}));
  MovedNode pad("Pad", codes, kE4M3FN, 18);
  pad.node().constant("pads", std::vector<int64_t>{0, 1, 0, 0});
  EXPECT_EQ(pad.values(), (Values{0, 1, 2, 0, 3, -1}));
  MovedNode slice = moved("Slice");
  slice.node().constant("starts", std::vector<int64_t>{1}).constant("ends", std::vector<int64_t>{2});
  EXPECT_EQ(slice.values(), (Values{3, -1}));
  MovedNode concat = moved("Concat");
  concat.node().operand("a").with("axis", 0);
  EXPECT_EQ(concat.values(), (Values{1, 2, 3, -1, 1, 2, 3, -1}));
}

TEST(NarrowValues, AreCountedAndMeasured) {
  MovedNode shape("Shape", Array({2, 3}, Values(6), DType::U8), kE4M3FN);
  EXPECT_EQ(shape.values(), (Values{2, 3}));
}

TEST(NarrowValues, AreRefusedByWhatComputes) {
  const auto refused = [](const char *op, const Array &data, int type) {
    return refusal(MovedNode(op, data, type).node());
  };
  EXPECT_EQ(
      refused("Neg", row({1}, DType::I8), kInt4),
      "node 'moves' (Neg): elements of type int4 are moved and converted only; cast them to a wider type in front "
      "of this");
  EXPECT_TRUE(absl::StrContains(refused("ReduceSum", row({1, 2}, DType::U8), kE5M2), "type float8e5m2"));
  // Positions of float8 are no positions, and int4 is not int8.
  MovedNode gather("Gather", row({1, 2}, DType::U8), kE5M2);
  gather.node().operand("a");
  EXPECT_TRUE(absl::StrContains(refusal(gather.node()), "type float8e5m2"));
  CompiledNode concat(28, "Concat", {row({1}, DType::I8), row({1}, DType::I8)});
  declare(concat, 1, kInt4);
  EXPECT_TRUE(absl::StrContains(refusal(concat.with("axis", 0)), "type int4"));
}

TEST(NarrowValues, AreTestedForNanAndInfinity) {
  MovedNode isNan("IsNaN", row({0x7c, 0x7d, 0x40}, DType::U8), kE5M2);
  EXPECT_EQ(isNan.values(), (Values{0, 1, 0}));
  MovedNode isInfinite("IsInf", row({0x7c, 0xfc, 0x40}, DType::U8), kE5M2);
  isInfinite.node().with("detect_negative", 0);
  EXPECT_EQ(isInfinite.values(), (Values{1, 0, 0}));
}

TEST(NarrowValues, LendTheirTypeToCastLike) {
  CompiledNode node(28, "CastLike", {row({1, 1000, -0.5}, DType::F32), row({0}, DType::U8)});
  declare(node, 1, kE4M3FN);
  EXPECT_EQ(valuesOf(node, DType::U8), (Values{0x38, 0x7e, 0xb0}));
  EXPECT_EQ(valuesOf(node.with("saturate", 0), DType::U8), (Values{0x38, 0x7f, 0xb0}));
}

// ------------------------------------------------------------------------------------------------------------ bits

TEST(Bits, AreKept) {
  const auto bitCast = [](const Array &data, int from, int to, DType dtype) {
    CompiledNode node(28, "BitCast", {data});
    if (from != 0) declare(node, 0, from);
    return valuesOf(node.with("to", to), dtype);
  };
  EXPECT_EQ(bitCast(row({1, -0.0, kInfinity, 0x1p-149}, DType::F32), 0, 6, DType::I32),
            (Values{0x3f800000, -2147483648.0, 0x7f800000, 1}));
  EXPECT_EQ(bitCast(row({1, -0.0, kInfinity}, DType::F32), 0, 12, DType::U32),
            (Values{0x3f800000, 2147483648.0, 0x7f800000}));
  expectSame(bitCast(row({0x3f800000, -2147483648.0, 0x7f800001}, DType::I32), 0, 1, DType::F32), {1, -0.0, kNan},
             "int32 as float32");
  EXPECT_EQ(bitCast(row({-2.5}, DType::F64), 0, 7, DType::I64), (Values{-4610560118520545280.0}));
  EXPECT_EQ(bitCast(row({4611686018427387904.0}, DType::U64), 0, 11, DType::F64), (Values{2}));
  EXPECT_EQ(bitCast(row({1, -2}, DType::F16), 0, 5, DType::I16), (Values{0x3c00, -16384}));
  EXPECT_EQ(bitCast(row({0x3f80}, DType::U16), 0, 16, DType::BF16), (Values{1}));
  EXPECT_EQ(bitCast(row({1}, DType::F16), 0, 16, DType::BF16), (Values{0x1p-7}));  // 0x3c00
  EXPECT_EQ(bitCast(row({-1, 5}, DType::I8), 0, 2, DType::U8), (Values{255, 5}));
  EXPECT_EQ(bitCast(row({0, 1}, DType::Bool), 0, 2, DType::U8), (Values{0, 1}));
  EXPECT_EQ(bitCast(row({0, 1}, DType::U8), 0, 9, DType::Bool), (Values{0, 1}));
  EXPECT_EQ(bitCast(row({-1, -8, 7}, DType::I8), kInt4, kUInt4, DType::U8), (Values{15, 8, 7}));
  EXPECT_EQ(bitCast(row({15, 8, 7}, DType::U8), kE2M1, kInt4, DType::I8), (Values{-1, -8, 7}));
  EXPECT_EQ(bitCast(row({0xb8}, DType::U8), kE4M3FN, 3, DType::I8), (Values{-72}));
  CompiledNode wrong(28, "BitCast", {row({1}, DType::F32)});
  EXPECT_TRUE(absl::StrContains(refusal(wrong.with("to", 7)),
                                "elements of type float32 have 32 bits, those of type int64 have 64"));
}

}  // namespace
}  // namespace hone
