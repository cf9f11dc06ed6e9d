// Loops that run as such and put something behind a state in each iteration, as exporters write lists of tensors: what
// they give is as long as there were iterations.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/frontend/evaluated_model.h"
#include "tests/frontend/run_model.h"

namespace hone {
namespace {

using test::addLoop;
using test::Array;
using test::BodyBuilder;
using test::expectContains;
using test::expectRuns;
using test::importError;
using test::ModelBuilder;
using test::setAttribute;

Array number(double value, DType dtype = DType::F32) { return {{}, {value}, dtype}; }

/// A model whose loop takes place as often as bools of the input "chosen" are true, at most \p most times: "trips".
ModelBuilder counted(int64_t most) {
  ModelBuilder model(16);
  model.input("chosen", DType::Bool, {most});
  model.node("NonZero", {"chosen"}, {"places"});
  model.node("Shape", {"places"}, {"shape"});
  model.integers("one", {1});
  model.integers("two", {2});
  model.node("Slice", {"shape", "one", "two"}, {"trips"});
  return model;
}

Array chosen(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  return {{count}, std::move(values), DType::Bool};
}

/// next = state with the row x * (i + 1) behind it, along \p axis.
BodyBuilder growingBody(int64_t axis, const std::string &state = "state") {
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  setAttribute(body.node("Cast", {"i"}, {"number"}), "to", test::elementType(DType::F32));
  body.node("Add", {"number", "unit"}, {"following"});
  body.node("Mul", {"x", "following"}, {"row"});
  setAttribute(body.node("Concat", {state, "row"}, {"next"}), "axis", axis);
  return body;
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(GrowingLoop, WhoseStateIsReadBesidesIsRefused) {
  ModelBuilder model = counted(3);
  model.input("x", DType::F32, {1, 2});
  model.floats("unit", {}, {1});
  model.floats("none", {0, 2}, {});
  BodyBuilder body = growingBody(0);
  body.graph.add_output()->set_name("sum");
  setAttribute(body.node("ReduceSum", {"state"}, {"sum"}), "keepdims", 0);
  addLoop(model, {"trips", "", "none"}, {"y", "sums"}, body);
  expectContains(importError(model), "which only iterations that are written out may do");
}

TEST(GrowingLoop, WhoseStateMovesBackIsRefused) {
  // What is new comes first: the state is behind it.
  ModelBuilder model = counted(3);
  model.input("x", DType::F32, {1, 2});
  model.floats("none", {0, 2}, {});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  setAttribute(body.node("Concat", {"x", "state"}, {"next"}), "axis", 0);
  addLoop(model, {"trips", "", "none"}, {"y"}, body);
  expectContains(importError(model), "which only iterations that are written out may do");
}

TEST(GrowingLoop, WhoseStateIsDoubledIsRefused) {
  ModelBuilder model = counted(3);
  model.input("x", DType::F32, {1, 2});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  setAttribute(body.node("Concat", {"state", "state"}, {"next"}), "axis", 0);
  addLoop(model, {"trips", "", "x"}, {"y"}, body);
  expectContains(importError(model), "which only iterations that are written out may do");
}

TEST(GrowingLoop, RowsHaveToFitTheState) {
  ModelBuilder model = counted(3);
  model.input("x", DType::F32, {1, 2});
  model.floats("unit", {}, {1});
  model.floats("none", {0, 5}, {});
  addLoop(model, {"trips", "", "none"}, {"y"}, growingBody(0));
  expectContains(importError(model), "behind which f32[1,2] is put along axis 0");
}

TEST(GrowingLoop, WhatIsPutBehindHasASizeOfItsOwn) {
  // As many elements as are not 0: no room can be set aside for them by what is known of one iteration.
  ModelBuilder model = counted(3);
  model.input("x", DType::F32, {4});
  model.integers("none", {});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  body.node("NonZero", {"x"}, {"found"});
  body.node("Squeeze", {"found"}, {"places"});
  body.node("Add", {"places", "i"}, {"row"});
  setAttribute(body.node("Concat", {"state", "row"}, {"next"}), "axis", 0);
  addLoop(model, {"trips", "", "none"}, {"y"}, body);
  expectContains(importError(model), "state 0 has an element for each iteration, whose sizes depend on data");
}

// --------------------------------------------------------------------------------------------------- what they give

TEST(GrowingLoop, BeginsWithNothing) {
  ModelBuilder model = counted(4);
  model.input("x", DType::F32, {1, 2});
  model.floats("unit", {}, {1});
  model.floats("none", {0, 2}, {});
  addLoop(model, {"trips", "", "none"}, {"y"}, growingBody(0));
  const Array x{{1, 2}, {1, 10}};
  expectRuns(model, {{"chosen", chosen({1, 0, 1, 1})}, {"x", x}}, {{"y", {{3, 2}, {1, 10, 2, 20, 3, 30}}}});
  expectRuns(model, {{"chosen", chosen({0, 0, 0, 0})}, {"x", x}}, {{"y", Array({0, 2})}});
  expectRuns(model, {{"chosen", chosen({1, 1, 1, 1})}, {"x", x}}, {{"y", {{4, 2}, {1, 10, 2, 20, 3, 30, 4, 40}}}});
}

TEST(GrowingLoop, BeginsWithSomethingAndGrowsInTheMiddle) {
  // Two columns more in each iteration, behind one of the beginning.
  ModelBuilder model = counted(3);
  model.input("x", DType::F32, {2, 2, 1});
  model.input("first", DType::F32, {2, 1, 1});
  model.floats("unit", {}, {1});
  addLoop(model, {"trips", "", "first"}, {"y"}, growingBody(-2));
  const Array x{{2, 2, 1}, {1, 2, 3, 4}}, first{{2, 1, 1}, {7, 8}};
  expectRuns(model, {{"chosen", chosen({0, 1, 1})}, {"x", x}, {"first", first}},
             {{"y", {{2, 5, 1}, {7, 1, 2, 2, 4, 8, 3, 4, 6, 8}}}});
  expectRuns(model, {{"chosen", chosen({0, 0, 0})}, {"x", x}, {"first", first}}, {{"y", first}});
}

TEST(GrowingLoop, GrowsBesideStatesAndOutputs) {
  // A sum, a list of what it was, and a state that grows, in an order of their own.
  ModelBuilder model = counted(3);
  model.input("x", DType::F32, {1});
  model.floats("none", {0}, {});
  BodyBuilder body({"i", "running", "list", "sum"}, {"running", "longer", "next", "before"});
  body.node("Add", {"sum", "x"}, {"next"});
  body.node("Identity", {"sum"}, {"before"});
  body.node("Mul", {"sum", "sum"}, {"square"});
  setAttribute(body.node("Concat", {"list", "square", "x"}, {"longer"}), "axis", 0);
  addLoop(model, {"trips", "", "none", "x"}, {"squares", "last", "sums"}, body);
  expectRuns(model, {{"chosen", chosen({1, 1, 0})}, {"x", {{1}, {3}}}},
             {{"squares", {{4}, {9, 3, 36, 3}}}, {"last", {{1}, {9}}}, {"sums", {{2, 1}, {3, 6}}}});
}

TEST(GrowingLoop, EndsWhenItsConditionSaysSo) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {1});
  model.input("until", DType::I64, {});
  model.integers("trips", {5000});
  model.floats("none", {0}, {});
  model.integers("one_for_true", {1});
  setAttribute(model.node("Cast", {"one_for_true"}, {"true"}), "to", test::elementType(DType::Bool));
  BodyBuilder body({"i", "running", "list"}, {"go_on", "longer"});
  body.node("Less", {"i", "until"}, {"go_on"});
  setAttribute(body.node("Concat", {"list", "x"}, {"longer"}), "axis", 0);
  addLoop(model, {"trips", "true", "none"}, {"y"}, body);
  expectRuns(model, {{"x", {{1}, {2}}}, {"until", number(3, DType::I64)}}, {{"y", {{4}, {2, 2, 2, 2}}}});
}

}  // namespace
}  // namespace hone
