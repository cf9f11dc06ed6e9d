// Sequences and optionals, which are gone once the model is imported. What is expected is worked out by hand.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/frontend/evaluated_model.h"

namespace hone {
namespace {

using test::Array;
using test::BodyBuilder;
using test::evaluateModel;
using test::expectContains;
using test::importError;
using test::ModelBuilder;
using test::setAttribute;
using Extents = std::vector<int64_t>;

/// x f32[2,3] = 1 … 6
ModelBuilder startModel() {
  ModelBuilder model(17);
  model.input("x", DType::F32, {2, 3});
  model.integers("zero", {0});
  model.integers("one", {1});
  model.integers("last", {-1});
  model.integers("far", {5});
  return model;
}
const std::map<std::string, Array> kInput = {{"x", {{2, 3}, {1, 2, 3, 4, 5, 6}}}};

/// [x, -x, |x|]
void addThree(ModelBuilder &model) {
  model.node("Neg", {"x"}, {"negative"});
  model.node("Abs", {"x"}, {"positive"});
  model.node("SequenceConstruct", {"x", "negative", "positive"}, {"list"});
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(Sequences, AreNoTensors) {
  ModelBuilder model = startModel();
  addThree(model);
  model.output("y");
  onnx::NodeProto &node = model.node("Relu", {"list"}, {"y"});
  expectContains(importError(model), "operand 0 is a sequence of 3 tensors, not a tensor");
  node.set_op_type("SequenceLength");
  *node.mutable_input(0) = "x";
  expectContains(importError(model), "operand 0 is a tensor, not a sequence");
  node.set_op_type("SequenceConstruct");
  *node.mutable_input(0) = "list";
  expectContains(importError(model), "operand 0 is not a tensor");
}

TEST(Sequences, AreNoInputsOrOutputs) {
  ModelBuilder model = startModel();
  addThree(model);
  model.output("list");
  expectContains(importError(model),
                 "output 'list' is a sequence of 3 tensors, but a compiled network gives tensors; end "
                 "the model with SequenceAt for each of them or with ConcatFromSequence");
  ModelBuilder input = startModel();
  onnx::ValueInfoProto &proto = *input.model.mutable_graph()->add_input();
  proto.set_name("list");
  proto.mutable_type()->mutable_sequence_type();
  input.output("x");
  expectContains(importError(input), "input 'list' is not a tensor (but a sequence");
}

TEST(Sequences, HaveBounds) {
  for (const char *op : {"SequenceAt", "SequenceErase", "SequenceInsert"}) {
    ModelBuilder model = startModel();
    addThree(model);
    std::vector<std::string> operands = {"list", "far"};
    if (std::string(op) == "SequenceInsert") operands = {"list", "x", "far"};
    model.node(op, operands, {"y"});
    model.output("y");
    expectContains(importError(model), "position 5 is outside of");
  }
}

TEST(Sequences, HaveOneType) {
  ModelBuilder model = startModel();
  model.node("SequenceConstruct", {"x", "one"}, {"list"});
  model.output("list");
  expectContains(importError(model), "a sequence cannot have both f32[2,3] and i64[1]");
}

TEST(Sequences, ThatAreEmptyGiveNothing) {
  for (const char *op : {"SequenceErase", "ConcatFromSequence"}) {
    ModelBuilder model = startModel();
    model.node("SequenceEmpty", {}, {"list"});
    setAttribute(model.node(op, {"list"}, {"y"}), "axis", 0);
    model.output("y");
    expectContains(importError(model), "there is nothing in the sequence to");
  }
}

TEST(Sequences, ThatGrowWithoutEndAreLimited) {
  // Each element is added to a copy; 5,000 of them are 12.5 million entries.
  ModelBuilder model = startModel();
  model.integers("trips", {5000});
  model.node("SequenceEmpty", {}, {"none"});
  BodyBuilder body({"i", "running", "list"}, {"running", "longer"});
  body.node("SequenceInsert", {"list", "x"}, {"longer"});
  setAttribute(model.node("Loop", {"trips", "", "none"}, {"list"}), "body", body.graph);
  model.node("SequenceLength", {"list"}, {"y"});
  model.output("y");
  expectContains(importError(model), "the sequences of the model have more than 10000000 tensors");
}

TEST(Sequences, OfDifferentLengthsAreNotChosenByData) {
  ModelBuilder model = startModel();
  model.input("c", DType::Bool, {});
  onnx::NodeProto &node = model.node("If", {"c"}, {"list"});
  BodyBuilder one({}, {"r"}), two({}, {"r"});
  one.node("SequenceConstruct", {"x"}, {"r"});
  two.node("SequenceConstruct", {"x", "x"}, {"r"});
  setAttribute(node, "then_branch", one.graph);
  setAttribute(node, "else_branch", two.graph);
  setAttribute(model.node("ConcatFromSequence", {"list"}, {"y"}), "axis", 0);
  model.output("y");
  expectContains(importError(model),
                 "output 0 is a sequence of 1 in one case and a sequence of 2 in the other; which "
                 "branch is taken follows from the input 'c'");
}

TEST(Optionals, ThatAreEmptyAreNoOutputs) {
  ModelBuilder model = startModel();
  model.node("Optional", {}, {"y"});
  model.output("y");
  expectContains(importError(model), "output 'y' stands for a value that is absent");
  model.model.mutable_graph()->mutable_output(0)->set_name("z");
  model.node("OptionalGetElement", {"y"}, {"z"});
  expectContains(importError(model), "the optional has no element");
  model.model.mutable_graph()->mutable_node(1)->set_op_type("Relu");
  expectContains(importError(model), "operand 0 is missing");
}

// --------------------------------------------------------------------------------------------- what goes right

TEST(Sequences, AreListsOfWhatWentIn) {
  ModelBuilder model = startModel();
  addThree(model);
  model.node("SequenceErase", {"list", "zero"}, {"shorter"});         // [-x, |x|]
  model.node("SequenceInsert", {"shorter", "x", "last"}, {"mixed"});  // [-x, x, |x|]
  model.node("SequenceErase", {"mixed"}, {"two"});                    // [-x, x]
  model.node("SequenceAt", {"two", "last"}, {"y"});
  model.node("SequenceLength", {"mixed"}, {"count"});
  setAttribute(model.node("ConcatFromSequence", {"two"}, {"joined"}), "axis", -1);
  onnx::NodeProto &stacked = model.node("ConcatFromSequence", {"two"}, {"stacked"});
  setAttribute(stacked, "axis", -1);
  setAttribute(stacked, "new_axis", 1);
  for (const char *name : {"y", "count", "joined", "stacked"}) model.output(name);
  const auto outputs = evaluateModel(model, kInput);
  expectArray(outputs.at("y"), kInput.at("x"), 0);
  expectArray(outputs.at("count"), {{}, {3}, DType::I64}, 0);
  expectArray(outputs.at("joined"), {{2, 6}, {-1, -2, -3, 1, 2, 3, -4, -5, -6, 4, 5, 6}}, 0);
  expectArray(outputs.at("stacked"), {{2, 3, 2}, {-1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6}}, 0);
}

TEST(Sequences, HaveElementsThatDataChooses) {
  ModelBuilder model = startModel();
  model.input("which", DType::I64, {});
  addThree(model);
  model.node("SequenceAt", {"list", "which"}, {"y"});
  model.output("y");
  auto inputs = kInput;
  for (double which : {1.0, -2.0}) {
    inputs["which"] = Array({}, {which}, DType::I64);
    expectArray(evaluateModel(model, inputs).at("y"), {{2, 3}, {-1, -2, -3, -4, -5, -6}}, 0);
  }
}

TEST(SplitToSequence, CutsAsItIsTold) {
  struct Case {
    std::vector<int64_t> split;  ///< empty: left out
    bool isScalar;
    int64_t keepsDim;
    Array last;
    double count;
  };
  const std::vector<Case> cases = {{{}, false, 1, {{2, 1}, {3, 6}}, 3},
                                   {{}, false, 0, {{2}, {3, 6}}, 3},
                                   {{2}, true, 0, {{2, 1}, {3, 6}}, 2},
                                   {{1, 2}, false, 1, {{2, 2}, {2, 3, 5, 6}}, 2}};
  for (const Case &item : cases) {
    ModelBuilder model = startModel();
    std::vector<std::string> operands = {"x"};
    if (!item.split.empty()) {
      model.integers("split", item.split);
      if (item.isScalar) model.model.mutable_graph()->mutable_initializer(4)->clear_dims();
      operands.emplace_back("split");
    }
    onnx::NodeProto &node = model.node("SplitToSequence", operands, {"list"});
    setAttribute(node, "axis", 1);
    setAttribute(node, "keepdims", item.keepsDim);
    model.node("SequenceAt", {"list", "last"}, {"y"});
    model.node("SequenceLength", {"list"}, {"count"});
    model.output("y");
    model.output("count");
    const auto outputs = evaluateModel(model, kInput);
    expectArray(outputs.at("y"), item.last, 0);
    expectArray(outputs.at("count"), {{}, {item.count}, DType::I64}, 0);
  }
}

TEST(SplitToSequence, RefusesPartsThatDoNotFit) {
  ModelBuilder model = startModel();
  model.integers("split", {1, 1});
  setAttribute(model.node("SplitToSequence", {"x", "split"}, {"list"}), "axis", 1);
  model.output("list");
  expectContains(importError(model), "parts of [1,1] do not divide 3 elements");
}

TEST(SequenceMap, AppliesItsGraphToEachElement) {
  ModelBuilder model = startModel();
  addThree(model);
  BodyBuilder body({"a", "b"}, {"sum", "shape"});
  body.node("Add", {"a", "b"}, {"sum"});
  body.node("Shape", {"a"}, {"shape"});
  setAttribute(model.node("SequenceMap", {"list", "x"}, {"sums", "shapes"}), "body", body.graph);
  model.node("SequenceAt", {"sums", "one"}, {"y"});
  setAttribute(model.node("ConcatFromSequence", {"shapes"}, {"extents"}), "axis", 0);
  model.output("y");
  model.output("extents");
  const auto outputs = evaluateModel(model, kInput);
  expectArray(outputs.at("y"), Array({2, 3}), 0);
  expectArray(outputs.at("extents"), {{6}, {2, 3, 2, 3, 2, 3}, DType::I64}, 0);
}

TEST(Optionals, AreThereOrNot) {
  ModelBuilder model = startModel();
  addThree(model);
  model.node("Optional", {"list"}, {"some"});
  model.node("Optional", {}, {"none"});
  model.node("Identity", {"none"}, {"nothing"});
  model.node("OptionalHasElement", {"some"}, {"has"});
  model.node("OptionalHasElement", {"nothing"}, {"has_not"});
  model.node("OptionalGetElement", {"some"}, {"element"});
  model.node("SequenceAt", {"element", "one"}, {"y"});
  for (const char *name : {"has", "has_not", "y"}) model.output(name);
  const auto outputs = evaluateModel(model, kInput);
  expectArray(outputs.at("has"), {{}, {1}, DType::Bool}, 0);
  expectArray(outputs.at("has_not"), {{}, {0}, DType::Bool}, 0);
  expectArray(outputs.at("y"), {{2, 3}, {-1, -2, -3, -4, -5, -6}}, 0);
}

}  // namespace
}  // namespace hone
