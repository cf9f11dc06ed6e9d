// Inputs that are bound to constants when a model is imported: what is given wins over nothing, fits what the model
// declares, and is gone from the graph's inputs.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/constants.h"
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/model_builder.h"

namespace hone {
namespace {

using test::ModelBuilder;

/// x f32[2,3] and a list "shape" of int64, both fed by whoever runs it.
ModelBuilder reshapeModel(const std::vector<int64_t> &declared) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {2, 3});
  model.input("shape", DType::I64, declared);
  model.node("Reshape", {"x", "shape"}, {"y"});
  model.output("y");
  return model;
}

/// One input of the type, handed on.
ModelBuilder identityModel(DType dtype, const std::vector<int64_t> &declared) {
  ModelBuilder model(13);
  model.input("v", dtype, declared);
  model.node("Identity", {"v"}, {"y"});
  model.output("y");
  return model;
}

frontend::ImportOptions binding(const std::string &name, frontend::BoundValue value) {
  frontend::ImportOptions options;
  options.boundInputs.emplace(name, std::move(value));
  return options;
}

void expectError(const std::string &bytes, const frontend::ImportOptions &options,
                 const std::vector<std::string> &parts) {
  const auto graph = frontend::importModel(bytes, options);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument) << graph.status();
  for (const std::string &part : parts) {
    EXPECT_TRUE(absl::StrContains(graph.status().message(), part)) << "no <" << part << "> in: " << graph.status();
  }
}

/// The constant that \p text becomes in an input of that type.
graph::Constant bound(DType dtype, const std::vector<int64_t> &declared, const std::string &text) {
  const auto graph = frontend::importModel(identityModel(dtype, declared).bytes(), binding("v", text));
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return nullptr;
  EXPECT_TRUE(graph->inputs.empty());
  return graph->values.at(static_cast<size_t>(graph->outputs.at(0).value)).constant;
}

TEST(BoundInputs, RefuseWhatIsNoInputAndNameThoseThatThereAre) {
  expectError(reshapeModel({2}).bytes(), binding("shapes", std::string("3,2")), {"'shapes'", "'x', 'shape'"});
  // An initializer is no input.
  ModelBuilder model = reshapeModel({2});
  model.integers("list", {1});
  expectError(model.bytes(), binding("list", std::string("1")), {"'list'", "'x', 'shape'"});
}

TEST(BoundInputs, RefuseNumbersThatDoNotFit) {
  const std::string bytes = reshapeModel({2}).bytes();
  expectError(bytes, binding("shape", std::string("3")), {"'shape'", "1 number is given", "[2]", "asks for 2"});
  expectError(bytes, binding("shape", std::string("")), {"0 numbers are given", "[2]"});
  for (const char *text : {"3,x", "3,", "3,2.5", "3,99999999999999999999", "1e3,2", "3 2,1"})
    expectError(bytes, binding("shape", std::string(text)), {"'shape'", "is no number of type int64", ".npy"});
}

TEST(BoundInputs, RefuseNumbersOutsideOfTheirType) {
  struct Row {
    DType dtype;
    const char *bad;
  };
  for (const Row &row : std::vector<Row>{{DType::I8, "128"},
                                         {DType::I8, "-129"},
                                         {DType::U8, "256"},
                                         {DType::U8, "-1"},
                                         {DType::I32, "2147483648"},
                                         {DType::U32, "4294967296"},
                                         {DType::U64, "-1"},
                                         {DType::U64, "18446744073709551616"},
                                         {DType::I64, "9223372036854775808"},
                                         {DType::Bool, "2"},
                                         {DType::Bool, "yes"},
                                         {DType::F32, "one"}})
    expectError(identityModel(row.dtype, {1}).bytes(), binding("v", std::string(row.bad)), {row.bad, "is no number"});
}

TEST(BoundInputs, RefuseNumbersWhereNobodySaysTheShape) {
  expectError(identityModel(DType::F32, {-1, 2}).bytes(), binding("v", std::string("1,2")), {"[?,2]", ".npy"});
  ModelBuilder model = identityModel(DType::F32, {1});
  model.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  expectError(model.bytes(), binding("v", std::string("1")), {"does not say how many dimensions", ".npy"});
}

TEST(BoundInputs, RefuseTensorsOfAnotherTypeOrShape) {
  const std::string bytes = reshapeModel({2}).bytes();
  expectError(bytes, binding("shape", graph::makeConstant({DType::I32, {2}}, std::vector<int64_t>{3, 2})),
              {"'shape'", "int32[2]", "int64[2]"});
  expectError(bytes, binding("shape", graph::makeConstant({DType::I64, {3}}, std::vector<int64_t>{3, 2, 1})),
              {"int64[3]", "int64[2]"});
  expectError(bytes, binding("shape", graph::makeConstant({DType::I64, {1, 2}}, std::vector<int64_t>{3, 2})),
              {"int64[1,2]", "int64[2]"});
}

// Whoever calls may have been told the shape and the bytes by a stranger.
TEST(BoundInputs, RefuseTensorsThatLie) {
  const auto lying = [](graph::Shape shape, size_t bytes) {
    auto constant = std::make_shared<graph::ConstantData>();
    constant->type = {DType::I64, std::move(shape)};
    constant->bytes.resize(bytes);
    return binding("shape", graph::Constant(std::move(constant)));
  };
  const std::string bytes = reshapeModel({-1}).bytes();
  expectError(bytes, lying({2}, 15), {"15 bytes instead of 16"});
  expectError(bytes, lying({int64_t{1} << 60}, 8), {"more than"});
  expectError(bytes, lying({-2}, 8), {"negative"});
}

TEST(BoundInputs, AreReadAsTheDeclaredType) {
  EXPECT_EQ(graph::elementAsInteger(*bound(DType::I64, {2}, " 3 ,-2"), 1), -2);
  EXPECT_EQ(graph::elementAsInteger(*bound(DType::I64, {1}, "-9223372036854775808"), 0),
            std::numeric_limits<int64_t>::min());
  EXPECT_EQ(static_cast<uint64_t>(graph::elementAsInteger(*bound(DType::U64, {}, "18446744073709551615"), 0)),
            std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(graph::elementAsInteger(*bound(DType::I8, {1}, "-128"), 0), -128);
  EXPECT_EQ(graph::elementAsInteger(*bound(DType::U8, {1}, "255"), 0), 255);
  EXPECT_EQ(graph::elementAsInteger(*bound(DType::Bool, {2}, "true,0"), 0), 1);
  EXPECT_EQ(graph::elementAsDouble(*bound(DType::F32, {}, "0.5"), 0), 0.5);
  EXPECT_EQ(graph::elementAsDouble(*bound(DType::F16, {1}, "-1e-1"), 0), -0.0999755859375);
  EXPECT_EQ(bound(DType::I64, {-1}, "")->type.shape, graph::Shape{0});
  EXPECT_EQ(bound(DType::I64, {-1}, "1,2,3")->type.shape, graph::Shape{3});
  EXPECT_EQ(bound(DType::F32, {2, 2}, "1,2,3,4")->type.shape, (graph::Shape{2, 2}));
  EXPECT_EQ(bound(DType::F32, {}, "7")->type.shape, graph::Shape{});
}

TEST(BoundInputs, MakeShapesConstant) {
  for (const frontend::BoundValue &value :
       {frontend::BoundValue("3,2"),
        frontend::BoundValue(graph::makeConstant({DType::I64, {2}}, std::vector<int64_t>{3, 2}))}) {
    const auto graph = frontend::importModel(reshapeModel({-1}).bytes(), binding("shape", value));
    ASSERT_TRUE(graph.ok()) << graph.status();
    ASSERT_EQ(graph->inputs.size(), 1U);
    EXPECT_EQ(graph->inputs[0].name, "x");
    EXPECT_EQ(graph->values.at(static_cast<size_t>(graph->outputs[0].value)).type.shape, (graph::Shape{3, 2}));
  }
}

TEST(BoundInputs, SettleTheDimsThatTheyShare) {
  ModelBuilder model(13);
  model.namedInput("a", DType::F32, {"N", "2"});
  model.namedInput("b", DType::F32, {"N", "2"});
  model.node("Add", {"a", "b"}, {"y"});
  model.output("y");
  const graph::Constant three = graph::makeFilled({DType::F32, {3, 2}}, 1);
  const auto graph = frontend::importModel(model.bytes(), binding("b", three));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->values.at(static_cast<size_t>(graph->inputs.at(0).value)).type.shape, (graph::Shape{3, 2}));

  frontend::ImportOptions both = binding("b", three);
  both.boundInputs.emplace("a", graph::makeFilled({DType::F32, {4, 2}}, 1));
  expectError(model.bytes(), both, {"'N'", "3", "4"});
  frontend::ImportOptions shaped = binding("b", three);
  shaped.inputShapes["a"] = {4, 2};
  expectError(model.bytes(), shaped, {"'N'", "3", "4"});
}

}  // namespace
}  // namespace hone
