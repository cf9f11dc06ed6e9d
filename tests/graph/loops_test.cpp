// Loops in graphs: what is well-formed, what is in a loop, what they give, and that passes leave them their meaning.
#include "compiler/graph/loops.h"

#include "absl/strings/match.h"
#include "compiler/graph/evaluate_graph.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/pipeline.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

/// Loops over graphs in few characters. State 0 is whether the loop goes on, state 1 the iteration's number.
struct LoopBuilder : Builder {
  int64_t loop;
  std::vector<ValueId> states, next;

  explicit LoopBuilder(int64_t number = 0) : loop(number) {}

  ValueId state(ValueId initial) {
    states.push_back(graph.add(Op::LoopState, {initial}, LoopAttributes{loop, std::ssize(states)}, "", type(initial)));
    return states.back();
  }
  ValueId state(ValueId initial, Shape shape) {
    states.push_back(graph.add(Op::LoopState, {initial}, LoopAttributes{loop, std::ssize(states)}, "",
                               TensorType{dtype(initial), std::move(shape)}));
    return states.back();
  }
  /// States 0 and 1 of a loop that ends after \p trips iterations, and what comes next in them.
  ValueId count(ValueId trips) {
    state(apply(ScalarOp::Less, {number(0, DType::I64), trips}));
    const ValueId i = state(number(0, DType::I64));
    const ValueId following = add(i, number(1, DType::I64));
    next = {apply(ScalarOp::Less, {following, trips}), following};
    return i;
  }
  ValueId end() {
    std::vector<ValueId> operands = states;
    operands.insert(operands.end(), next.begin(), next.end());
    return graph.add(Op::LoopEnd, operands, LoopAttributes{loop, -1}, "");
  }
  ValueId result(ValueId end, ValueId state) { return graph.add(Op::LoopResult, {end, state}, {}, ""); }
  const TensorType &type(ValueId value) const { return graph.values[static_cast<size_t>(value)].type; }
  std::string error() const { return std::string(verify(graph).message()); }
};

/// sum + x, `trips` times.
LoopBuilder addition() {
  LoopBuilder b;
  const ValueId x = b.input("x", {2}), trips = b.input("trips", {}, DType::I64);
  b.count(trips);
  const ValueId sum = b.state(x);
  b.next.push_back(b.add(sum, x));
  b.output(b.result(b.end(), sum));
  return b;
}

std::vector<double> run(const Graph &graph, const std::vector<Constant> &inputs) {
  const auto outputs = evaluateOutputs(graph, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  std::vector<double> elements;
  for (int64_t i = 0; outputs.ok() && i < (*outputs)[0]->type.elements(); ++i) {
    elements.push_back(elementAsDouble(*(*outputs)[0], i));
  }
  return elements;
}
Constant trips(int64_t count) { return makeConstant({DType::I64, {}}, std::vector<int64_t>{count}); }
Constant pair(double a, double b) { return makeConstant({DType::F32, {2}}, std::vector<double>{a, b}); }
using Numbers = std::vector<double>;

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(Loops, WithoutAnEndAreNotWellFormed) {
  LoopBuilder b;
  b.output(b.state(b.input("x", {2})));
  EXPECT_TRUE(absl::StrContains(b.error(), "loop 0 has no end")) << b.error();
}

TEST(Loops, ThatAreReadFromOutsideAreNotWellFormed) {
  LoopBuilder b = addition();
  b.output(b.add(b.states[2], b.graph.inputs[0].value));
  EXPECT_TRUE(absl::StrContains(b.error(), "is a value within a loop")) << b.error();
}

TEST(Loops, WhoseEndIsReadAreNotWellFormed) {
  LoopBuilder b = addition();
  ValueId end = -1;
  for (const Node &node : b.graph.nodes) end = node.op == Op::LoopEnd ? node.output : end;
  b.output(b.apply(ScalarOp::Not, {end}));
  EXPECT_TRUE(absl::StrContains(b.error(), "operand 0 is the end of a loop")) << b.error();
}

TEST(Loops, WithStatesInAnotherOrderAreNotWellFormed) {
  LoopBuilder b = addition();
  for (Node &node : b.graph.nodes) {
    if (node.op == Op::LoopState) std::get<LoopAttributes>(node.attributes).state = 1;
  }
  EXPECT_TRUE(absl::StrContains(b.error(), "operand 0 is not state 0 of loop 0")) << b.error();
}

TEST(Loops, OfOtherTypesAreRefusedByInference) {
  const TensorType condition{DType::Bool, {}}, two{DType::F32, {2}}, three{DType::F32, {3}};
  const auto error = [](const std::vector<TensorType> &inputs) {
    return std::string(inferType(Op::LoopEnd, LoopAttributes{0, -1}, inputs).status().message());
  };
  EXPECT_EQ(error({condition}), "loop_end: has 1 operands, not two for each state");
  EXPECT_EQ(error({two, two}), "loop_end: state 0, the condition, is f32[2]");
  EXPECT_EQ(error({condition, two, condition, three}), "loop_end: state 1 is f32[2], but f32[3] comes next");
  EXPECT_EQ(inferType(Op::LoopCollect, {}, {two, two, {DType::I64, {}}}).status().message(),
            "loop_collect: f32[2] is not a row of f32[2]");
}

TEST(Loops, MayNotOverlap) {
  // Each of two loops has a state that begins with one of the other.
  Builder b;
  const ValueId go = b.constant("go", {}, {1}, DType::Bool);
  const auto state = [&](ValueId initial, int64_t loop, int64_t place) {
    return b.graph.add(Op::LoopState, {initial}, LoopAttributes{loop, place}, "", TensorType{DType::Bool, {}});
  };
  const ValueId a = state(go, 0, 0), c = state(a, 1, 0), d = state(c, 0, 1);
  const ValueId first = b.graph.add(Op::LoopEnd, {a, d, a, d}, LoopAttributes{0, -1}, "");
  const ValueId second = b.graph.add(Op::LoopEnd, {c, c}, LoopAttributes{1, -1}, "");
  b.output(b.graph.add(Op::LoopResult, {first, a}, {}, ""));
  b.output(b.graph.add(Op::LoopResult, {second, c}, {}, ""));
  const std::string error(verify(b.graph).message());
  EXPECT_TRUE(absl::StrContains(error, "loops that do not lie within each other")) << error;
}

TEST(Loops, ThatDoNotEndAreGivenUp) {
  LoopBuilder b;
  const ValueId go = b.state(b.constant("go", {}, {1}, DType::Bool));
  b.next = {go};
  b.output(b.result(b.end(), go));
  EXPECT_EQ(evaluateOutputs(b.graph, {}, 1000).status().message(), "the graph's loops do not end");
}

TEST(Loops, AreNotFolded) {
  LoopBuilder b;
  b.count(b.number(3, DType::I64));
  const ValueId sum = b.state(b.number(1));
  b.next.push_back(b.add(sum, b.number(2)));
  b.output(b.result(b.end(), sum));
  ASSERT_TRUE(runPasses(b.graph).ok());
  EXPECT_EQ(findLoops(b.graph)->loops.size(), 1U);
  EXPECT_EQ(run(b.graph, {}), Numbers{7});
}

TEST(Loops, WithEqualStatesKeepThemApart) {
  // Both begin with x; one doubles, the other one grows by x.
  LoopBuilder b;
  const ValueId x = b.input("x", {2}), count = b.input("trips", {}, DType::I64);
  b.count(count);
  const ValueId doubled = b.state(x), sum = b.state(x);
  b.next.push_back(b.add(doubled, doubled));
  b.next.push_back(b.add(sum, x));
  const ValueId end = b.end();
  b.output(b.sub(b.result(end, doubled), b.result(end, sum)));
  ASSERT_TRUE(runPasses(b.graph).ok());
  EXPECT_EQ(run(b.graph, {pair(1, 3), trips(4)}), (Numbers{16 - 5, 48 - 15}));
}

TEST(Loops, WithEqualBodiesStayTwo) {
  // Two loops of one shape over different initial values.
  LoopBuilder b = addition();
  LoopBuilder second(1);
  second.graph = b.graph;
  second.count(b.graph.inputs[1].value);
  const ValueId sum = second.state(second.number(0), {2});
  second.next.push_back(second.add(sum, b.graph.inputs[0].value));
  second.output(second.result(second.end(), sum));
  ASSERT_TRUE(runPasses(second.graph).ok());
  const auto outputs = evaluateOutputs(second.graph, {pair(1, 2), trips(2)});
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(elementAsDouble(*(*outputs)[0], 1), 6);
  EXPECT_EQ(elementAsDouble(*(*outputs)[1], 1), 4);
}

// --------------------------------------------------------------------------------------------- what goes right

TEST(Loops, RunAsOftenAsTheirConditionSays) {
  const Graph graph = addition().graph;
  ASSERT_TRUE(verify(graph).ok()) << verify(graph);
  EXPECT_EQ(run(graph, {pair(1, -2), trips(3)}), (Numbers{4, -8}));
  EXPECT_EQ(run(graph, {pair(1, -2), trips(0)}), (Numbers{1, -2}));
  EXPECT_EQ(run(graph, {pair(1, -2), trips(-1)}), (Numbers{1, -2}));
}

TEST(Loops, PrintAsNodes) {
  const std::string text = print(addition().graph);
  EXPECT_TRUE(absl::StrContains(text, "loop_state(%0) {loop 0, state 2} : f32[2]")) << text;
  EXPECT_TRUE(absl::StrContains(text, "{loop 0} : bool[]")) << text;
}

TEST(Loops, HaveInThemWhatDependsOnTheirStates) {
  LoopBuilder b;
  const ValueId x = b.input("x", {2}), count = b.input("trips", {}, DType::I64);
  b.count(count);
  const ValueId sum = b.state(x);
  const ValueId fixed = b.mul(x, x), varying = b.add(sum, fixed);
  b.next.push_back(varying);
  const ValueId end = b.end(), total = b.result(end, sum), after = b.mul(total, fixed);
  b.output(after);
  const auto loops = findLoops(b.graph);
  ASSERT_TRUE(loops.ok()) << loops.status();
  const auto loopOf = [&](ValueId value) {
    for (size_t i = 0; i < b.graph.nodes.size(); ++i) {
      if (b.graph.nodes[i].output == value) return loops->loopOf[i];
    }
    return -2;
  };
  for (const ValueId inside : {sum, varying, b.next[0]}) EXPECT_EQ(loopOf(inside), 0);
  for (const ValueId outside : {fixed, end, total, after}) EXPECT_EQ(loopOf(outside), -1);
}

TEST(Loops, LieWithinEachOtherWhereTheirBodiesDo) {
  // The inner loop begins anew each time, though what it begins with does not depend on the outer one's states.
  LoopBuilder inner(1), outer(0);
  const ValueId x = outer.input("x", {2}), count = outer.input("trips", {}, DType::I64);
  const ValueId i = outer.count(count);
  const ValueId sum = outer.state(x);
  inner.graph = outer.graph;
  inner.count(count);
  const ValueId factor = inner.cast(i, DType::F32);
  const ValueId part = inner.state(x);
  inner.next.push_back(inner.add(part, inner.mul(factor, x)));
  const ValueId product = inner.result(inner.end(), part);
  outer.graph = inner.graph;
  outer.next.push_back(outer.add(sum, product));
  outer.output(outer.result(outer.end(), sum));
  const auto loops = findLoops(outer.graph);
  ASSERT_TRUE(loops.ok()) << loops.status();
  ASSERT_EQ(loops->loops.size(), 2U);
  EXPECT_EQ(loops->loops[0].around, 1);
  EXPECT_EQ(loops->loops[1].around, -1);
  EXPECT_TRUE(loops->isWithin(0, 1) && loops->isWithin(0, -1) && !loops->isWithin(1, 0));
  // 1 + Σ over i < 3 of (1 + 3 i), times x.
  EXPECT_EQ(run(outer.graph, {pair(1, 2), trips(3)}), (Numbers{13, 26}));
  ASSERT_TRUE(runPasses(outer.graph).ok());
  EXPECT_EQ(run(outer.graph, {pair(1, 2), trips(3)}), (Numbers{13, 26}));
}

TEST(Loops, CollectRows) {
  LoopBuilder b;
  const ValueId x = b.input("x", {2}), count = b.input("trips", {}, DType::I64);
  const ValueId i = b.count(count);
  const ValueId sum = b.state(x), rows = b.state(b.number(-1), {3, 2});
  const ValueId grown = b.add(sum, x);
  b.next.push_back(grown);
  b.next.push_back(b.graph.add(Op::LoopCollect, {rows, grown, i}, {}, ""));
  b.output(b.result(b.end(), rows));
  ASSERT_TRUE(verify(b.graph).ok()) << verify(b.graph);
  EXPECT_EQ(run(b.graph, {pair(1, 2), trips(2)}), (Numbers{2, 4, 3, 6, -1, -1}));
  EXPECT_EQ(run(b.graph, {pair(1, 2), trips(5)}), (Numbers{2, 4, 3, 6, 4, 8})) << "what is outside is dropped";
}

TEST(Loops, LetNobodyElseSeeWhatTheyCollect) {
  LoopBuilder b;
  const ValueId x = b.input("x", {2}), count = b.input("trips", {}, DType::I64);
  const ValueId i = b.count(count);
  const ValueId rows = b.state(b.number(0), {3, 2}), sum = b.state(x);
  b.next.push_back(b.graph.add(Op::LoopCollect, {rows, x, i}, {}, ""));
  b.next.push_back(b.add(sum, b.reduce(ReduceKind::Sum, rows, {0}, false)));
  b.output(b.result(b.end(), sum));
  EXPECT_TRUE(absl::StrContains(b.error(), "somebody else reads the state")) << b.error();
}

}  // namespace
}  // namespace hone::graph
