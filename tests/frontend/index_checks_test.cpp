// What a model that checks indices counts beside its outputs, against lists of indices counted by hand.
#include <gtest/gtest.h>

#include <set>

#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/passes.h"
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/node_model.h"

namespace hone::test {
namespace {

struct Found {
  std::string node, op;
  int64_t axis = 0, count = 0, example = 0, extent = 0;
};

using Inputs = std::map<std::string, Array>;

/// What the checks of \p model find in a run with \p inputs. Those that find nothing are left out.
std::vector<Found> findings(const ModelBuilder &model, const Inputs &inputs, size_t checks) {
  frontend::ImportOptions options;
  options.checkIndices = true;
  const auto graph = frontend::importModel(model.bytes(), options);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok() || !graph->indexChecks) return {};
  EXPECT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
  EXPECT_EQ(graph->indexChecks->size(), checks);
  std::map<std::string, graph::Constant> constants;
  for (const auto &[name, array] : inputs) constants[name] = array.constant();
  // The evaluator gives what the model has as outputs, and refuses to read outside: it sees the checks alone.
  graph::Graph shown = *graph;
  std::erase_if(shown.outputs, [](const graph::Port &port) { return !port.isExtent; });
  for (graph::Port &port : shown.outputs) port.isExtent = false;
  EXPECT_TRUE(graph::removeDeadCode(shown).ok());
  const auto outputs = evaluateGraph(shown, constants);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  std::vector<Found> found;
  for (const graph::IndexCheck &check : *graph->indexChecks) {
    const auto number = [&](int output) {
      EXPECT_TRUE(graph->outputs[static_cast<size_t>(output)].isExtent);
      return graph::elementAsInteger(*outputs->at(graph->outputs[static_cast<size_t>(output)].name), 0);
    };
    if (number(check.count) == 0) continue;
    found.push_back(
        {check.node, check.op, check.axis, number(check.count), number(check.example), number(check.extent)});
  }
  return found;
}

void expectFound(const std::vector<Found> &found, const std::vector<Found> &expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].node, expected[i].node);
    EXPECT_EQ(found[i].op, expected[i].op);
    EXPECT_EQ(found[i].axis, expected[i].axis);
    EXPECT_EQ(found[i].count, expected[i].count);
    EXPECT_EQ(found[i].example, expected[i].example);
    EXPECT_EQ(found[i].extent, expected[i].extent);
  }
}

Array integers(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Array({count}, std::move(values), DType::I64);
}

/// \p op of data x and indices i, in this order.
ModelBuilder reader(const std::string &op, const Array &x, const Array &i, const Array *updates = nullptr) {
  ModelBuilder model(18);
  model.input("x", x.dtype, x.shape);
  model.input("i", i.dtype, i.shape);
  std::vector<std::string> operands = {"x", "i"};
  if (updates != nullptr) {
    model.input("u", updates->dtype, updates->shape);
    operands.emplace_back("u");
  }
  model.node(op, operands, {"y"}).set_name("reads");
  model.output("y");
  return model;
}

TEST(IndexChecks, NothingIsCountedUnlessAsked) {
  const Array x({5}), i = integers({7});
  const auto graph = frontend::importModel(reader("Gather", x, i).bytes(), {});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_FALSE(graph->indexChecks);
  EXPECT_EQ(graph->outputs.size(), 1);
}

TEST(IndexChecks, CountsThoseBehindAndBeforeTheAxis) {
  const Array x({5});
  const auto check = [&](std::vector<double> indices, const std::vector<Found> &expected) {
    const Array i = integers(std::move(indices));
    expectFound(findings(reader("Gather", x, i), {{"x", x}, {"i", i}}, 1), expected);
  };
  check({0, 4, -1, -5}, {});
  check({0, 5, -6, 9, 2}, {{"reads", "Gather", 0, 3, 9, 5}});
  check({-7, -6}, {{"reads", "Gather", 0, 2, -6, 5}});
}

TEST(IndexChecks, OneIndexAndNone) {
  const Array x({2, 3}), one({}, {3}, DType::I32), none({0}, DType::I64);
  ModelBuilder model = reader("Gather", x, one);
  setAttribute(*model.model.mutable_graph()->mutable_node(0), "axis", -1);
  expectFound(findings(model, {{"x", x}, {"i", one}}, 1), {{"reads", "Gather", 1, 1, 3, 3}});
  frontend::ImportOptions options;
  options.checkIndices = true;
  options.inputShapes["i"] = {0};
  const auto graph = frontend::importModel(reader("Gather", x, none).bytes(), options);
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_TRUE(graph->indexChecks);
  EXPECT_TRUE(graph->indexChecks->empty());
}

TEST(IndexChecks, KnownIndicesThatAreInsideNeedNoCheck) {
  ModelBuilder model(18);
  model.input("x", DType::F32, {4});
  model.integers("i", {0, -4, 3});
  model.node("Gather", {"x", "i"}, {"y"});
  model.output("y");
  expectFound(findings(model, {{"x", Array({4})}}, 0), {});
}

TEST(IndexChecks, EachAxisOfTuples) {
  const Array x({3, 4, 2}), i({2, 2}, {2, 4, -4, 5}, DType::I64), u({2, 2});
  expectFound(findings(reader("GatherND", x, i), {{"x", x}, {"i", i}}, 2),
              {{"reads", "GatherND", 0, 1, -4, 3}, {"reads", "GatherND", 1, 2, 5, 4}});
  expectFound(findings(reader("ScatterND", x, i, &u), {{"x", x}, {"i", i}, {"u", u}}, 2),
              {{"reads", "ScatterND", 0, 1, -4, 3}, {"reads", "ScatterND", 1, 2, 5, 4}});
  ModelBuilder model = reader("GatherND", x, Array({3, 1}, {4, 3, -4}, DType::I64));
  setAttribute(*model.model.mutable_graph()->mutable_node(0), "batch_dims", 1);
  expectFound(findings(model, {{"x", x}, {"i", Array({3, 1}, {4, 3, -4}, DType::I64)}}, 1),
              {{"reads", "GatherND", 1, 1, 4, 4}});
}

TEST(IndexChecks, WritesAlongAnAxis) {
  const Array x({2, 3}), i({1, 2}, {2, 3}, DType::I64), u({1, 2});
  ModelBuilder model = reader("ScatterElements", x, i, &u);
  setAttribute(*model.model.mutable_graph()->mutable_node(0), "axis", 1);
  expectFound(findings(model, {{"x", x}, {"i", i}, {"u", u}}, 1), {{"reads", "ScatterElements", 1, 1, 3, 3}});
}

/// Indices that Compress keeps of i, along what it keeps of x.
TEST(IndexChecks, OnlyTrueElementsCountAndTrueExtentsHold) {
  ModelBuilder model(18);
  model.input("x", DType::F32, {5});
  model.input("i", DType::I64, {4});
  model.input("kept", DType::Bool, {5});
  model.input("asked", DType::Bool, {4});
  model.node("Compress", {"x", "kept"}, {"rows"});
  model.node("Compress", {"i", "asked"}, {"places"});
  model.node("Gather", {"rows", "places"}, {"y"}).set_name("reads");
  model.output("y");
  const Array x({5}), kept({5}, {1, 0, 1, 0, 1}, DType::Bool);
  const auto run = [&](std::vector<double> i, std::vector<double> asked) {
    return findings(
        model, {{"x", x}, {"i", integers(std::move(i))}, {"kept", kept}, {"asked", Array({4}, asked, DType::Bool)}}, 1);
  };
  expectFound(run({2, 3, 77, -3}, {1, 0, 0, 1}), {});
  expectFound(run({2, 3, 77, -3}, {1, 1, 0, 1}), {{"reads", "Gather", 0, 1, 3, 3}});
  expectFound(run({2, 3, 77, -3}, {0, 0, 0, 0}), {});
}

TEST(IndexChecks, ABranchThatIsNotTakenFindsNothing) {
  const auto branch = [](const std::string &op, const std::string &name) {
    ModelBuilder inner(18);
    inner.node(op, op == "Gather" ? std::vector<std::string>{"x", "i"} : std::vector<std::string>{"z"}, {name})
        .set_name("reads");
    inner.output(name);
    return inner.model.graph();
  };
  ModelBuilder model(18);
  model.input("x", DType::F32, {5});
  model.input("z", DType::F32, {1});
  model.input("i", DType::I64, {1});
  model.input("isReading", DType::Bool, {1});
  onnx::NodeProto &node = model.node("If", {"isReading"}, {"y"});
  setAttribute(node, "then_branch", branch("Gather", "t"));
  setAttribute(node, "else_branch", branch("Neg", "e"));
  model.output("y");
  for (const double isReading : {0.0, 1.0}) {
    const std::vector<Found> found = findings(model,
                                              {{"x", Array({5})},
                                               {"z", Array({1})},
                                               {"i", integers({5})},
                                               {"isReading", Array({1}, {isReading}, DType::Bool)}},
                                              1);
    ASSERT_EQ(found.size(), isReading == 0 ? 0 : 1);
    for (const Found &reading : found) EXPECT_TRUE(reading.node.ends_with("/reads")) << reading.node;
  }
}

/// Each iteration reads x, of 5 elements, at `place` and adds what it reads to its state, the sum; `place` grows by
/// one.
BodyBuilder readingBody() {
  BodyBuilder body({"n", "running", "place", "sum"}, {"goes_on", "following", "more"});
  body.node("GatherElements", {"x", "place"}, {"read"}).set_name("reads");
  body.node("Add", {"sum", "read"}, {"more"});
  body.node("Add", {"place", "one"}, {"following"});
  body.node("Less", {"following", "last"}, {"goes_on"});
  return body;
}

/// The loop of readingBody() with at most as many iterations as `trips` says, where it is not empty, and with an input
/// that says whether it begins, or a constant that says so.
ModelBuilder readingModel(const std::string &trips, const std::string &begins = "begins") {
  ModelBuilder model(18);
  model.input("x", DType::F32, {5});
  model.input("start", DType::I64, {1});
  model.input("last", DType::I64, {1});
  model.input("trips", DType::I64, {1});
  model.input("begins", DType::Bool, {});
  model.integers("one", {1});
  model.integers("few", {8});
  model.integers("many", {100});
  model.floats("zero", {1}, {0});
  setAttribute(model.node("Cast", {"one"}, {"always"}), "to", test::elementType(DType::Bool));
  setAttribute(model.node("Loop", {trips, begins, "start", "zero"}, {"end", "y"}), "body", readingBody().graph);
  model.output("y");
  return model;
}

// Written out and ended by data; as a loop with a bound, without one, and with a number of trips from data. Where it
// always begins, an iteration is written out before it shows that it has to be a loop.
TEST(IndexChecks, IterationsCountTogether) {
  for (const std::string trips : {"few", "many", "", "trips"}) {
    for (const std::string begins : {"begins", "always"}) {
      const ModelBuilder model = readingModel(trips, begins);
      const auto run = [&](double start, double last, double most, double isBeginning) {
        std::vector<Found> found = findings(model,
                                            {{"x", Array({5})},
                                             {"start", integers({start})},
                                             {"last", integers({last})},
                                             {"trips", integers({most})},
                                             {"begins", Array({}, {isBeginning}, DType::Bool)}},
                                            1);
        for (Found &reading : found) reading.node = reading.node.substr(reading.node.rfind('/') + 1);
        return found;
      };
      SCOPED_TRACE(trips + " " + begins);
      expectFound(run(0, 5, 8, 1), {});
      expectFound(run(3, 8, 8, 1), {{"reads", "GatherElements", 0, 3, 7, 5}});
      expectFound(run(9, 10, 8, 1), {{"reads", "GatherElements", 0, 1, 9, 5}});
      if (begins == "begins") expectFound(run(9, 10, 8, 0), {});
    }
  }
}

// An iteration is written out, then a loop is tried, which cannot carry a state that grows, then all are written out.
TEST(IndexChecks, IterationsCountOnceThatALoopCouldNotDo) {
  constexpr int64_t kTrips = 1000;
  ModelBuilder model(18);
  model.input("x", DType::F32, {5});
  model.input("place", DType::I64, {1});
  model.integers("trips", {kTrips});
  model.floats("first", {1}, {0});
  BodyBuilder body({"n", "running", "read"}, {"running", "more"});
  body.node("Add", {"place", "n"}, {"further"});
  body.node("GatherElements", {"x", "further"}, {"next"}).set_name("reads");
  setAttribute(body.node("Concat", {"read", "next"}, {"more"}), "axis", 0);
  setAttribute(model.node("Loop", {"trips", "", "first"}, {"y"}), "body", body.graph);
  model.output("y");
  const std::vector<Found> found = findings(model, {{"x", Array({5})}, {"place", integers({3})}}, 1);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].count, kTrips - 2);
  EXPECT_EQ(found[0].example, kTrips + 2);
}

TEST(IndexChecks, ALoopInABranchThatIsNotTakenFindsNothing) {
  ModelBuilder inner(18);
  setAttribute(inner.node("Loop", {"", "begins", "start", "zero"}, {"", "t"}), "body", readingBody().graph);
  inner.output("t");
  ModelBuilder other(18);
  other.node("Neg", {"zero"}, {"e"});
  other.output("e");
  ModelBuilder model = readingModel("few");
  model.model.mutable_graph()->clear_node();
  model.model.mutable_graph()->clear_output();
  model.input("isReading", DType::Bool, {});
  onnx::NodeProto &node = model.node("If", {"isReading"}, {"y"});
  setAttribute(node, "then_branch", inner.model.graph());
  setAttribute(node, "else_branch", other.model.graph());
  model.output("y");
  for (const double isReading : {0.0, 1.0}) {
    const std::vector<Found> found = findings(model,
                                              {{"x", Array({5})},
                                               {"start", integers({4})},
                                               {"last", integers({7})},
                                               {"trips", integers({0})},
                                               {"begins", Array({}, {1}, DType::Bool)},
                                               {"isReading", Array({}, {isReading}, DType::Bool)}},
                                              1);
    ASSERT_EQ(found.size(), isReading == 0 ? 0 : 1);
    for (const Found &reading : found) EXPECT_EQ(reading.count, 2);
  }
}

// Written out and as a loop.
TEST(IndexChecks, ElementsOfAScanCountTogether) {
  for (const int64_t length : {6, 3000}) {
    ModelBuilder model(18);
    model.input("x", DType::F32, {5});
    model.input("i", DType::I64, {length, 1});
    BodyBuilder body({"place"}, {"read"});
    body.node("GatherElements", {"x", "place"}, {"read"}).set_name("reads");
    onnx::NodeProto &node = model.node("Scan", {"i"}, {"y"});
    setAttribute(node, "body", body.graph);
    setAttribute(node, "num_scan_inputs", 1);
    model.output("y");
    std::vector<double> places(static_cast<size_t>(length), 0);
    const std::vector<double> first = {5, 4, -5, -6, 8};
    std::copy(first.begin(), first.end(), places.begin());
    const std::vector<Found> found =
        findings(model, {{"x", Array({5})}, {"i", Array({length, 1}, places, DType::I64)}}, 1);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].count, 3);
    EXPECT_EQ(found[0].example, 8);
    EXPECT_EQ(found[0].extent, 5);
  }
}

}  // namespace
}  // namespace hone::test
