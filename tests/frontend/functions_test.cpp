// Functions that a model brings along and branches of If: imported in place, with the values and attributes that they
// see. Expected values are written by hand.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/constants.h"
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/model_builder.h"

namespace hone {
namespace {

using test::ModelBuilder;
using test::setAttribute;
using Values = std::vector<double>;

Values run(const std::string &bytes, const std::map<std::string, graph::Constant> &inputs) {
  auto graph = frontend::importModel(bytes, {});
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  auto outputs = test::evaluateGraph(*graph, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  const graph::ConstantData &result = *outputs->begin()->second;
  Values values;
  for (int64_t i = 0; i < result.type.elements(); ++i) values.push_back(graph::elementAsDouble(result, i));
  return values;
}

std::string errorOf(const std::string &bytes, const frontend::ImportOptions &options = {}) {
  auto graph = frontend::importModel(bytes, options);
  EXPECT_FALSE(graph.ok());
  return graph.ok() ? "" : std::string(graph.status().message());
}

const std::map<std::string, graph::Constant> kInput = {{"x", graph::makeConstant({DType::F32, {3}}, Values{-1, 0, 2})}};

onnx::NodeProto &addNode(onnx::FunctionProto &function, const std::string &op, const std::vector<std::string> &inputs,
                         const std::string &output, const std::string &domain = "") {
  onnx::NodeProto &node = *function.add_node();
  node.set_op_type(op);
  node.set_domain(domain);
  node.set_name("node_" + output);
  for (const std::string &input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

onnx::FunctionProto &addFunction(ModelBuilder &model, const std::string &name, const std::vector<std::string> &inputs,
                                 const std::string &output, int64_t opset = 16) {
  onnx::FunctionProto &function = *model.model.add_functions();
  function.set_name(name);
  function.set_domain("own");
  for (const std::string &input : inputs) function.add_input(input);
  function.add_output(output);
  for (const auto &[domain, version] : std::map<std::string, int64_t>{{"", opset}, {"own", 1}}) {
    onnx::OperatorSetIdProto &import = *function.add_opset_import();
    import.set_domain(domain);
    import.set_version(version);
  }
  return function;
}

/// x f32[3] -> a call of \p function, with output y.
onnx::NodeProto &callFunction(ModelBuilder &model, const std::string &function,
                              const std::vector<std::string> &operands = {"x"}) {
  model.input("x", DType::F32, {3});
  onnx::OperatorSetIdProto &import = *model.model.add_opset_import();
  import.set_domain("own");
  import.set_version(1);
  onnx::NodeProto &call = model.node(function, operands, {"y"});
  call.set_domain("own");
  model.output("y");
  return call;
}

/// slope·x below 0, with the function's attribute as the operator's.
ModelBuilder leakyModel() {
  ModelBuilder model(16);
  onnx::FunctionProto &function = addFunction(model, "Leaky", {"a"}, "b");
  function.add_attribute("slope");
  onnx::AttributeProto &reference = *addNode(function, "LeakyRelu", {"a"}, "b").add_attribute();
  reference.set_name("alpha");
  reference.set_ref_attr_name("slope");
  reference.set_type(onnx::AttributeProto::FLOAT);
  return model;
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(Functions, ThatCallThemselvesAreRefused) {
  ModelBuilder model(16);
  onnx::FunctionProto &function = addFunction(model, "Loops", {"a"}, "b");
  addNode(function, "Loops", {"a"}, "b", "own");
  callFunction(model, "Loops");
  EXPECT_TRUE(absl::StrContains(errorOf(model.bytes()), "nest deeper than 64")) << errorOf(model.bytes());
}

TEST(Functions, ThatMultiplyAreLimited) {
  ModelBuilder model(16);
  addNode(addFunction(model, "F0", {"a"}, "b"), "Identity", {"a"}, "b");
  for (int i = 1; i <= 40; ++i) {
    onnx::FunctionProto &function = addFunction(model, absl::StrCat("F", i), {"a"}, "b");
    addNode(function, absl::StrCat("F", i - 1), {"a"}, "c", "own");
    addNode(function, absl::StrCat("F", i - 1), {"c"}, "b", "own");
  }
  callFunction(model, "F40");
  EXPECT_TRUE(absl::StrContains(errorOf(model.bytes()), "more than 200000 nodes")) << errorOf(model.bytes());
}

TEST(Functions, WithUnsupportedOperatorsAreListed) {
  ModelBuilder model(16);
  addNode(addFunction(model, "Outer", {"a"}, "b"), "Inner", {"a"}, "b", "own");
  addNode(addFunction(model, "Inner", {"a"}, "b"), "StringNormalizer", {"a"}, "b");
  callFunction(model, "Outer");
  const std::string error = errorOf(model.bytes());
  EXPECT_TRUE(absl::StrContains(error, "StringNormalizer (ai.onnx version 16, 1 node: 'node_b'): it works on text"))
      << error;
}

TEST(Functions, DefinedTwiceOrWithTooManyOperandsAreRefused) {
  ModelBuilder twice(16);
  addNode(addFunction(twice, "F", {"a"}, "b"), "Abs", {"a"}, "b");
  addNode(addFunction(twice, "F", {"a"}, "b"), "Neg", {"a"}, "b");
  callFunction(twice, "F");
  EXPECT_TRUE(absl::StrContains(errorOf(twice.bytes()), "the function 'F' of the domain 'own' is defined twice"));
  ModelBuilder many(16);
  addNode(addFunction(many, "F", {"a"}, "b"), "Abs", {"a"}, "b");
  callFunction(many, "F", {"x", "x"});
  EXPECT_TRUE(absl::StrContains(errorOf(many.bytes()), "has 2 operands; the function takes 1"));
}

TEST(Functions, MayNotReadAroundThem) {
  ModelBuilder model(16);
  addNode(addFunction(model, "F", {"a"}, "b"), "Add", {"a", "x"}, "b");
  callFunction(model, "F");
  EXPECT_TRUE(absl::StrContains(errorOf(model.bytes()), "reads 'x', which is no input"));
}

// --------------------------------------------------------------------------------------------- what goes right

TEST(Functions, TakeTheirAttributesFromTheCall) {
  ModelBuilder model = leakyModel();
  setAttribute(callFunction(model, "Leaky"), "slope", 0.5F);
  EXPECT_EQ(run(model.bytes(), kInput), (Values{-0.5, 0, 2}));
}

TEST(Functions, LeaveOutAttributesThatTheCallLeavesOut) {
  ModelBuilder model = leakyModel();
  callFunction(model, "Leaky");
  Values result = run(model.bytes(), kInput);
  ASSERT_EQ(result.size(), 3U);
  EXPECT_NEAR(result[0], -0.01, 1e-8);
}

TEST(Functions, HaveDefaultsOfAttributes) {
  ModelBuilder model = leakyModel();
  onnx::AttributeProto slope;
  slope.set_name("slope");
  slope.set_type(onnx::AttributeProto::FLOAT);
  slope.set_f(0.25F);
  onnx::FunctionProto &function = *model.model.mutable_functions(0);
  // FunctionProto.attribute_proto, which the library's version of the format does not have yet.
  function.GetReflection()->MutableUnknownFields(&function)->AddLengthDelimited(11, slope.SerializeAsString());
  callFunction(model, "Leaky");
  EXPECT_EQ(run(model.bytes(), kInput), (Values{-0.25, 0, 2}));
}

TEST(Functions, HaveOpsetsOfTheirOwn) {
  // The bounds of Clip were attributes before version 11.
  ModelBuilder model(16);
  setAttribute(addNode(addFunction(model, "F", {"a"}, "b", 6), "Clip", {"a"}, "b"), "max", 1.0F);
  callFunction(model, "F");
  EXPECT_EQ(run(model.bytes(), kInput), (Values{-1, 0, 1}));
}

TEST(Functions, HaveNamesOfTheirOwnAndOptionalOperands) {
  // Both calls have a value called c; the second one leaves the upper bound out.
  ModelBuilder model(16);
  onnx::FunctionProto &function = addFunction(model, "Between", {"a", "low", "high"}, "b");
  addNode(function, "Clip", {"a", "low", "high"}, "c");
  addNode(function, "Neg", {"c"}, "b");
  model.floats("zero", {}, {0});
  model.floats("one", {}, {1});
  callFunction(model, "Between", {"c", "zero"});
  onnx::NodeProto &first = model.node("Between", {"x", "", "one"}, {"c"});
  first.set_domain("own");
  EXPECT_EQ(run(model.bytes(), kInput), (Values{-1, 0, 0}));
}

// ------------------------------------------------------------------------------------------------------ branches

/// A graph of one node, whose operands come from around it.
onnx::GraphProto branch(const std::string &op, const std::vector<std::string> &operands, const std::string &output) {
  onnx::GraphProto graph;
  graph.set_name(op);
  onnx::NodeProto &node = *graph.add_node();
  node.set_op_type(op);
  node.set_name("node_" + output);
  for (const std::string &operand : operands) node.add_input(operand);
  node.add_output(output);
  graph.add_output()->set_name(output);
  return graph;
}

/// x f32[3] -> If on \p condition -> y
ModelBuilder ifModel(const std::string &condition, const onnx::GraphProto &whenTrue,
                     const onnx::GraphProto &whenFalse) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {3});
  onnx::NodeProto &node = model.node("If", {condition}, {"y"});
  setAttribute(node, "then_branch", whenTrue);
  setAttribute(node, "else_branch", whenFalse);
  model.output("y");
  return model;
}

/// Whether the number of elements of x is \p wanted, in nodes; the result is `name`.
void compareSize(ModelBuilder &model, const std::string &name, int64_t wanted) {
  model.integers(name + "_wanted", {wanted});
  model.node("Shape", {"x"}, {name + "_shape"});
  model.node("Equal", {name + "_shape", name + "_wanted"}, {name});
}

TEST(If, TakesTheBranchThatFollowsFromShapes) {
  for (int64_t wanted : {3, 4}) {
    // What is in the branch that is not taken does not matter, not even an operator that there is not.
    ModelBuilder model = ifModel("c", branch("Abs", {"x"}, "z"),
                                 wanted == 3 ? branch("StringNormalizer", {"x"}, "z") : branch("Neg", {"x"}, "z"));
    compareSize(model, "c", wanted);
    EXPECT_EQ(run(model.bytes(), kInput), wanted == 3 ? (Values{1, 0, 2}) : (Values{1, -0.0, -2}));
  }
}

TEST(If, InAnIfSeesValuesOfBothAround) {
  onnx::GraphProto inner;
  inner.set_name("inner");
  onnx::NodeProto &twice = *inner.add_node();
  twice.set_op_type("Add");
  twice.add_input("x");
  twice.add_input("x");
  twice.add_output("double");
  onnx::NodeProto &nested = *inner.add_node();
  nested.set_op_type("If");
  nested.add_input("d");
  nested.add_output("z");
  setAttribute(nested, "then_branch", branch("Add", {"double", "m"}, "r"));
  setAttribute(nested, "else_branch", branch("Sub", {"double", "m"}, "r"));
  inner.add_output()->set_name("z");
  ModelBuilder model = ifModel("c", inner, branch("Identity", {"x"}, "z"));
  model.node("Neg", {"x"}, {"m"});
  compareSize(model, "c", 3);
  compareSize(model, "d", 7);
  EXPECT_EQ(run(model.bytes(), kInput), (Values{-3, 0, 6}));  // 2 x - (-x)
}

TEST(If, OfAnInputComputesBothAndChooses) {
  ModelBuilder model = ifModel("c", branch("Abs", {"x"}, "z"), branch("Neg", {"x"}, "z"));
  model.input("c", DType::Bool, {});
  auto inputs = kInput;
  for (int64_t condition : {0, 1}) {
    inputs["c"] = graph::makeConstant({DType::Bool, {}}, std::vector<int64_t>{condition});
    EXPECT_EQ(run(model.bytes(), inputs), condition != 0 ? (Values{1, 0, 2}) : (Values{1, -0.0, -2}));
  }
}

TEST(If, OfAnInputWithBranchesOfDifferentShapesIsRefused) {
  ModelBuilder model = ifModel("c", branch("Abs", {"x"}, "z"), branch("Shape", {"x"}, "z"));
  model.input("c", DType::Bool, {});
  const std::string error = errorOf(model.bytes());
  EXPECT_TRUE(absl::StrContains(error, "output 0 is f32[3] in one case and i64[1] in the other")) << error;
}

TEST(If, NamesTheInputThatDecidesBetweenBranchesThatDoNotBothFit) {
  // As in voice detectors: the rate decides between networks for two lengths, and the bound shape fits one of them.
  ModelBuilder model = ifModel("c", branch("Reshape", {"x", "three"}, "z"), branch("Reshape", {"x", "four"}, "z"));
  model.input("rate", DType::I64, {1});
  model.integers("high", {16000});
  model.node("Equal", {"rate", "high"}, {"c"});
  model.integers("three", {3});
  model.integers("four", {4});
  const std::string error = errorOf(model.bytes());
  EXPECT_TRUE(absl::StrContains(error,
                                "cannot become [4]; which branch is taken follows from the input 'rate', which "
                                "--bind rate=VALUE makes a constant"))
      << error;
  frontend::ImportOptions options;
  options.boundInputs["rate"] = std::string("16000");
  EXPECT_TRUE(frontend::importModel(model.bytes(), options).ok());
  options.boundInputs["rate"] = std::string("8000");
  EXPECT_FALSE(absl::StrContains(errorOf(model.bytes(), options), "which branch"));
}

TEST(If, RefusesWhatIsWrong) {
  ModelBuilder number = ifModel("x", branch("Abs", {"x"}, "z"), branch("Neg", {"x"}, "z"));
  EXPECT_TRUE(absl::StrContains(errorOf(number.bytes()), "the condition is f32[3], not one bool"));
  ModelBuilder unknown = ifModel("c", branch("Abs", {"nobody"}, "z"), branch("Neg", {"x"}, "z"));
  compareSize(unknown, "c", 3);
  EXPECT_TRUE(absl::StrContains(errorOf(unknown.bytes()), "reads 'nobody', which is no input"));
  ModelBuilder missing = ifModel("c", branch("StringNormalizer", {"x"}, "z"), branch("Neg", {"x"}, "z"));
  compareSize(missing, "c", 3);
  EXPECT_TRUE(absl::StrContains(errorOf(missing.bytes()), "StringNormalizer (ai.onnx version 13"))
      << errorOf(missing.bytes());
}

}  // namespace
}  // namespace hone
