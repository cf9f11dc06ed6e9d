// Loops whose length shows at run time, or that are too long to write out, through the whole compiler and the runtime.
// What is expected is worked out by hand or by plain loops.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
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
using Values = std::vector<double>;

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

Array number(double value, DType dtype = DType::F32) { return {{}, {value}, dtype}; }

/// A constant true, called "true".
void addTrue(ModelBuilder &model) {
  model.integers("one_for_true", {1});
  setAttribute(model.node("Cast", {"one_for_true"}, {"true"}), "to", test::elementType(DType::Bool));
}

/// next = state + x, where x is of the graph around; the state is collected before it changes.
BodyBuilder addingBody() {
  BodyBuilder body({"i", "running", "state"}, {"running", "next", "before"});
  body.node("Add", {"state", "x"}, {"next"});
  body.node("Identity", {"state"}, {"before"});
  return body;
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(RunTimeLoop, WhoseStateGrowsIsRefused) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("trips", DType::I64, {});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  setAttribute(body.node("Concat", {"state", "x"}, {"next"}), "axis", 0);
  addLoop(model, {"trips", "", "x"}, {"y"}, body);
  const std::string error = importError(model);
  expectContains(
      error,
      "state 0 is f32[2] at first and f32[4] after an iteration, which only iterations that are written out may do");
  expectContains(error, "write into a tensor of the final size instead");
  expectContains(error,
                 "or how often it repeats has to be known at compile time, and that follows from the input 'trips', "
                 "which --bind trips=VALUE makes a constant");
}

TEST(RunTimeLoop, CannotCollectWithoutABound) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("trips", DType::I64, {});
  addLoop(model, {"trips", "", "x"}, {"y", "all"}, addingBody());
  const std::string error = importError(model);
  expectContains(
      error,
      "output 1 has an element for each iteration, and how many there are at most has to be known at compile time");
  expectContains(error,
                 "follows from the input 'trips', which --bind trips=VALUE makes a constant; give the loop a constant "
                 "trip count as its bound");
}

TEST(RunTimeLoop, CarriesNoSequences) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("trips", DType::I64, {});
  model.node("SequenceConstruct", {"x"}, {"list"});
  BodyBuilder body({"i", "running", "list_in"}, {"running", "longer"});
  body.node("SequenceInsert", {"list_in", "x"}, {"longer"});
  setAttribute(model.node("Loop", {"trips", "", "list"}, {"lists"}), "body", body.graph);
  setAttribute(model.node("ConcatFromSequence", {"lists"}, {"y"}), "axis", 0);
  model.output("y");
  expectContains(importError(model),
                 "state 0 is a sequence of 1 tensors, which only iterations that are written out may do");
}

TEST(RunTimeLoop, ThatNeverEndsIsRefused) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  addTrue(model);
  addLoop(model, {"", "true", "x"}, {"y"}, BodyBuilder({"i", "running", "state"}, {"running", "state"}));
  expectContains(importError(model),
                 "it never ends: it has no trip count, and nothing in it makes its condition false");
}

TEST(RunTimeLoop, ThatDoesNotRunGivesItsStates) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("trips", DType::I64, {1});
  addLoop(model, {"trips", "", "x"}, {"y"}, addingBody());
  for (const double trips : {0.0, -5.0}) {
    expectRuns(model, {{"x", {{2}, {1, -2}}}, {"trips", {{1}, {trips}, DType::I64}}}, {{"y", {{2}, {1, -2}}}});
  }
}

TEST(RunTimeLoop, WhoseConditionIsFalseAtFirstDoesNotRun) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("go", DType::Bool, {1});
  model.floats("ten", {}, {10});
  BodyBuilder body({"i", "running", "state"}, {"go_on", "next"});
  body.node("Add", {"state", "x"}, {"next"});
  setAttribute(body.node("ReduceSum", {"next"}, {"sum"}), "keepdims", 0);
  body.node("Less", {"sum", "ten"}, {"go_on"});
  addLoop(model, {"", "go", "x"}, {"y"}, body);
  const auto go = [](double value) { return Array({1}, {value}, DType::Bool); };
  expectRuns(model, {{"x", {{2}, {2, 1}}}, {"go", go(0)}}, {{"y", {{2}, {2, 1}}}});
  expectRuns(model, {{"x", {{2}, {2, 1}}}, {"go", go(1)}}, {{"y", {{2}, {8, 4}}}});
  expectRuns(model, {{"x", {{2}, {20, 1}}}, {"go", go(1)}}, {{"y", {{2}, {40, 2}}}});
}

/// States whose next values are other states: all change at once.
TEST(RunTimeLoop, SwapsItsStates) {
  ModelBuilder model(16);
  model.input("a", DType::F32, {3});
  model.input("b", DType::F32, {3});
  model.input("c", DType::F32, {3});
  model.input("trips", DType::I64, {});
  BodyBuilder body({"i", "running", "p", "q", "r"}, {"running", "q", "r", "p"});
  addLoop(model, {"trips", "", "a", "b", "c"}, {"x", "y", "z"}, body);
  const Array a({3}, {1, 2, 3}), b({3}, {4, 5, 6}), c({3}, {7, 8, 9});
  const auto run = [&](double trips, const Array &x, const Array &y, const Array &z) {
    expectRuns(model, {{"a", a}, {"b", b}, {"c", c}, {"trips", number(trips, DType::I64)}},
               {{"x", x}, {"y", y}, {"z", z}});
  };
  run(0, a, b, c);
  run(1, b, c, a);
  run(5, c, a, b);
}

TEST(RunTimeLoop, KeepsFormsOfStatesFromChange) {
  // next p is q turned round, next q is p.
  ModelBuilder model(16);
  model.input("a", DType::F32, {2, 2});
  model.input("b", DType::F32, {2, 2});
  model.input("trips", DType::I64, {});
  BodyBuilder body({"i", "running", "p", "q"}, {"running", "turned", "p"});
  setAttribute(body.node("Transpose", {"q"}, {"turned"}), "perm", std::vector<int64_t>{1, 0});
  addLoop(model, {"trips", "", "a", "b"}, {"x", "y"}, body);
  expectRuns(model, {{"a", {{2, 2}, {1, 2, 3, 4}}}, {"b", {{2, 2}, {5, 6, 7, 8}}}, {"trips", number(3, DType::I64)}},
             {{"x", {{2, 2}, {5, 6, 7, 8}}}, {"y", {{2, 2}, {1, 3, 2, 4}}}});
}

TEST(RunTimeLoop, TakesStatesFromAround) {
  // The state becomes an outer value in the first iteration, and stays; another one never changes.
  ModelBuilder model(16);
  model.input("a", DType::F32, {2});
  model.input("b", DType::F32, {2});
  model.input("trips", DType::I64, {});
  addLoop(model, {"trips", "", "a", "a"}, {"y", "same"},
          BodyBuilder({"i", "running", "p", "q"}, {"running", "b", "q"}));
  const std::map<std::string, Array> given = {{"a", {{2}, {1, 2}}}, {"b", {{2}, {3, 4}}}};
  for (const double trips : {0.0, 1.0, 2.0}) {
    std::map<std::string, Array> inputs = given;
    inputs["trips"] = number(trips, DType::I64);
    expectRuns(model, inputs, {{"y", trips == 0 ? given.at("a") : given.at("b")}, {"same", given.at("a")}});
  }
}

// ------------------------------------------------------------------------------------------------ what goes right

TEST(RunTimeLoop, FindsARootAsLongAsItTakes) {
  // Newton's iteration for the square root, until it stands still.
  ModelBuilder model(16);
  model.input("x", DType::F32, {});
  model.floats("half", {}, {0.5F});
  model.floats("least", {}, {1e-6F});
  addTrue(model);
  BodyBuilder body({"i", "running", "guess", "count"}, {"go_on", "better", "next_count"});
  body.node("Div", {"x", "guess"}, {"quotient"});
  body.node("Add", {"guess", "quotient"}, {"sum"});
  body.node("Mul", {"sum", "half"}, {"better"});
  body.node("Sub", {"better", "guess"}, {"step"});
  body.node("Abs", {"step"}, {"distance"});
  body.node("Mul", {"better", "least"}, {"close"});
  body.node("Greater", {"distance", "close"}, {"go_on"});
  body.node("Add", {"count", "half"}, {"next_count"});
  model.floats("none", {}, {0});
  addLoop(model, {"", "true", "x", "none"}, {"root", "steps"}, body);
  for (const float x : {4.0F, 2.0F, 1e6F, 0.01F}) {
    float guess = x, steps = 0;
    for (bool goesOn = true; goesOn; steps += 0.5F) {
      const float better = (guess + x / guess) * 0.5F;
      goesOn = std::fabs(better - guess) > better * 1e-6F;
      guess = better;
    }
    expectRuns(model, {{"x", number(x)}},
               {{"root", number(std::sqrt(static_cast<double>(x)))}, {"steps", number(steps)}});
  }
}

TEST(RunTimeLoop, CountsCollatzSteps) {
  ModelBuilder model(16);
  model.input("n", DType::I64, {});
  for (const auto &[name, value] :
       std::vector<std::pair<std::string, int64_t>>{{"one_", 1}, {"two_", 2}, {"three_", 3}, {"zero_", 0}}) {
    model.integers(name, {value});
    model.node("Squeeze", {name}, {name + "s"});
  }
  addTrue(model);
  BodyBuilder body({"i", "running", "value", "count"}, {"go_on", "next", "more"});
  body.node("Mod", {"value", "two_s"}, {"rest"});
  body.node("Equal", {"rest", "zero_s"}, {"is_even"});
  body.node("Div", {"value", "two_s"}, {"halved"});
  body.node("Mul", {"value", "three_s"}, {"tripled"});
  body.node("Add", {"tripled", "one_s"}, {"grown"});
  body.node("Where", {"is_even", "halved", "grown"}, {"next"});
  body.node("Add", {"count", "one_s"}, {"more"});
  body.node("Greater", {"next", "one_s"}, {"go_on"});
  addLoop(model, {"", "true", "n", "zero_s"}, {"last", "steps"}, body);
  const auto steps = [](int64_t n) {
    double count = 0;
    do {
      n = n % 2 == 0 ? n / 2 : 3 * n + 1;
      ++count;
    } while (n > 1);
    return count;
  };
  for (const int64_t n : {2, 27, 97, 1000}) {
    expectRuns(model, {{"n", number(static_cast<double>(n), DType::I64)}},
               {{"last", number(1, DType::I64)}, {"steps", number(steps(n), DType::I64)}});
  }
}

TEST(RunTimeLoop, DecodesUntilTheEndIsChosen) {
  // The best next token by a table of scores, until it is the last one or there are 200; the tokens are collected.
  constexpr int64_t kTokens = 7, kMost = 200;
  ModelBuilder model(16);
  model.input("first", DType::I64, {});
  model.input("scores", DType::F32, {kTokens, kTokens});
  model.integers("most", {kMost});
  model.integers("end", {kTokens - 1});
  addTrue(model);
  BodyBuilder body({"i", "running", "token"}, {"go_on", "next", "said"});
  setAttribute(body.node("Gather", {"scores", "token"}, {"row"}), "axis", 0);
  setAttribute(body.node("ArgMax", {"row"}, {"next"}), "keepdims", 0);
  body.node("Equal", {"next", "end"}, {"is_end"});
  body.node("Not", {"is_end"}, {"go_on"});
  body.node("Identity", {"next"}, {"said"});
  addLoop(model, {"most", "true", "first"}, {"last", "all"}, body);
  Array scores({kTokens, kTokens});
  for (int64_t t = 0; t + 1 < kTokens; ++t) scores.at({t, t + 1}) = 1;
  expectRuns(model, {{"first", number(2, DType::I64)}, {"scores", scores}},
             {{"last", number(6, DType::I64)}, {"all", {{4}, {3, 4, 5, 6}, DType::I64}}});
  scores.at({4, 3}) = 2;  // 3, 4, 3, 4, …: it never says the end
  Array forever({kMost}, DType::I64);
  for (int64_t i = 0; i < kMost; ++i) forever.at({i}) = i % 2 == 0 ? 3 : 4;
  expectRuns(model, {{"first", number(2, DType::I64)}, {"scores", scores}},
             {{"last", number(4, DType::I64)}, {"all", forever}});
}

TEST(RunTimeLoop, RunsAHundredThousandTimes) {
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.integers("trips", {100'000});
  addLoop(model, {"trips", "", "x"}, {"y", "all"}, addingBody());
  Array all({100'000, 2});
  for (int64_t i = 0; i < 100'000; ++i)
    all.at({i, 0}) = static_cast<double>(i + 1), all.at({i, 1}) = 2.0 * static_cast<double>(i + 1);
  expectRuns(model, {{"x", {{2}, {1, 2}}}}, {{"y", {{2}, {100'001, 200'002}}}, {"all", all}}, 0);
}

TEST(RunTimeLoop, ScansLongSequences) {
  constexpr int64_t kLength = 30'000;
  ModelBuilder model(16);
  model.input("s", DType::F32, {2});
  model.input("x", DType::F32, {2, kLength});
  BodyBuilder body({"state", "element"}, {"sum", "copy", "before"});
  body.node("Add", {"state", "element"}, {"sum"});
  body.node("Identity", {"sum"}, {"copy"});
  body.node("Neg", {"state"}, {"before"});
  onnx::NodeProto &node = model.node("Scan", {"s", "x"}, {"y", "sums", "others"});
  setAttribute(node, "body", body.graph);
  setAttribute(node, "num_scan_inputs", 1);
  setAttribute(node, "scan_input_axes", std::vector<int64_t>{1});
  setAttribute(node, "scan_input_directions", std::vector<int64_t>{1});
  setAttribute(node, "scan_output_axes", std::vector<int64_t>{1, 0});
  setAttribute(node, "scan_output_directions", std::vector<int64_t>{0, 1});
  for (const char *name : {"y", "sums", "others"}) model.output(name);
  Array x({2, kLength}), sums({2, kLength}), others({kLength, 2});
  double sum[2] = {5, 0};
  for (int64_t i = 0; i < kLength; ++i) {
    for (int64_t d = 0; d < 2; ++d) {
      x.at({d, kLength - 1 - i}) = static_cast<double>((i * 7 + d) % 5 - 2);
      others.at({kLength - 1 - i, d}) = -sum[d];
      sum[d] += static_cast<double>((i * 7 + d) % 5 - 2);
      sums.at({d, i}) = sum[d];
    }
  }
  expectRuns(model, {{"s", {{2}, {5, 0}}}, {"x", x}},
             {{"y", {{2}, {sum[0], sum[1]}}}, {"sums", sums}, {"others", others}}, 0);
}

TEST(RunTimeLoop, WalksOverPartsOfItsOperands) {
  // next = state + x[i:i + 2], 5,000 times: within x there are always two.
  constexpr int64_t kTrips = 5000;
  ModelBuilder model(16);
  model.input("x", DType::F32, {kTrips + 1});
  model.input("start", DType::F32, {2});
  model.integers("trips", {kTrips});
  model.integers("two", {2});
  model.integers("zero", {0});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  body.node("Unsqueeze", {"i", "zero"}, {"from"});
  body.node("Add", {"from", "two"}, {"to"});
  body.node("Slice", {"x", "from", "to", "zero"}, {"part"});
  body.node("Add", {"state", "part"}, {"next"});
  addLoop(model, {"trips", "", "start"}, {"y"}, body);
  Array x({kTrips + 1}), expected({2}, {1, 2});
  for (int64_t i = 0; i <= kTrips; ++i) x.at({i}) = static_cast<double>(i % 3);
  for (int64_t i = 0; i < kTrips; ++i) {
    expected.at({0}) += x.at({i});
    expected.at({1}) += x.at({i + 1});
  }
  expectRuns(model, {{"x", x}, {"start", {{2}, {1, 2}}}}, {{"y", expected}}, 0);
}

TEST(RunTimeLoop, LeavesWhatDoesNotChangeOutside) {
  // A product of what is around is computed once; the artifact's loop has few calls.
  ModelBuilder model(16);
  model.input("a", DType::F32, {64, 64});
  model.input("b", DType::F32, {64, 64});
  model.input("trips", DType::I64, {});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  body.node("MatMul", {"a", "b"}, {"product"});
  body.node("Add", {"state", "product"}, {"next"});
  addLoop(model, {"trips", "", "a"}, {"y"}, body);
  Array a({64, 64}), b({64, 64}), expected({64, 64});
  for (int64_t i = 0; i < 64; ++i) {
    for (int64_t j = 0; j < 64; ++j) {
      a.at({i, j}) = static_cast<double>((i + 2 * j) % 3);
      b.at({i, j}) = i == j ? 2 : 0;
      expected.at({i, j}) = a.at({i, j}) * (1 + 2 * 4);
    }
  }
  expectRuns(model, {{"a", a}, {"b", b}, {"trips", number(4, DType::I64)}}, {{"y", expected}});
}

TEST(RunTimeLoop, LiesInALoop) {
  // For each of a number of rounds that data says, x is added as often as the round's number says.
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("rounds", DType::I64, {});
  BodyBuilder inner({"k", "again", "sum"}, {"again", "more"});
  inner.node("Add", {"sum", "x"}, {"more"});
  BodyBuilder outer({"i", "running", "state", "ends"}, {"running", "next", "last_state"});
  setAttribute(outer.node("Loop", {"i", "", "state"}, {"next"}), "body", inner.graph);
  outer.node("Identity", {"state"}, {"last_state"});
  addLoop(model, {"rounds", "", "x", "x"}, {"y", "before"}, outer);
  expectRuns(model, {{"x", {{2}, {1, -2}}}, {"rounds", number(5, DType::I64)}},
             {{"y", {{2}, {11, -22}}}, {"before", {{2}, {7, -14}}}});
  expectRuns(model, {{"x", {{2}, {1, -2}}}, {"rounds", number(0, DType::I64)}},
             {{"y", {{2}, {1, -2}}}, {"before", {{2}, {1, -2}}}});
}

TEST(RunTimeLoop, InABranchThatIsNotTakenDoesNotBegin) {
  // It would not end: x never reaches the limit.
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("takes_loop", DType::Bool, {});
  model.input("places", DType::I64, {2});
  model.floats("ten", {}, {10});
  addTrue(model);
  BodyBuilder body({"i", "running", "state"}, {"go_on", "next"});
  body.node("Gather", {"x", "places"}, {"step"});
  body.node("Add", {"state", "step"}, {"next"});
  setAttribute(body.node("ReduceSum", {"next"}, {"sum"}), "keepdims", 0);
  body.node("Less", {"sum", "ten"}, {"go_on"});
  BodyBuilder repeats({}, {"result"}), keeps({}, {"same"});
  setAttribute(repeats.node("Loop", {"", "true", "x"}, {"result"}), "body", body.graph);
  keeps.node("Neg", {"x"}, {"same"});
  onnx::NodeProto &node = model.node("If", {"takes_loop"}, {"y"});
  setAttribute(node, "then_branch", repeats.graph);
  setAttribute(node, "else_branch", keeps.graph);
  model.output("y");
  const auto taken = [](double value) { return number(value, DType::Bool); };
  const Array places({2}, {0, 1}, DType::I64);
  expectRuns(model, {{"x", {{2}, {2, 1}}}, {"places", places}, {"takes_loop", taken(1)}}, {{"y", {{2}, {8, 4}}}});
  // Nor does it for the sake of what is counted in it.
  for (const bool checkIndices : {false, true}) {
    const auto artifact = test::compileToArtifact(model, checkIndices);
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_EQ(artifact->find("\"operator\": \"Gather\"") != std::string::npos, checkIndices);
    const auto outputs =
        test::runArtifact(*artifact, {{"x", {{2}, {-2, 1}}}, {"places", places}, {"takes_loop", taken(0)}}, 1);
    test::expectArray(outputs.at("y"), {{2}, {2, -1}}, 0);
  }
}

TEST(RunTimeLoop, HasBranches) {
  // Heavy on one side, by the iteration's number; the other side adds.
  constexpr int64_t kSize = 72;
  ModelBuilder model(16);
  model.input("x", DType::F32, {kSize, kSize});
  model.input("w", DType::F32, {kSize, kSize});
  model.input("trips", DType::I64, {});
  model.integers("two", {2});
  model.integers("zero", {0});
  BodyBuilder product({}, {"p"}), sum({}, {"s"});
  product.node("MatMul", {"state", "w"}, {"q"});
  product.node("MatMul", {"q", "w"}, {"p"});
  sum.node("Add", {"state", "x"}, {"s"});
  BodyBuilder body({"i", "running", "state"}, {"running", "next"});
  body.node("Mod", {"i", "two"}, {"rest"});
  body.node("Equal", {"rest", "zero"}, {"is_even"});
  onnx::NodeProto &node = body.node("If", {"is_even"}, {"next"});
  setAttribute(node, "then_branch", product.graph);
  setAttribute(node, "else_branch", sum.graph);
  addLoop(model, {"trips", "", "x"}, {"y"}, body);
  Array x({kSize, kSize}), w({kSize, kSize});
  for (int64_t i = 0; i < kSize; ++i) {
    for (int64_t j = 0; j < kSize; ++j) {
      x.at({i, j}) = static_cast<double>((3 * i + j) % 5);
      w.at({i, j}) = (i + 1) % kSize == j ? 1 : 0;  // turns columns by one
    }
  }
  Array state = x;
  for (int64_t trip = 0; trip < 5; ++trip) {
    Array next = state;
    for (int64_t i = 0; i < kSize; ++i) {
      for (int64_t j = 0; j < kSize; ++j) {
        next.at({i, j}) = trip % 2 == 0 ? state.at({i, (j + kSize - 2) % kSize}) : state.at({i, j}) + x.at({i, j});
      }
    }
    state = next;
  }
  expectRuns(model, {{"x", x}, {"w", w}, {"trips", number(5, DType::I64)}}, {{"y", state}});
}

TEST(RunTimeLoop, WithABoundRunsOnlyAsOftenAsDataSays) {
  // 2^63 trips, of which a condition leaves three; and 100 trips at most that are collected.
  for (const int64_t trips : {kForever, int64_t{100}, int64_t{17}}) {
    ModelBuilder model(16);
    model.input("x", DType::F32, {2});
    model.integers("trips", {trips});
    model.floats("ten", {}, {10});
    addTrue(model);
    BodyBuilder body({"i", "running", "state"}, {"go_on", "next", "copy"});
    body.node("Add", {"state", "x"}, {"next"});
    setAttribute(body.node("ReduceSum", {"next"}, {"sum"}), "keepdims", 0);
    body.node("Less", {"sum", "ten"}, {"go_on"});
    body.node("Identity", {"next"}, {"copy"});
    const bool collects = trips == 100;
    addLoop(model, {"trips", "true", "x"},
            collects ? std::vector<std::string>{"y", "all"} : std::vector<std::string>{"y"}, body);
    std::map<std::string, Array> expected = {{"y", {{2}, {8, 4}}}};
    if (collects) expected["all"] = {{3, 2}, {4, 2, 6, 3, 8, 4}};
    expectRuns(model, {{"x", {{2}, {2, 1}}}}, expected);
  }
}

TEST(RunTimeLoop, CollectsWhatIsUsedFurther) {
  // The sum of all that three of at most 100 iterations have left, and its shape.
  ModelBuilder model(16);
  model.input("x", DType::F32, {2});
  model.input("go_until", DType::I64, {});
  model.integers("trips", {100});
  addTrue(model);
  BodyBuilder body({"i", "running", "state"}, {"go_on", "next", "copy"});
  body.node("Add", {"state", "x"}, {"next"});
  body.node("Less", {"i", "go_until"}, {"go_on"});
  body.node("Identity", {"next"}, {"copy"});
  setAttribute(model.node("Loop", {"trips", "true", "x"}, {"last", "all"}), "body", body.graph);
  setAttribute(model.node("ReduceSum", {"all"}, {"sum"}), "keepdims", 0);
  model.node("Shape", {"all"}, {"shape"});
  model.output("sum");
  model.output("shape");
  expectRuns(model, {{"x", {{2}, {1, 2}}}, {"go_until", number(2, DType::I64)}},
             {{"sum", number(2 + 3 + 4 + 4 + 6 + 8)}, {"shape", {{2}, {3, 2}, DType::I64}}});
}

}  // namespace
}  // namespace hone
