// Products and sums between DequantizeLinear and QuantizeLinear, compiled and run: sums of integers, exact, and one
// rounding at the end. What is expected is computed from the integers by plain loops. Scales are such that many sums
// lie in the middle between two steps, where the last bit of a float decides.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/frontend/compiled_node.h"

namespace hone {
namespace {

using test::Array;
using test::ModelBuilder;
using test::runCompiled;
using test::setAttribute;
using testing::Random;
using Values = std::vector<double>;
using Sums = std::vector<int64_t>;

Array integers(std::vector<int64_t> shape, DType dtype, int64_t low, int64_t high, uint64_t seed) {
  Array array(std::move(shape), dtype);
  Random random(seed);
  for (double &value : array.values) value = static_cast<double>(random.between(low, high));
  return array;
}
Array number(DType dtype, double value) { return {{}, {value}, dtype}; }
Array floats(const Values &values) { return {{static_cast<int64_t>(values.size())}, values, DType::F32}; }

/// A model of quantised tensors, which have the names of their nodes.
class QuantisedModel {
 public:
  void constant(const std::string &name, const Array &array) {
    onnx::TensorProto &tensor = *model_.model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(test::elementType(array.dtype));
    for (const int64_t extent : array.shape) tensor.add_dims(extent);
    tensor.set_raw_data(std::string(array.constant()->bytes.text()));
  }
  void input(const std::string &name, const Array &array) {
    model_.input(name, array.dtype, array.shape);
    inputs_.push_back(array);
  }
  /// \p name is what the integers \p name + "_i" stand for.
  void dequantise(const std::string &name, const Array &scale, const Array &zero, int axis = 1) {
    constant(name + "_scale", scale);
    constant(name + "_zero", zero);
    setAttribute(model_.node("DequantizeLinear", {name + "_i", name + "_scale", name + "_zero"}, {name}), "axis", axis);
  }
  void data(const Array &array, double scale, double zero) {
    input("x_i", array);
    dequantise("x", number(DType::F32, scale), number(array.dtype, zero));
  }
  void weight(const Array &array, const Array &scale, const Array &zero, int axis) {
    constant("w_i", array);
    dequantise("w", scale, zero, axis);
  }
  void bias(const Array &array, const Array &scale) {
    constant("b_i", array);
    dequantise("b", scale, Array(scale.shape, DType::I32), 0);
  }
  onnx::NodeProto &node(const std::string &op, const std::vector<std::string> &inputs, const std::string &output) {
    return model_.node(op, inputs, {output});
  }
  /// \p name as integers are an output.
  void quantise(const std::string &name, double scale, const Array &zero) {
    constant(name + "_scale", number(DType::F32, scale));
    constant(name + "_zero", zero);
    model_.node("QuantizeLinear", {name, name + "_scale", name + "_zero"}, {name + "_q"});
    output(name + "_q");
  }
  void output(const std::string &name) { model_.output(name); }

  /// The first output, and those behind it.
  std::vector<Array> run() const {
    const auto outputs = runCompiled(model_.bytes(), {}, inputs_);
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    return outputs.ok() ? *outputs : std::vector<Array>(1);
  }

 private:
  ModelBuilder model_{21};
  std::vector<Array> inputs_;
};

// ----------------------------------------------------------------------------------------- the same by plain loops

/// Sums for each channel of a 3 x 3 convolution with a padding of one element, which is 0.
Sums convolved(const Array &data, int64_t dataZero, const Array &weight, const Values &weightZeros, int64_t groups) {
  const int64_t outputs = weight.shape[0], inputs = weight.shape[1], height = data.shape[2], width = data.shape[3];
  Sums sums;
  for (int64_t o = 0; o < outputs; ++o) {
    const auto zero = static_cast<int64_t>(weightZeros[weightZeros.size() == 1 ? 0 : static_cast<size_t>(o)]);
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        int64_t sum = 0;
        for (int64_t i = 0; i < inputs * 9; ++i) {
          const int64_t c = i / 9, row = y + i % 9 / 3 - 1, column = x + i % 3 - 1;
          if (row < 0 || row >= height || column < 0 || column >= width) continue;
          const int64_t channel = o / (outputs / groups) * inputs + c;
          sum += (static_cast<int64_t>(data.at({0, channel, row, column})) - dataZero) *
                 (static_cast<int64_t>(weight.at({o, c, i % 9 / 3, i % 3})) - zero);
        }
        sums.push_back(sum);
      }
    }
  }
  return sums;
}

/// a [m,k] times b, which is [k,n], or [n,k] if \p isTransposed.
Sums multiplied(const Array &a, int64_t zero, const Array &b, bool isTransposed) {
  const int64_t m = a.shape[0], k = a.shape[1], n = b.shape[isTransposed ? 0 : 1];
  Sums sums;
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      int64_t sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        const double factor = isTransposed ? b.at({column, i}) : b.at({i, column});
        sum += (static_cast<int64_t>(a.at({row, i})) - zero) * static_cast<int64_t>(factor);
      }
      sums.push_back(sum);
    }
  }
  return sums;
}

double saturated(float quotient, const Array &zero) {
  const double low = zero.dtype == DType::U8 || zero.dtype == DType::U16 ? 0 : zero.dtype == DType::I8 ? -128 : -32768;
  const double high = low + (sizeOf(zero.dtype) == 1 ? 255 : 65535);
  return std::clamp(static_cast<double>(std::nearbyint(quotient)) + zero.values[0], low, high);
}

/// One rounding of \p sum times the scales of data and weight over that of the result.
double requantised(int64_t sum, double x, double w, double y, const Array &zero) {
  const float scale = static_cast<float>(x) * static_cast<float>(w);
  const float ratio = scale / static_cast<float>(y);
  const float quotient = static_cast<float>(sum) * ratio;
  return saturated(quotient, zero);
}

void expectIntegers(const Array &actual, const Values &expected) {
  ASSERT_EQ(actual.values.size(), expected.size());
  int64_t wrong = 0;
  for (size_t i = 0; i < expected.size(); ++i) wrong += actual.values[i] == expected[i] ? 0 : 1;
  EXPECT_EQ(wrong, 0) << "of " << expected.size();
}

// ------------------------------------------------------------------------------------------------- convolutions

// The ratios of scales are 1/6, 1/12, 1/24 and the like: products in the middle between two steps, which scaled weights
// miss.
constexpr double kDataScale = 0.1, kResultScale = 4.8;
const Values kWeightScales = {16, 4, 8, 0.37, 5.03, 1.01};
const std::vector<int64_t> kData = {1, 4, 13, 13}, kWeight = {6, 4, 3, 3};

struct ConvCase {
  const char *name;
  DType data;
  int64_t low, high, zero;
  Array resultZero;
  int64_t groups = 1;
};

class QuantisedConv : public ::testing::TestWithParam<ConvCase> {};

TEST_P(QuantisedConv, RoundsOnce) {
  const ConvCase &test = GetParam();
  const Array data = integers(kData, test.data, test.low, test.high, 1);
  const Array weight = integers({6, 4 / test.groups, 3, 3}, DType::I8, -7, 7, 2);
  const Array bias = integers({6}, DType::I32, -400, 400, 3);
  Values biasScales;
  for (const double scale : kWeightScales) {
    biasScales.push_back(static_cast<float>(kDataScale) * static_cast<float>(scale));
  }
  QuantisedModel model;
  model.data(data, kDataScale, static_cast<double>(test.zero));
  model.weight(weight, floats(kWeightScales), Array({6}, DType::I8), 0);
  model.bias(bias, floats(biasScales));
  onnx::NodeProto &conv = model.node("Conv", {"x", "w", "b"}, "y");
  setAttribute(conv, "pads", std::vector<int64_t>{1, 1, 1, 1});
  setAttribute(conv, "group", test.groups);
  // Else most results of 8 bits would saturate.
  const double scale = kResultScale * (sizeOf(test.resultZero.dtype) == 1 ? 8 : 1);
  model.quantise("y", scale, test.resultZero);
  Values expected;
  for (const int64_t sum : convolved(data, test.zero, weight, {0}, test.groups)) {
    const size_t channel = expected.size() / 169;
    const int64_t total = sum + static_cast<int64_t>(bias.values[channel]);
    expected.push_back(requantised(total, kDataScale, kWeightScales[channel], scale, test.resultZero));
  }
  expectIntegers(model.run()[0], expected);
}

const ConvCase kConvolutions[] = {
    {"Unsigned", DType::U8, 0, 255, 121, number(DType::U8, 100)},
    {"Signed", DType::I8, -128, 127, -3, number(DType::I8, 0)},
    {"UnsignedWords", DType::U16, 32000, 33000, 32500, number(DType::U16, 30000)},
    {"SignedWords", DType::I16, -500, 500, 7, number(DType::I16, -1)},
    {"Groups", DType::U8, 0, 255, 0, number(DType::U8, 128), 2},
};
INSTANTIATE_TEST_SUITE_P(IntegerProducts, QuantisedConv, ::testing::ValuesIn(kConvolutions),
                         [](const auto &info) { return std::string(info.param.name); });

/// A convolution of bytes whose weights have a zero point, and nothing else.
QuantisedModel plainConv(const Array &data, const Array &weight, const Array &weightScale, const Array &weightZero,
                         int axis = 0) {
  QuantisedModel model;
  model.data(data, kDataScale, 10);
  model.weight(weight, weightScale, weightZero, axis);
  setAttribute(model.node("Conv", {"x", "w"}, "y"), "pads", std::vector<int64_t>{1, 1, 1, 1});
  return model;
}

TEST(IntegerProducts, MayHaveZeroPointsInTheirWeights) {
  const Array data = integers(kData, DType::U8, 0, 255, 1), weight = integers(kWeight, DType::U8, 121, 135, 2);
  const Array zero = number(DType::U8, 128);
  for (const Values &zeros : {Values{131}, Values{128, 126, 130, 125, 127, 129}}) {
    const bool isSingle = zeros.size() == 1;
    const Values scales(zeros.size(), 16);
    QuantisedModel model = plainConv(data, weight, isSingle ? number(DType::F32, 16) : floats(scales),
                                     isSingle ? number(DType::U8, zeros[0]) : Array({6}, zeros, DType::U8));
    model.quantise("y", 384 * kDataScale, zero);
    Values expected;
    for (const int64_t sum : convolved(data, 10, weight, zeros, 1)) {
      expected.push_back(requantised(sum, kDataScale, 16, 384 * kDataScale, zero));
    }
    expectIntegers(model.run()[0], expected);
  }
}

TEST(IntegerProducts, MayBeClippedBeforeTheyAreQuantised) {
  const Array data = integers(kData, DType::U8, 0, 255, 1), weight = integers(kWeight, DType::I8, -7, 7, 2);
  const Array zero = number(DType::U8, 3);
  QuantisedModel model = plainConv(data, weight, floats(kWeightScales), Array({6}, DType::I8));
  model.constant("low", number(DType::F32, -50));
  model.constant("high", number(DType::F32, 2000));
  model.node("Clip", {"y", "low", "high"}, "clipped");
  model.quantise("clipped", 10, zero);
  Values expected;
  for (const int64_t sum : convolved(data, 10, weight, {0}, 1)) {
    const float scale = 0.1F * static_cast<float>(kWeightScales[expected.size() / 169]);
    const float real = std::clamp(static_cast<float>(sum) * scale, -50.0F, 2000.0F);
    expected.push_back(saturated(real / 10.0F, zero));
  }
  expectIntegers(model.run()[0], expected);
}

TEST(IntegerProducts, AddABiasOfAnotherScaleAsARealNumber) {
  const Array data = integers(kData, DType::U8, 0, 255, 1), weight = integers(kWeight, DType::I8, -7, 7, 2);
  const Array bias = integers({6}, DType::I32, -400, 400, 3), zero = number(DType::I8, 0);
  QuantisedModel model;
  model.data(data, kDataScale, 10);
  model.weight(weight, floats(kWeightScales), Array({6}, DType::I8), 0);
  model.bias(bias, number(DType::F32, 0.3));
  setAttribute(model.node("Conv", {"x", "w", "b"}, "y"), "pads", std::vector<int64_t>{1, 1, 1, 1});
  model.quantise("y", 25, zero);
  Values expected;
  for (const int64_t sum : convolved(data, 10, weight, {0}, 1)) {
    const size_t channel = expected.size() / 169;
    const float scale = 0.1F * static_cast<float>(kWeightScales[channel]);
    const float product = static_cast<float>(sum) * scale, term = static_cast<float>(bias.values[channel]) * 0.3F;
    // The sum of two floats in double is exact enough to be rounded once.
    const auto real = static_cast<float>(static_cast<double>(product) + static_cast<double>(term));
    expected.push_back(saturated(real / 25.0F, zero));
  }
  expectIntegers(model.run()[0], expected);
}

TEST(IntegerProducts, LeaveOtherReadersTheirNumbers) {
  const Array data = integers(kData, DType::U8, 0, 255, 1), weight = integers(kWeight, DType::I8, -7, 7, 2);
  const Array zero = number(DType::U8, 128);
  QuantisedModel model = plainConv(data, weight, number(DType::F32, 16), number(DType::I8, 0));
  model.quantise("y", 384 * kDataScale, zero);
  model.output("x");
  model.output("y");
  const std::vector<Array> outputs = model.run();
  ASSERT_EQ(outputs.size(), 3);
  const Sums sums = convolved(data, 10, weight, {0}, 1);
  for (size_t i = 0; i < sums.size(); ++i) {
    EXPECT_EQ(outputs[0].values[i], requantised(sums[i], kDataScale, 16, 384 * kDataScale, zero));
    EXPECT_EQ(outputs[2].values[i], static_cast<float>(sums[i]) * (0.1F * 16));
  }
  for (size_t i = 0; i < data.values.size(); ++i) {
    EXPECT_EQ(outputs[1].values[i], (static_cast<float>(data.values[i]) - 10) * 0.1F);
  }
}

/// Within one step of what \p sums, which are real, are.
void expectWithinAStep(const Array &actual, const Values &sums, double scale, const Array &zero) {
  ASSERT_EQ(actual.values.size(), sums.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_LE(std::fabs(actual.values[i] - saturated(static_cast<float>(sums[i] / scale), zero)), 1) << i;
  }
}

TEST(IntegerProducts, KeepScalesThatDifferWithinASum) {
  // A scale for each input channel: as many convolutions of one channel each.
  const Array data = integers(kData, DType::U8, 0, 255, 1), weight = integers(kWeight, DType::I8, -7, 7, 2);
  const Array zero = number(DType::I8, 0);
  const Values scales = {1, 3, 0.2, 7};
  QuantisedModel model = plainConv(data, weight, floats(scales), Array({4}, DType::I8), 1);
  model.quantise("y", 12, zero);
  Values sums(size_t{6} * 169);
  for (size_t c = 0; c < scales.size(); ++c) {
    Array only = data;
    for (size_t i = 0; i < only.values.size(); ++i) {
      if (i / 169 != c) only.values[i] = 10;
    }
    const Sums part = convolved(only, 10, weight, {0}, 1);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(part[i]) * scales[c] * kDataScale;
  }
  expectWithinAStep(model.run()[0], sums, 12, zero);
}

TEST(IntegerProducts, OfNothingStayNothingWhateverTheScales) {
  // The ratio of the scales is beyond float32.
  const Array data(kData, Values(size_t{4} * 169, 10), DType::U8), weight = integers(kWeight, DType::I8, -7, 7, 2);
  QuantisedModel model = plainConv(data, weight, number(DType::F32, 1e4), number(DType::I8, 0));
  model.quantise("y", 1e-37, number(DType::U8, 77));
  expectIntegers(model.run()[0], Values(size_t{6} * 169, 77));
}

// ----------------------------------------------------------------------------------------------- matrix products

TEST(IntegerProducts, OfMatricesRoundOnce) {
  const Array a = integers({64, 33}, DType::U8, 0, 255, 1), b = integers({33, 6}, DType::I8, -7, 7, 2);
  const Array zero = number(DType::U8, 128);
  QuantisedModel model;
  model.data(a, kDataScale, 121);
  model.weight(b, floats(kWeightScales), Array({6}, DType::I8), 1);
  model.node("MatMul", {"x", "w"}, "y");
  model.quantise("y", kResultScale * 8, zero);
  Values expected;
  for (const int64_t sum : multiplied(a, 121, b, false)) {
    expected.push_back(requantised(sum, kDataScale, kWeightScales[expected.size() % 6], kResultScale * 8, zero));
  }
  expectIntegers(model.run()[0], expected);
}

TEST(IntegerProducts, OfDataWithDataRoundOnce) {
  const Array a = integers({64, 33}, DType::U8, 0, 255, 1), b = integers({33, 6}, DType::I8, -7, 7, 2);
  const Array zero = number(DType::I8, -5);
  QuantisedModel model;
  model.data(a, kDataScale, 121);
  model.input("w_i", b);
  model.dequantise("w", number(DType::F32, 16), number(DType::I8, 0));
  model.node("MatMul", {"x", "w"}, "y");
  model.quantise("y", kResultScale * 8, zero);
  Values expected;
  for (const int64_t sum : multiplied(a, 121, b, false)) {
    expected.push_back(requantised(sum, kDataScale, 16, kResultScale * 8, zero));
  }
  expectIntegers(model.run()[0], expected);
}

TEST(IntegerProducts, OfGemmAddTheBiasAsIntegers) {
  const Array a = integers({64, 33}, DType::U8, 0, 255, 1), b = integers({6, 33}, DType::I8, -7, 7, 2);
  const Array bias = integers({6}, DType::I32, -400, 400, 3), zero = number(DType::U8, 128);
  Values biasScales;
  for (const double scale : kWeightScales) {
    biasScales.push_back(static_cast<float>(kDataScale) * static_cast<float>(scale));
  }
  QuantisedModel model;
  model.data(a, kDataScale, 121);
  model.weight(b, floats(kWeightScales), Array({6}, DType::I8), 0);
  model.bias(bias, floats(biasScales));
  setAttribute(model.node("Gemm", {"x", "w", "b"}, "y"), "transB", 1);
  model.quantise("y", kResultScale * 8, zero);
  Values expected;
  for (const int64_t sum : multiplied(a, 121, b, true)) {
    const size_t column = expected.size() % 6;
    expected.push_back(requantised(sum + static_cast<int64_t>(bias.values[column]), kDataScale, kWeightScales[column],
                                   kResultScale * 8, zero));
  }
  expectIntegers(model.run()[0], expected);
}

TEST(IntegerProducts, OfGemmKeepItsFactors) {
  const Array a = integers({64, 33}, DType::U8, 0, 255, 1), b = integers({33, 6}, DType::I8, -7, 7, 2);
  const Array zero = number(DType::U8, 128);
  QuantisedModel model;
  model.data(a, kDataScale, 121);
  model.weight(b, number(DType::F32, 16), number(DType::I8, 0), 1);
  setAttribute(model.node("Gemm", {"x", "w"}, "y"), "alpha", -0.5F);
  model.quantise("y", 30, zero);
  Values sums;
  for (const int64_t sum : multiplied(a, 121, b, false)) sums.push_back(static_cast<double>(sum) * 1.6 * -0.5);
  expectWithinAStep(model.run()[0], sums, 30, zero);
}

// ------------------------------------------------------------------------------------------------------- sums

/// What ONNX Runtime's QLinearAdd gives: ratios of scales, all zero points in one number, two fused multiply-adds.
double added(double a, double b, const Values &ratios, const Values &zeros, const Array &zero) {
  const auto ofA = static_cast<float>(ratios[0]), ofB = static_cast<float>(ratios[1]);
  const float taken = ofA * static_cast<float>(zeros[0]), takenToo = ofB * static_cast<float>(zeros[1]);
  const float together = taken + takenToo;
  const float fixed = static_cast<float>(zero.values[0]) - together;
  const float sum = std::fma(static_cast<float>(b), ofB, std::fma(static_cast<float>(a), ofA, fixed));
  return std::clamp(static_cast<double>(std::nearbyint(sum)), 0.0, 255.0);
}

TEST(SumsOfBytes, RoundAsTheFusedOperatorDoes) {
  // With ratios of 1/2 and 1/4 every fourth sum lies in the middle; with the others the last bit is not that of reals.
  for (const Values &scales : {Values{0.1, 0.05, 0.2}, Values{0.037, 0.021, 0.043}}) {
    const Array a = integers({3, 500}, DType::U8, 0, 255, 1), b = integers({3, 500}, DType::U8, 0, 255, 2);
    const Array zero = number(DType::U8, 101);
    QuantisedModel model;
    model.data(a, scales[0], 120);
    model.input("w_i", b);
    model.dequantise("w", number(DType::F32, scales[1]), number(DType::U8, 131));
    model.node("Add", {"x", "w"}, "y");
    model.quantise("y", scales[2], zero);
    const auto step = static_cast<float>(scales[2]);
    const Values ratios = {static_cast<float>(scales[0]) / step, static_cast<float>(scales[1]) / step};
    Values expected;
    for (size_t i = 0; i < a.values.size(); ++i) {
      expected.push_back(added(a.values[i], b.values[i], ratios, {120, 131}, zero));
    }
    expectIntegers(model.run()[0], expected);
  }
}

TEST(SumsOfBytes, OfSignedBytesAreSumsOfReals) {
  const Array a = integers({3, 500}, DType::I8, -128, 127, 1), b = integers({3, 500}, DType::I8, -128, 127, 2);
  const Array zero = number(DType::I8, -7);
  QuantisedModel model;
  model.data(a, 0.037, 12);
  model.input("w_i", b);
  model.dequantise("w", number(DType::F32, 0.021), number(DType::I8, 31));
  model.node("Add", {"x", "w"}, "y");
  model.quantise("y", 0.043, zero);
  Values expected;
  for (size_t i = 0; i < a.values.size(); ++i) {
    const float left = static_cast<float>(a.values[i] - 12) * 0.037F;
    const float right = static_cast<float>(b.values[i] - 31) * 0.021F;
    const float sum = left + right;
    expected.push_back(saturated(sum / 0.043F, zero));
  }
  expectIntegers(model.run()[0], expected);
}

}  // namespace
}  // namespace hone
