// Loop and Scan that are written out, because it is known how often they repeat (run_time_loops_test.cpp has the
// others). What is expected is worked out by hand.
#include "compiler/graph/loops.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "compiler/frontend/onnx/import.h"
#include "tests/frontend/evaluated_model.h"

namespace hone {
namespace {

using test::addLoop;
using test::Array;
using test::BodyBuilder;
using test::evaluateModel;
using test::expectContains;
using test::importError;
using test::ModelBuilder;
using test::setAttribute;
using Values = std::vector<double>;
using Extents = std::vector<int64_t>;

/// next = state + x, where x is of the graph around; the state is collected before it changes.
BodyBuilder addingBody() {
  BodyBuilder body({"i", "running", "state"}, {"running", "next", "before"});
  body.node("Add", {"state", "x"}, {"next"});
  body.node("Identity", {"state"}, {"before"});
  return body;
}

/// The state grows by x until the sum of its elements reaches 10, which depends on data.
BodyBuilder searchingBody() {
  BodyBuilder body({"i", "running", "state"}, {"go_on", "next"});
  body.node("Add", {"state", "x"}, {"next"});
  setAttribute(body.node("ReduceSum", {"next"}, {"sum"}), "keepdims", 0);
  body.node("Less", {"sum", "ten"}, {"go_on"});
  return body;
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(Loop, ThatNeverEndsIsRefused) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  addLoop(model, {"", "", "x"}, {"y"}, BodyBuilder({"i", "running", "state"}, {"running", "state"}));
  expectContains(importError(model),
                 "it never ends: it has no trip count, and nothing in it makes its condition false");
}

TEST(Loop, ThatContainsItselfManyTimesIsNotWrittenOut) {
  // Ten iterations, nested six deep.
  BodyBuilder inner = addingBody();
  for (int depth = 0; depth < 6; ++depth) {
    BodyBuilder outer({"i" + std::to_string(depth), "running", "state"}, {"running", "next", "before"});
    setAttribute(outer.node("Loop", {"trips", "", "state"}, {"next"}), "body", inner.graph);
    outer.node("Identity", {"state"}, {"before"});
    inner = outer;
  }
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {10});
  addLoop(model, {"trips", "", "x"}, {"y"}, inner);
  // Written out, these are millions of nodes.
  const auto graph = frontend::importModel(model.bytes(), {});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_LT(graph->nodes.size(), 60'000U);
  EXPECT_FALSE(graph::findLoops(*graph)->loops.empty());
}

TEST(Loop, OfGrowingStateIsWrittenOutUpToALimit) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {std::numeric_limits<int64_t>::max()});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  setAttribute(body.node("Concat", {"state", "x"}, {"next"}), "axis", 0);
  addLoop(model, {"trips", "", "x"}, {"y"}, body);
  expectContains(importError(model),
                 "state 0 is f32[2] at first and f32[4] after an iteration, which only iterations that "
                 "are written out may do; write into a tensor of the final size instead");
}

TEST(Loop, CollectsTensorsOfOneShape) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {3});
  BodyBuilder body({"i", "running", "state"}, {"running", "next", "before"});
  setAttribute(body.node("Concat", {"state", "x"}, {"next"}), "axis", 0);
  body.node("Identity", {"state"}, {"before"});
  addLoop(model, {"trips", "", "x"}, {"y", "all"}, body);
  expectContains(importError(model), "is f32[2] in the first iteration and f32[4] in iteration 2");
}

TEST(Loop, WhoseStateChangesItsShapeMayNotEndByData) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("go", DType::Bool, {});
  model.integers("trips", {3});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  setAttribute(body.node("Concat", {"state", "x"}, {"next"}), "axis", 0);
  addLoop(model, {"trips", "go", "x"}, {"y"}, body);
  expectContains(importError(model), "state 0 is f32[4] in one case and f32[2] in the other");
}

TEST(Loop, OfAnotherSignatureIsRefused) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {3});
  addLoop(model, {"trips", "", "x", "x"}, {"y"}, addingBody());
  expectContains(importError(model), "its graph 'body' has 3 inputs, but gets 4");
  onnx::NodeProto &node = *model.model.mutable_graph()->mutable_node(0);
  *node.mutable_input(1) = "x";
  expectContains(importError(model), "the condition is f32[2], not one bool");
  node.clear_input();
  expectContains(importError(model), "has 0 operands; the operator takes 2 or more");
}

// --------------------------------------------------------------------------------------------- what goes right

TEST(Loop, CarriesStateCollectsAndReadsWhatIsAround) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("start", DType::F32, {2});
  model.integers("trips", {3});
  addLoop(model, {"trips", "", "start"}, {"y", "all"}, addingBody());
  const auto outputs = evaluateModel(model, {{"x", {{2}, {1, -2}}}, {"start", {{2}, {10, 0}}}});
  expectArray(outputs.at("y"), {{2}, {13, -6}}, 0);
  expectArray(outputs.at("all"), {{3, 2}, {10, 0, 11, -2, 12, -4}}, 0);
}

TEST(Loop, CollectsMoreThanOneConcatenationTakes) {
  constexpr int64_t kTrips = 131;
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {kTrips});
  addLoop(model, {"trips", "", "x"}, {"y", "all"}, addingBody());
  Array expected({kTrips, 2});
  for (int64_t i = 0; i < kTrips; ++i) {
    expected.at({i, 0}) = static_cast<double>(i + 1);
    expected.at({i, 1}) = static_cast<double>(2 * (i + 1));
  }
  expectArray(evaluateModel(model, {{"x", {{2}, {1, 2}}}}).at("all"), expected, 0);
}

TEST(Loop, RepeatsAsOftenAsAShapeSays) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {4});
  model.node("Shape", {"x"}, {"trips"});
  addLoop(model, {"trips", "", "x"}, {"y", "all"}, addingBody());
  expectArray(evaluateModel(model, {{"x", {{4}, {1, 2, 3, 4}}}}).at("y"), {{4}, {5, 10, 15, 20}}, 0);
}

TEST(Loop, EndsByAConditionThatFolds) {
  // As exporters write `while i < 3`: as many trips as there are integers, and a condition.
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {std::numeric_limits<int64_t>::max()});
  model.integers("two", {2});
  BodyBuilder body({"i", "running", "state"}, {"go_on", "next"});
  body.node("Less", {"i", "two"}, {"go_on"});
  body.node("Add", {"state", "x"}, {"next"});
  setAttribute(model.node("Cast", {"two"}, {"true"}), "to", test::elementType(DType::Bool));
  addLoop(model, {"trips", "true", "x"}, {"y"}, body);
  expectArray(evaluateModel(model, {{"x", {{2}, {1, 5}}}}).at("y"), {{2}, {4, 20}}, 0);
}

TEST(Loop, ThatDoesNotRunGivesItsStatesAndEmptyTensors) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {-1});
  addLoop(model, {"trips", "", "x"}, {"y", "all"}, addingBody());
  const auto outputs = evaluateModel(model, {{"x", {{2}, {1, 5}}}});
  expectArray(outputs.at("y"), {{2}, {1, 5}}, 0);
  EXPECT_EQ(outputs.at("all").shape, (Extents{0, 2}));
}

TEST(Loop, MayGrowItsStateWhereItsLengthIsKnown) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {2});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  setAttribute(body.node("Concat", {"state", "x"}, {"next"}), "axis", 0);
  addLoop(model, {"trips", "", "x"}, {"y"}, body);
  expectArray(evaluateModel(model, {{"x", {{2}, {1, 5}}}}).at("y"), {{6}, {1, 5, 1, 5, 1, 5}}, 0);
}

TEST(Loop, ThatEndsByDataKeepsItsStateFromThen) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("go", DType::Bool, {});
  model.integers("trips", {5});
  model.floats("ten", {}, {10});
  addLoop(model, {"trips", "go", "x"}, {"y"}, searchingBody());
  auto result = [&](Values x, double go) {
    return evaluateModel(model, {{"x", {{2}, std::move(x)}}, {"go", {{}, {go}, DType::Bool}}}).at("y");
  };
  expectArray(result({2, 1}, 1), {{2}, {8, 4}}, 0);    // 3, 6, 9, 12: three iterations
  expectArray(result({20, 1}, 1), {{2}, {40, 2}}, 0);  // one, for the first is not asked
  expectArray(result({0.5, 0}, 1), {{2}, {3, 0}}, 0);  // all five
  expectArray(result({2, 1}, 0), {{2}, {2, 1}}, 0);    // none
}

TEST(Loop, ThatHasEndedByDataDoesNotBeginAgain) {
  // Iteration 1 is the only one after which the condition is false.
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("stop", DType::I64, {});
  model.integers("trips", {5});
  model.integers("one", {1});
  setAttribute(model.node("Cast", {"one"}, {"true"}), "to", test::elementType(DType::Bool));
  BodyBuilder body({"i", "running", "state"}, {"go_on", "next"});
  body.node("Equal", {"i", "stop"}, {"ends"});
  body.node("Not", {"ends"}, {"go_on"});
  body.node("Add", {"state", "x"}, {"next"});
  addLoop(model, {"trips", "true", "x"}, {"y"}, body);
  const auto outputs = evaluateModel(model, {{"x", {{2}, {1, 5}}}, {"stop", {{}, {1}, DType::I64}}});
  expectArray(outputs.at("y"), {{2}, {3, 15}}, 0);
}

TEST(Loop, InALoopReadsBothAround) {
  // The inner one adds i * x, as often as the outer one has begun.
  ModelBuilder model(16);
  model.input("x", DType::F32, {1});
  model.integers("trips", {3});
  model.integers("one", {1});
  BodyBuilder inner({"k", "again", "sum"}, {"again", "more"});
  setAttribute(inner.node("Cast", {"i"}, {"factor"}), "to", test::elementType(DType::F32));
  inner.node("Mul", {"factor", "x"}, {"product"});
  inner.node("Add", {"sum", "product"}, {"more"});
  BodyBuilder outer({"i", "running", "state"}, {"running", "next"});
  outer.node("Add", {"i", "one"}, {"count"});
  setAttribute(outer.node("Loop", {"count", "", "state"}, {"next"}), "body", inner.graph);
  addLoop(model, {"trips", "", "x"}, {"y"}, outer);
  expectArray(evaluateModel(model, {{"x", {{1}, {2}}}}).at("y"), {{1}, {18}}, 0);  // 2 + 2 (0·1 + 1·2 + 2·3)
}

TEST(Loop, CollectsASequence) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {3});
  model.node("SequenceEmpty", {}, {"none"});
  BodyBuilder body({"i", "running", "list"}, {"running", "longer"});
  setAttribute(body.node("Cast", {"i"}, {"factor"}), "to", test::elementType(DType::F32));
  body.node("Mul", {"factor", "x"}, {"product"});
  body.node("SequenceInsert", {"list", "product"}, {"longer"});
  setAttribute(model.node("Loop", {"trips", "", "none"}, {"list"}), "body", body.graph);
  setAttribute(model.node("ConcatFromSequence", {"list"}, {"y"}), "axis", 0);
  model.output("y");
  expectArray(evaluateModel(model, {{"x", {{2}, {1, 5}}}}).at("y"), {{6}, {0, 0, 1, 5, 2, 10}}, 0);
}

// ---------------------------------------------------------------------------------------------------------- scans

/// sum = state + element; collected are the sum and the second element, where there is one.
BodyBuilder summingBody(bool hasSecond) {
  BodyBuilder body({"state", "element"}, {"sum", "copy"});
  if (hasSecond) {
    body.graph.add_input()->set_name("other");
    body.graph.add_output()->set_name("other_out");
    body.node("Identity", {"other"}, {"other_out"});
  }
  body.node("Add", {"state", "element"}, {"sum"});
  body.node("Identity", {"sum"}, {"copy"});
  return body;
}

onnx::NodeProto &addScan(ModelBuilder &model, const std::vector<std::string> &operands,
                         const std::vector<std::string> &outputs, const BodyBuilder &body, int64_t inputs) {
  onnx::NodeProto &node = model.node("Scan", operands, outputs);
  setAttribute(node, "body", body.graph);
  setAttribute(node, "num_scan_inputs", inputs);
  for (const std::string &output : outputs) model.output(output);
  return node;
}

TEST(Scan, RefusesWhatDoesNotFit) {
  ModelBuilder model(16);
  model.input("s", DType::F32, {2});
  model.input("x", DType::F32, {3, 2});
  model.input("z", DType::F32, {4, 2});
  onnx::NodeProto &node = addScan(model, {"s", "x", "z"}, {"y", "all", "others"}, summingBody(true), 2);
  expectContains(importError(model), "it walks along axes of 3 and 4 elements");
  node.mutable_attribute(1)->set_i(4);
  expectContains(importError(model), "attribute 'num_scan_inputs' is 4, not within 1 to 3 operands");
  node.mutable_attribute(1)->set_i(2);
  setAttribute(node, "scan_input_axes", Extents{0});
  expectContains(importError(model), "attribute 'scan_input_axes' has 1 entries instead of 2");
}

TEST(Scan, WalksAlongAxesInDirections) {
  ModelBuilder model(16);
  model.input("s", DType::F32, {2});
  model.input("x", DType::F32, {3, 2});
  model.input("z", DType::F32, {2, 3});
  onnx::NodeProto &node = addScan(model, {"s", "x", "z"}, {"y", "all", "others"}, summingBody(true), 2);
  setAttribute(node, "scan_input_axes", Extents{0, -1});
  setAttribute(node, "scan_input_directions", Extents{1, 0});
  setAttribute(node, "scan_output_axes", Extents{1, 0});
  setAttribute(node, "scan_output_directions", Extents{0, 1});
  const auto outputs = evaluateModel(
      model, {{"s", {{2}, {100, 0}}}, {"x", {{3, 2}, {1, 2, 3, 4, 5, 6}}}, {"z", {{2, 3}, {10, 20, 30, 40, 50, 60}}}});
  expectArray(outputs.at("y"), {{2}, {109, 12}}, 0);
  expectArray(outputs.at("all"), {{2, 3}, {105, 108, 109, 6, 10, 12}}, 0);
  expectArray(outputs.at("others"), {{3, 2}, {30, 60, 20, 50, 10, 40}}, 0);
}

TEST(Scan, OfNothingGivesItsStatesAndEmptyTensors) {
  ModelBuilder model(16);
  model.input("s", DType::F32, {2});
  model.input("x", DType::F32, {2, 3});
  model.integers("none", {0});
  model.integers("one", {1});
  model.node("Slice", {"x", "none", "none", "one"}, {"nothing"});
  onnx::NodeProto &node = addScan(model, {"s", "nothing"}, {"y", "all"}, summingBody(false), 1);
  setAttribute(node, "scan_input_axes", Extents{1});
  setAttribute(node, "scan_output_axes", Extents{-1});
  const auto outputs = evaluateModel(model, {{"s", {{2}, {1, 5}}}, {"x", Array({2, 3})}});
  expectArray(outputs.at("y"), {{2}, {1, 5}}, 0);
  EXPECT_EQ(outputs.at("all").shape, (Extents{2, 0}));
}

TEST(Scan, OfVersion8HasABatch) {
  ModelBuilder model(8);
  model.input("s", DType::F32, {2, 1});
  model.input("x", DType::F32, {2, 3, 1});
  onnx::NodeProto &node = addScan(model, {"", "s", "x"}, {"y", "all"}, summingBody(false), 1);
  setAttribute(node, "directions", Extents{1});
  const auto outputs = evaluateModel(model, {{"s", {{2, 1}, {0, 100}}}, {"x", {{2, 3, 1}, {1, 2, 3, 4, 5, 6}}}});
  expectArray(outputs.at("y"), {{2, 1}, {6, 115}}, 0);
  expectArray(outputs.at("all"), {{2, 3, 1}, {3, 5, 6, 106, 111, 115}}, 0);
  *node.mutable_input(0) = "lengths";
  model.integers("lengths", {3, 2});
  expectContains(importError(model), "operand 0 (sequence_lens) gives each sequence a length of its own");
}

}  // namespace
}  // namespace hone
