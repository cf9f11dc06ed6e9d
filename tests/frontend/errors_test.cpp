// Models that are wrong or beyond what is supported: each is refused with a code and a sentence.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/frontend/onnx/operators.h"
#include "tests/frontend/refused_model.h"

namespace hone {
namespace {

using test::expectError;
using test::ModelBuilder;
using test::setAttribute;
using test::simpleModel;
using test::withShapes;
using Code = absl::StatusCode;

// ------------------------------------------------------------------------------------------------ what users meet

TEST(Errors, ListEveryUnsupportedOperatorAtOnce) {
  ModelBuilder model = simpleModel();
  model.node("StringNormalizer", {"y"}, {"a"});
  model.node("StringNormalizer", {"a"}, {"b"});
  model.model.add_opset_import()->set_domain("com.example");
  model.model.mutable_opset_import(1)->set_version(3);
  model.node("Fancy", {"b"}, {"c"}).set_domain("com.example");
  model.output("c");
  expectError(model.bytes(), Code::kUnimplemented,
              {"2 operators",
               "StringNormalizer (ai.onnx version 13, 2 nodes: 'node_a', 'node_b'): it works on text; do this "
               "step in the program",
               "Fancy (com.example version 3, 1 node: 'node_c')"});
}

// Domains other than ONNX's own have their lists, too.
TEST(Errors, SayWhatToDoAboutOperatorsOfOtherDomains) {
  ModelBuilder model = simpleModel();
  for (const char *domain : {"ai.onnx.ml", "com.microsoft"}) {
    onnx::OperatorSetIdProto &import = *model.model.add_opset_import();
    import.set_domain(domain);
    import.set_version(1);
  }
  model.node("ZipMap", {"y"}, {"map"}).set_domain("ai.onnx.ml");
  model.node("QMoE", {"y"}, {"attended"}).set_domain("com.microsoft");
  model.output("map");
  model.output("attended");
  expectError(model.bytes(), Code::kUnimplemented,
              {"2 operators", "ZipMap (ai.onnx.ml version 1", "options={'zipmap': False}",
               "QMoE (com.microsoft version 1", "ORT_DISABLE_ALL", "QuantFormat.QDQ"});
}

TEST(Errors, OfUnboundDimensionsShowTheFlag) {
  ModelBuilder model(13);
  model.namedInput("data", DType::F32, {"N", "3", "224", "224"});
  model.node("Abs", {"data"}, {"y"});
  model.output("y");
  expectError(model.bytes(), Code::kInvalidArgument, {"'data' [N,3,224,224]", "--input-shapes \"data:[1,3,224,224]\""});
  ModelBuilder two(13);
  two.namedInput("ids", DType::I64, {"batch", "sequence"});
  two.input("mask", DType::I64, {1, -1});
  two.node("Add", {"ids", "mask"}, {"y"});
  two.output("y");
  expectError(two.bytes(), Code::kInvalidArgument,
              {"'ids' [batch,sequence]", "'mask' [1,?]", "--input-shapes \"ids:[1,128] mask:[1,128]\""});
}

// PaddlePaddle's exporter calls every open dim so; two dims that nobody knows need not be equal.
TEST(Errors, AreNotMadeOfDimensionsWithoutName) {
  for (const char *text : {"?", "-1", "*", "None"}) {
    ModelBuilder model(11);
    model.namedInput("x", DType::F32, {"N", "3", text, text});
    model.node("Abs", {"x"}, {"y"});
    model.output("y");
    auto graph = frontend::importModel(model.bytes(), withShapes({{"x", {1, 3, 48, 192}}}));
    ASSERT_TRUE(graph.ok()) << text << ": " << graph.status();
    EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0].value)].type.shape, (graph::Shape{1, 3, 48, 192}));
    // One of them bound binds nothing else.
    expectError(model.bytes(), Code::kInvalidArgument, {"'x' [1,3,48,?]", "not bound"},
                withShapes({{"x", {1, 3, 48, -1}}}));
  }
  ModelBuilder named(11);
  named.namedInput("x", DType::F32, {"side", "side"});
  named.node("Abs", {"x"}, {"y"});
  named.output("y");
  expectError(named.bytes(), Code::kInvalidArgument, {"binds the dimension 'side' to 48"},
              withShapes({{"x", {48, 192}}}));
}

TEST(Errors, OfInputShapesNameWhatIsWrong) {
  std::string bytes = simpleModel().bytes();
  expectError(bytes, Code::kInvalidArgument, {"'data'", "the model's inputs are 'x'"}, withShapes({{"data", {1}}}));
  expectError(bytes, Code::kInvalidArgument, {"'x' has 2 dimensions", "[2]"}, withShapes({{"x", {2}}}));
  expectError(bytes, Code::kInvalidArgument, {"dimension 1 of input 'x' is 3", "gives 4"}, withShapes({{"x", {2, 4}}}));
  ModelBuilder model(13);
  model.namedInput("a", DType::F32, {"N"});
  model.namedInput("b", DType::F32, {"N"});
  model.node("Add", {"a", "b"}, {"y"});
  model.output("y");
  expectError(model.bytes(), Code::kInvalidArgument, {"'N' to 2", "'b', to 3"}, withShapes({{"a", {2}}, {"b", {3}}}));
  // 0 is an extent like any other; only a negative one leaves the dimension open.
  expectError(bytes, Code::kInvalidArgument, {"dimension 0 of input 'x' is 2", "gives 0"}, withShapes({{"x", {0, 3}}}));
  expectError(model.bytes(), Code::kInvalidArgument, {"'N' to 0", "'b', to 3"}, withShapes({{"a", {0}}, {"b", {3}}}));
  expectError(model.bytes(), Code::kInvalidArgument, {"'a' [N]", "not bound"}, withShapes({{"a", {-1}}}));
}

// Whoever wrote the model in another encoding: names are taken, and shown as the flags take them.
TEST(Errors, ShowNamesThatAreNotUtf8) {
  ModelBuilder model(13);
  model.namedInput("caf\xE9", DType::F32, {"taille\xE9", "4"});
  model.node("Relu", {"caf\xE9"}, {"na\xEFve"});
  model.output("na\xEFve");
  expectError(model.bytes(), Code::kInvalidArgument, {R"('caf\xE9' [taille\xE9,4])", "not bound"});
  auto graph = frontend::importModel(model.bytes(), withShapes({{R"(caf\xE9)", {2, 4}}}));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->inputs[0].name, R"(caf\xE9)");
  EXPECT_EQ(graph->outputs[0].name, R"(na\xEFve)");
}

// A declared 0 is what exporters write for a dimension that they do not know, until somebody says that it is 0.
TEST(Errors, TakeADeclaredZeroForUnknown) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {0, 3});
  model.output("x");
  expectError(model.bytes(), Code::kInvalidArgument, {"'x' [?,3]", "not bound"});
  for (const int64_t extent : {0, 5}) {
    auto graph = frontend::importModel(model.bytes(), withShapes({{"x", {extent, -1}}}));
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(graph->values[static_cast<size_t>(graph->inputs[0].value)].type.shape, (graph::Shape{extent, 3}));
  }
}

TEST(Errors, RefuseNewerOpsets) {
  ModelBuilder model = simpleModel();
  model.model.mutable_opset_import(0)->set_version(frontend::kNewestOpset + 1);
  expectError(
      model.bytes(), Code::kUnimplemented,
      {absl::StrCat("opset ", frontend::kNewestOpset + 1), absl::StrCat("opset_version=", frontend::kNewestOpset)});
  model.model.mutable_opset_import(0)->set_version(0);
  expectError(model.bytes(), Code::kInvalidArgument, {"opset 0"});
  model.model.clear_opset_import();
  expectError(model.bytes(), Code::kInvalidArgument, {"imports no version"});
}

// What did not change keeps its meaning; what changed since it was checked is refused by name, with the last version.
TEST(Errors, TakeNewerOpsetsWhereOperatorsDidNotChange) {
  ModelBuilder model = simpleModel();
  model.model.mutable_opset_import(0)->set_version(frontend::kNewestOpset);
  EXPECT_TRUE(frontend::importModel(model.bytes(), {}).ok());
  ModelBuilder old(10);  // its version 10 is marked as replaced: Resize took its place
  old.input("x", DType::F32, {1, 1, 2, 2});
  old.node("Upsample", {"x"}, {"y"});
  old.output("y");
  expectError(old.bytes(), Code::kUnimplemented,
              {"Upsample (ai.onnx version 10", "up to version 9", "opset_version=9"});
}

// Every row begins with a version of its operator, and ends before the next row of the same name.
TEST(Operators, HaveRowsThatFollowTheirVersions) {
  const frontend::OperatorDomain own = frontend::operatorDomains()[0];
  ASSERT_EQ(own.name, "");
  for (const frontend::Operator &row : own.operators) {
    const auto versions = frontend::operatorVersions(row.name);
    EXPECT_NE(std::find(versions.begin(), versions.end(), row.first), versions.end()) << row.name << " " << row.first;
    EXPECT_LE(row.first, row.last) << row.name;
    EXPECT_LE(row.last, frontend::lastOpset(own, row)) << row.name;
  }
}

TEST(Errors, NameOperandsThatHaveToBeConstant) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {2, 3});
  model.input("shape", DType::I64, {2});
  model.node("Reshape", {"x", "shape"}, {"y"});
  model.output("y");
  expectError(model.bytes(), Code::kUnimplemented,
              {"node 'node_y' (Reshape)", "operand 1", "'shape'", "--input-shapes"});
}

// ------------------------------------------------------------------------------------------------ wrong structure

TEST(Errors, OfNamesAndOrder) {
  ModelBuilder missing = simpleModel();
  missing.node("Add", {"y", "nothing"}, {"z"});
  missing.output("z");
  expectError(missing.bytes(), Code::kInvalidArgument, {"node 'node_z' reads 'nothing'"});

  ModelBuilder twice = simpleModel();
  twice.node("Neg", {"x"}, {"y"});
  expectError(twice.bytes(), Code::kInvalidArgument, {"'y' is defined twice"});

  ModelBuilder input = simpleModel();
  input.node("Neg", {"y"}, {"x"});
  expectError(input.bytes(), Code::kInvalidArgument, {"'x' is defined twice"});

  ModelBuilder noOutput = simpleModel();
  noOutput.model.mutable_graph()->clear_output();
  expectError(noOutput.bytes(), Code::kInvalidArgument, {"no outputs"});

  ModelBuilder outputs = simpleModel();
  outputs.output("y");
  expectError(outputs.bytes(), Code::kInvalidArgument, {"'y' is listed twice"});
}

TEST(Errors, OfCyclesNameTheirNodes) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {2});
  model.node("Add", {"x", "c"}, {"a"});
  model.node("Neg", {"a"}, {"b"});
  model.node("Abs", {"b"}, {"c"});
  model.node("Exp", {"c"}, {"y"});
  model.output("y");
  expectError(model.bytes(), Code::kInvalidArgument, {"cycle", "'node_a'", "'node_b'", "'node_c'"});
  ModelBuilder self(13);
  self.node("Neg", {"y"}, {"y"});
  self.output("y");
  expectError(self.bytes(), Code::kInvalidArgument, {"cycle", "'node_y'"});
}

TEST(Errors, OfOperandsAndAttributes) {
  ModelBuilder few(13);
  few.input("x", DType::F32, {2});
  few.node("Add", {"x"}, {"y"});
  few.output("y");
  expectError(few.bytes(), Code::kInvalidArgument, {"node 'node_y' (Add)", "1 operands", "takes 2"});

  ModelBuilder omitted(13);
  omitted.input("x", DType::F32, {2});
  omitted.node("Add", {"x", ""}, {"y"});
  omitted.output("y");
  expectError(omitted.bytes(), Code::kInvalidArgument, {"operand 1 is missing"});

  ModelBuilder type = simpleModel();
  setAttribute(type.node("Concat", {"y", "y"}, {"z"}), "axis", 1.5F);
  type.output("z");
  expectError(type.bytes(), Code::kInvalidArgument, {"'axis' has type FLOAT instead of INT"});

  ModelBuilder none = simpleModel();
  none.node("Concat", {"y", "y"}, {"z"});
  none.output("z");
  expectError(none.bytes(), Code::kInvalidArgument, {"'axis' is missing"});

  ModelBuilder dtype(13);
  dtype.input("x", DType::F32, {2});
  dtype.input("i", DType::I32, {2});
  dtype.node("Add", {"x", "i"}, {"y"});
  dtype.output("y");
  expectError(dtype.bytes(), Code::kInvalidArgument, {"node_y", "f32", "i32"});
}

TEST(Errors, OfElementTypes) {
  ModelBuilder unknown = simpleModel();
  unknown.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(99);
  expectError(unknown.bytes(), Code::kInvalidArgument, {"input 'x'", "element type 99 is unknown"});
  ModelBuilder text = simpleModel();
  text.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::STRING);
  expectError(text.bytes(), Code::kUnimplemented, {"input 'x'", "STRING"});
  ModelBuilder complex = simpleModel();
  complex.model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::COMPLEX64);
  expectError(complex.bytes(), Code::kUnimplemented, {"input 'x'", "COMPLEX64 is not supported"});
}

TEST(Errors, OfTensorData) {
  ModelBuilder model = simpleModel();
  model.node("Add", {"y", "w"}, {"z"});
  model.output("z");
  model.floats("w", {2, 3}, {1, 2, 3});
  expectError(model.bytes(), Code::kInvalidArgument, {"tensor 'w'", "3 elements", "asks for 6"});
  onnx::TensorProto &tensor = *model.model.mutable_graph()->mutable_initializer(0);
  tensor.clear_float_data();
  tensor.set_raw_data(std::string(23, '\0'));
  expectError(model.bytes(), Code::kInvalidArgument, {"23 bytes", "asks for 24"});
  tensor.set_dims(0, -2);
  expectError(model.bytes(), Code::kInvalidArgument, {"negative"});
}

TEST(Pad, ValuesThatAreNoneOfTheData) {
  ModelBuilder attribute(2);
  attribute.input("x", DType::I32, {3});
  onnx::NodeProto &pad = attribute.node("Pad", {"x"}, {"y"});
  setAttribute(pad, "pads", std::vector<int64_t>{1, 0});
  setAttribute(pad, "value", 0.5F);
  attribute.output("y");
  expectError(attribute.bytes(), Code::kInvalidArgument, {"attribute 'value' is 0.5, which i32 cannot hold"});
  ModelBuilder operand(13);
  operand.input("x", DType::I32, {3});
  operand.integers("pads", {1, 0});
  operand.floats("value", {}, {1e30F});
  operand.node("Pad", {"x", "pads", "value"}, {"y"});
  operand.output("y");
  expectError(operand.bytes(), Code::kInvalidArgument, {"operand 2 (constant_value) is f32, but the data i32"});
}

}  // namespace
}  // namespace hone
