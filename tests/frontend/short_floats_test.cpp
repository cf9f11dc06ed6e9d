// Operators on float16 and bfloat16: what they give of rounded operands is what float32 gives, rounded.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/frontend/compiled_node.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using test::omitted;
using Shape = std::vector<int64_t>;

struct Case {
  const char *op;
  std::vector<Shape> operands;  ///< of floats; an empty one is omitted
  std::function<void(CompiledNode &)> change = [](CompiledNode &) {};
  double scale = 1, shift = 0;  ///< of numbers between -1 and 1
};

void PrintTo(const Case &test, std::ostream *stream) { *stream << test.op; }

/// The operands with numbers that \p dtype has, held in it.
std::vector<Array> operandsOf(const Case &test, DType dtype, DType held) {
  testing::Random random(7);
  std::vector<Array> result;
  for (const Shape &shape : test.operands) {
    if (shape.empty()) {
      result.push_back(omitted());
      continue;
    }
    Array &array = result.emplace_back(Array::random(shape, random));
    for (double &value : array.values) value = value * test.scale + test.shift;
    array.dtype = dtype;
    const graph::Constant rounded = array.constant();
    for (size_t i = 0; i < array.values.size(); ++i) {
      array.values[i] = graph::elementAsDouble(*rounded, static_cast<int64_t>(i));
    }
    array.dtype = held;
  }
  return result;
}

class ShortFloats : public ::testing::TestWithParam<Case> {};

TEST_P(ShortFloats, GiveWhatFloat32Gives) {
  const Case &test = GetParam();
  for (const DType dtype : {DType::F16, DType::BF16}) {
    CompiledNode wide(22, test.op, operandsOf(test, dtype, DType::F32));
    CompiledNode narrow(22, test.op, operandsOf(test, dtype, dtype));
    test.change(wide);
    test.change(narrow);
    auto expected = wide.run();
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (Array &output : *expected) output.dtype = dtype;
    SCOPED_TRACE(std::string(name(dtype)));
    narrow.gives(*expected, dtype == DType::BF16 ? 0x1p-7 : 0x1p-10);
  }
}

std::function<void(CompiledNode &)> with(const char *attribute, const Shape &values) {
  return [=](CompiledNode &node) { node.with(attribute, values); };
}
std::function<void(CompiledNode &)> withSize(int64_t size) {
  return [=](CompiledNode &node) { node.with("hidden_size", size); };
}

const Shape kRow = {2, 9}, kImage = {1, 3, 6, 6};

const Case kUnary[] = {
    {"Acos", {kRow}},
    {"Acosh", {kRow}, [](CompiledNode &) {}, 2, 4},
    {"Asin", {kRow}},
    {"Asinh", {kRow}},
    {"Atan", {kRow}},
    {"Atanh", {kRow}, [](CompiledNode &) {}, 0.9},
    {"Cos", {kRow}},
    {"Cosh", {kRow}},
    {"Elu", {kRow}},
    {"HardSigmoid", {kRow}, [](CompiledNode &) {}, 3},
    {"HardSwish", {kRow}, [](CompiledNode &) {}, 3},
    {"Mish", {kRow}},
    {"Round", {kRow}, [](CompiledNode &) {}, 9},
    {"Selu", {kRow}},
    {"Sin", {kRow}},
    {"Sinh", {kRow}},
    {"Softplus", {kRow}},
    {"Softsign", {kRow}},
    {"Tan", {kRow}},
    {"ThresholdedRelu", {kRow}, [](CompiledNode &) {}, 3},
};

const Case kWindows[] = {
    {"AveragePool", {kImage}, with("kernel_shape", {3, 2})},
    {"Conv", {kImage, {4, 3, 3, 3}, {4}}},
    {"ConvTranspose", {kImage, {3, 2, 3, 3}, {2}}},
    {"GlobalAveragePool", {kImage}},
    {"GlobalLpPool", {kImage}},
    {"GlobalMaxPool", {kImage}},
    {"LpPool", {kImage}, with("kernel_shape", {2, 2})},
    {"MaxPool", {kImage}, with("kernel_shape", {3, 3})},
};

const Case kOthers[] = {
    {"Det", {{2, 3, 3}}},
    {"Dropout", {kRow}},
    {"EyeLike", {{3, 3}}},
    {"GridSample", {kImage, {1, 4, 4, 2}}},
    {"InstanceNormalization", {kImage, {3}, {3}}},
    {"LpNormalization", {kRow}},
    {"GRU", {{3, 1, 4}, {1, 15, 4}, {1, 15, 5}}, withSize(5)},
    {"LSTM", {{3, 1, 4}, {1, 20, 4}, {1, 20, 5}}, withSize(5)},
    {"RNN", {{3, 1, 4}, {1, 5, 4}, {1, 5, 5}}, withSize(5)},
    // Older than bfloat16's coming to all of them.
    {"BatchNormalization", {kImage, {3}, {3}, {3}, {3}}, [](CompiledNode &) {}, 0.4, 0.6},
    {"Gemm", {{4, 5}, {5, 3}, {3}}},
    {"LayerNormalization", {kRow, {9}, {9}}},
    {"MatMul", {{4, 5}, {5, 3}}},
    {"Pow", {kRow, kRow}, [](CompiledNode &) {}, 0.4, 1},
    {"ReduceLogSumExp", {kRow}},
    {"ReduceMean", {kRow}},
    {"Softmax", {kRow}},
};

// Several stages of one kernel read a sum, which is held wider than its own type while it is in registers.
const Case kSharedSums[] = {
    {"LpNormalization", {{4, 32}}, [](CompiledNode &node) { node.with("p", 1); }},
    {"BatchNormalization",
     {{2, 3, 4, 4}, {3}, {3}, {3}, {3}},
     [](CompiledNode &node) { node.with("training_mode", 1); }},
};

std::string nameOf(const ::testing::TestParamInfo<Case> &info) { return info.param.op; }
INSTANTIATE_TEST_SUITE_P(Unary, ShortFloats, ::testing::ValuesIn(kUnary), nameOf);
INSTANTIATE_TEST_SUITE_P(Windows, ShortFloats, ::testing::ValuesIn(kWindows), nameOf);
INSTANTIATE_TEST_SUITE_P(SharedSums, ShortFloats, ::testing::ValuesIn(kSharedSums), nameOf);
INSTANTIATE_TEST_SUITE_P(Others, ShortFloats, ::testing::ValuesIn(kOthers), nameOf);

}  // namespace
}  // namespace hone
