// Element types: tensors of every one in each of the forms in which a model may write them, and operators on those that
// are easily forgotten. Expected values are written by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "compiler/base/half.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/constants.h"
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/model_builder.h"

namespace hone {
namespace {

using test::ModelBuilder;
using test::setAttribute;
using Values = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

constexpr DType kAll[] = {DType::Bool, DType::I8,  DType::I16, DType::I32,  DType::I64, DType::U8, DType::U16,
                          DType::U32,  DType::U64, DType::F16, DType::BF16, DType::F32, DType::F64};

/// Numbers at the limits of \p dtype.
Values samples(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return {0, 1};
    case DType::I8:
      return {-128, 127};
    case DType::I16:
      return {-32768, 32767};
    case DType::I32:
      return {-2147483648.0, 2147483647};
    case DType::I64:
      return {-0x1p63, 0x1p62};
    case DType::U8:
      return {255, 1};
    case DType::U16:
      return {65535, 1};
    case DType::U32:
      return {4294967295, 1};
    case DType::U64:
      return {0x1p63, 0x1.8p63};
    case DType::F16:
      return {65504, -0x1p-24};
    case DType::BF16:
      return {0x1.fep127, -0x1p-120};
    case DType::F32:
      return {0x1.fffffep127, -0x1p-149};
    case DType::F64:
      return {0x1.fffffffffffffp1023, -0x1p-1074};
  }
  return {};
}

/// The tensor in the typed list that its dtype uses.
onnx::TensorProto typed(DType dtype, const Values &values) {
  onnx::TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(test::elementType(dtype));
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (double value : values) {
    switch (dtype) {
      case DType::F32:
        tensor.add_float_data(static_cast<float>(value));
        break;
      case DType::F64:
        tensor.add_double_data(value);
        break;
      case DType::I64:
        tensor.add_int64_data(static_cast<int64_t>(value));
        break;
      case DType::U32:
      case DType::U64:
        tensor.add_uint64_data(static_cast<uint64_t>(value));
        break;
      case DType::F16:
        tensor.add_int32_data(doubleToHalf(value));
        break;
      case DType::BF16:
        tensor.add_int32_data(doubleToBFloat(value));
        break;
      default:
        tensor.add_int32_data(static_cast<int32_t>(value));
    }
  }
  return tensor;
}

/// The same in raw bytes.
onnx::TensorProto raw(DType dtype, const Values &values) {
  onnx::TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(test::elementType(dtype));
  tensor.add_dims(static_cast<int64_t>(values.size()));
  graph::Constant constant = graph::makeConstant({dtype, {static_cast<int64_t>(values.size())}}, values);
  tensor.set_raw_data(std::string(constant->bytes.begin(), constant->bytes.end()));
  return tensor;
}

graph::Graph import(const ModelBuilder &model) {
  auto graph = frontend::importModel(model.bytes(), {});
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  return *std::move(graph);
}

/// The output y, evaluated; its dtype must be \p dtype.
Values valuesOf(const ModelBuilder &model, DType dtype, const std::map<std::string, graph::Constant> &inputs = {}) {
  auto outputs = test::evaluateGraph(import(model), inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  const graph::ConstantData &y = *outputs->at("y");
  EXPECT_EQ(y.type.dtype, dtype);
  Values values;
  for (int64_t i = 0; i < y.type.elements(); ++i) values.push_back(graph::elementAsDouble(y, i));
  return values;
}

// ------------------------------------------------------------------------------------------------------- tensors

TEST(Tensors, OfEveryTypeAreReadFromBothForms) {
  for (DType dtype : kAll) {
    for (const onnx::TensorProto &tensor : {typed(dtype, samples(dtype)), raw(dtype, samples(dtype))}) {
      ModelBuilder initializer(13);
      *initializer.model.mutable_graph()->add_initializer() = tensor;
      initializer.node("Identity", {"w"}, {"y"});
      initializer.output("y");
      EXPECT_EQ(valuesOf(initializer, dtype), samples(dtype)) << name(dtype);

      ModelBuilder constant(13);
      onnx::AttributeProto &value = *constant.node("Constant", {}, {"y"}).add_attribute();
      value.set_name("value");
      value.set_type(onnx::AttributeProto::TENSOR);
      *value.mutable_t() = tensor;
      constant.output("y");
      EXPECT_EQ(valuesOf(constant, dtype), samples(dtype)) << name(dtype);
    }
  }
}

TEST(Tensors, OfEveryTypeAreInputs) {
  for (DType dtype : kAll) {
    ModelBuilder model(13);
    model.input("x", dtype, {2});
    model.node("Identity", {"x"}, {"y"});
    model.output("y");
    EXPECT_EQ(valuesOf(model, dtype, {{"x", graph::makeConstant({dtype, {2}}, samples(dtype))}}), samples(dtype));
  }
}

TEST(Tensors, OfConstantsHaveFiveForms) {
  auto constant = [](const char *attribute, const auto &value) {
    ModelBuilder model(13);
    setAttribute(model.node("Constant", {}, {"y"}), attribute, value);
    model.output("y");
    return model;
  };
  EXPECT_EQ(valuesOf(constant("value_int", int64_t{7}), DType::I64), Values{7});
  EXPECT_EQ(valuesOf(constant("value_float", 0.5F), DType::F32), Values{0.5});
  EXPECT_EQ(valuesOf(constant("value_ints", std::vector<int64_t>{1, -2}), DType::I64), (Values{1, -2}));
  EXPECT_EQ(valuesOf(constant("value_floats", std::vector<float>{1, -2}), DType::F32), (Values{1, -2}));
  auto text = frontend::importModel(constant("value_string", "a").bytes(), {});
  EXPECT_TRUE(absl::StrContains(text.status().message(), "'value_string'")) << text.status();
}

onnx::SparseTensorProto sparse(const Values &values, const std::vector<int64_t> &indices,
                               const std::vector<int64_t> &indexShape, const std::vector<int64_t> &shape) {
  onnx::SparseTensorProto tensor;
  *tensor.mutable_values() = typed(DType::I16, values);
  tensor.mutable_indices()->set_data_type(onnx::TensorProto::INT64);
  for (int64_t extent : indexShape) tensor.mutable_indices()->add_dims(extent);
  for (int64_t index : indices) tensor.mutable_indices()->add_int64_data(index);
  for (int64_t extent : shape) tensor.add_dims(extent);
  return tensor;
}

ModelBuilder sparseModel(const onnx::SparseTensorProto &tensor, bool isInitializer) {
  ModelBuilder model(13);
  if (isInitializer) {
    *model.model.mutable_graph()->add_sparse_initializer() = tensor;
    model.node("Identity", {"w"}, {"y"});
  } else {
    onnx::AttributeProto &value = *model.node("Constant", {}, {"y"}).add_attribute();
    value.set_name("sparse_value");
    value.set_type(onnx::AttributeProto::SPARSE_TENSOR);
    *value.mutable_sparse_tensor() = tensor;
  }
  model.output("y");
  return model;
}

TEST(Tensors, MayBeSparse) {
  for (bool isInitializer : {false, true}) {
    const Values expected = {0, 0, 5, 0, -6, 0};
    EXPECT_EQ(valuesOf(sparseModel(sparse({5, -6}, {2, 4}, {2}, {2, 3}), isInitializer), DType::I16), expected);
    EXPECT_EQ(valuesOf(sparseModel(sparse({5, -6}, {0, 2, 1, 1}, {2, 2}, {2, 3}), isInitializer), DType::I16),
              expected);
  }
}

TEST(Tensors, ThatAreSparseAndWrongAreRefused) {
  auto errorOf = [](const onnx::SparseTensorProto &tensor) {
    auto graph = frontend::importModel(sparseModel(tensor, true).bytes(), {});
    EXPECT_FALSE(graph.ok());
    return std::string(graph.status().message());
  };
  EXPECT_EQ(errorOf(sparse({5}, {6}, {1}, {2, 3})), "sparse tensor 'w': index 6 is outside of 6 elements");
  EXPECT_EQ(errorOf(sparse({5}, {0, -1}, {1, 2}, {2, 3})), "sparse tensor 'w': index -1 is outside of 3 elements");
  EXPECT_EQ(errorOf(sparse({5, 6}, {0}, {1}, {2, 3})),
            "sparse tensor 'w': indices of shape [1] do not go with 2 values");
  EXPECT_TRUE(absl::StrContains(errorOf(sparse({5}, {0}, {1}, {int64_t{1} << 35})), "take more than"));
}

// ------------------------------------------------------------------------------------------------------ operators

/// y = op(a, b) on \p dtype, which both are constants of.
Values binary(const std::string &op, DType dtype, const Values &a, const Values &b, DType result, int64_t opset = 18) {
  ModelBuilder model(opset);
  const auto count = static_cast<int64_t>(a.size());
  model.input("a", dtype, {count});
  model.input("b", dtype, {count});
  model.node(op, {"a", "b"}, {"y"});
  model.output("y");
  return valuesOf(model, result,
                  {{"a", graph::makeConstant({dtype, {count}}, a)}, {"b", graph::makeConstant({dtype, {count}}, b)}});
}

Values unary(const std::string &op, DType dtype, const Values &a, int64_t opset = 18) {
  ModelBuilder model(opset);
  const auto count = static_cast<int64_t>(a.size());
  model.input("a", dtype, {count});
  model.node(op, {"a"}, {"y"});
  model.output("y");
  return valuesOf(model, dtype, {{"a", graph::makeConstant({dtype, {count}}, a)}});
}

TEST(Integers, WithoutASignAreComparedAsSuch) {
  const Values large = {0x1p63, 1}, small = {1, 0x1p63};
  EXPECT_EQ(binary("Less", DType::U64, large, small, DType::Bool), (Values{0, 1}));
  EXPECT_EQ(binary("Max", DType::U64, large, small, DType::U64), (Values{0x1p63, 0x1p63}));
  EXPECT_EQ(binary("Min", DType::U64, large, small, DType::U64), (Values{1, 1}));
  EXPECT_EQ(binary("Div", DType::U64, large, {2, 1}, DType::U64), (Values{0x1p62, 1}));
  EXPECT_EQ(binary("Mod", DType::U64, {0x1p63 + 4096, 5}, {5, 0x1p63}, DType::U64), (Values{4, 5}));
  EXPECT_EQ(binary("Less", DType::U8, {200, 100}, {100, 200}, DType::Bool), (Values{0, 1}));
}

TEST(Integers, DivideTowardsZeroAndWrap) {
  EXPECT_EQ(binary("Div", DType::I32, {-7, 7, -7}, {2, -2, -2}, DType::I32), (Values{-3, -3, 3}));
  EXPECT_EQ(binary("Mod", DType::I32, {-7, 7, -7}, {3, -3, -3}, DType::I32), (Values{2, -2, -1}));
  EXPECT_EQ(binary("Add", DType::U8, {250}, {10}, DType::U8), (Values{4}));
  EXPECT_EQ(binary("Mul", DType::I8, {100}, {3}, DType::I8), (Values{44}));
}

TEST(Integers, HaveExactPowers) {
  // Not through doubles, which hold 53 bits; negative exponents give 0.
  EXPECT_EQ(binary("Pow", DType::I64, {3, -2, 2, 7}, {33, 61, -1, 0}, DType::I64),
            (Values{5559060566555523, -0x1p61, 0, 1}));
  ModelBuilder model(15);
  model.input("a", DType::U64, {1});
  model.input("b", DType::I32, {1});
  model.node("Pow", {"a", "b"}, {"y"});
  model.output("y");
  EXPECT_EQ(valuesOf(model, DType::U64,
                     {{"a", graph::makeConstant({DType::U64, {1}}, Values{2})},
                      {"b", graph::makeConstant({DType::I32, {1}}, Values{63})}}),
            Values{0x1p63});
}

TEST(Floats, KeepNanInExtremaAndActivations) {
  for (DType dtype : {DType::F16, DType::BF16, DType::F32, DType::F64}) {
    for (const char *op : {"Max", "Min"}) {
      Values result = binary(op, dtype, {kNan, 1, 2}, {1, kNan, 2}, dtype);
      EXPECT_TRUE(std::isnan(result.at(0)) && std::isnan(result.at(1))) << op;
      EXPECT_EQ(result.at(2), 2);
    }
    for (const char *op : {"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "Softplus",
                           "Sigmoid", "Softsign", "Mish"}) {
      EXPECT_TRUE(std::isnan(unary(op, dtype, {kNan}).at(0))) << op;
    }
  }
}

TEST(Floats, OfSixteenBitsRoundOnce) {
  // 1 + x is 1 in float16, where log(1 + x) is not 0.
  const double small = 0x1p-12;
  EXPECT_EQ(unary("Softplus", DType::F16, {-8.3203125}).at(0),
            halfToDouble(doubleToHalf(std::log1p(std::exp(-8.3203125)))));
  EXPECT_EQ(unary("Asinh", DType::F16, {small}).at(0), small);
  EXPECT_EQ(unary("Atanh", DType::F16, {small}).at(0), small);
}

TEST(Inverses, AreRightAtTheirEnds) {
  const double half = std::acos(0.0);
  auto near = [](const Values &actual, const Values &expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      if (std::isnan(expected[i])) {
        EXPECT_TRUE(std::isnan(actual[i])) << i;
      } else if (actual[i] != expected[i]) {
        EXPECT_NEAR(actual[i], expected[i], 4e-15 * std::fabs(expected[i])) << i;
      }
    }
  };
  near(unary("Asin", DType::F64, {-1, 1, 0, 1.5, 1e-9}), {-half, half, 0, kNan, 1e-9});
  near(unary("Acos", DType::F64, {-1, 1, 0, -1.5}), {2 * half, 0, half, kNan});
  near(unary("Atan", DType::F64, {kInfinity, -kInfinity, kNan}), {half, -half, kNan});
  near(unary("Sinh", DType::F64, {1e-9, -1, 30, 710, kInfinity, -kInfinity}),
       {1e-9, std::sinh(-1), std::sinh(30), std::sinh(710), kInfinity, -kInfinity});
  near(unary("Cosh", DType::F64, {1e-9, -1, 30, 710, -kInfinity}),
       {1, std::cosh(1), std::cosh(30), std::cosh(710), kInfinity});
  near(unary("Asinh", DType::F64, {1e-9, -1, 1e9, -1e300, kInfinity}),
       {1e-9, std::asinh(-1), std::asinh(1e9), std::asinh(-1e300), kInfinity});
  near(unary("Acosh", DType::F64, {1, 1 + 0x1p-40, 0.5, -1e9, 1e300, kInfinity}),
       {0, std::acosh(1 + 0x1p-40), kNan, kNan, std::acosh(1e300), kInfinity});
  near(unary("Atanh", DType::F64, {1e-9, -0.5, 1, -1, 2}), {1e-9, std::atanh(-0.5), kInfinity, -kInfinity, kNan});
}

TEST(Shrink, TakesIntegers) {
  ModelBuilder model(9);
  model.input("a", DType::I8, {5});
  onnx::NodeProto &node = model.node("Shrink", {"a"}, {"y"});
  setAttribute(node, "lambd", 1.5F);
  setAttribute(node, "bias", 1.0F);
  model.output("y");
  EXPECT_EQ(valuesOf(model, DType::I8, {{"a", graph::makeConstant({DType::I8, {5}}, Values{-128, -2, -1, 1, 2})}}),
            (Values{-127, -1, 0, 0, 1}));
}

}  // namespace
}  // namespace hone
