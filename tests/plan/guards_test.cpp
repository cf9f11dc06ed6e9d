// Guards: what only one side of a choice needs is computed under its condition, nothing else is, and plans with
// conditions give what the graph gives, whichever way they hold.
#include "compiler/plan/guards.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/rewriter.h"
#include "compiler/plan/plan.h"
#include "tests/plan/plan_runner.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Op;
using graph::ValueId;

constexpr int64_t kSize = 72;  // 373,248 multiplications for a product: more than a guard has to save

/// Graphs over square matrices, and conditions that are inputs.
class GraphBuilder {
 public:
  ValueId input(const std::string &name, DType dtype, graph::Shape shape) {
    const ValueId value = graph.addValue(name, {dtype, std::move(shape)});
    graph.inputs.push_back({name, value});
    return value;
  }
  ValueId matrix(const std::string &name) { return input(name, DType::F32, {kSize, kSize}); }
  ValueId condition(const std::string &name) { return input(name, DType::Bool, {}); }
  ValueId op(ScalarOp op, std::vector<ValueId> inputs, const std::string &name) {
    return graph.add(Op::Elementwise, std::move(inputs), graph::ElementwiseAttributes{op}, name);
  }
  ValueId product(ValueId a, ValueId b, const std::string &name) {
    return graph.add(Op::MatMul, {a, b}, graph::MatMulAttributes{}, name);
  }
  ValueId choose(ValueId condition, ValueId a, ValueId b, const std::string &name) {
    return op(ScalarOp::Select, {condition, a, b}, name);
  }
  void output(ValueId value) { graph.outputs.push_back({absl::StrCat("y", graph.outputs.size()), value}); }

  Graph graph;
};

std::string guardText(const Graph &graph, const Guard &guard) {
  std::string text;
  for (const Condition &condition : guard) {
    absl::StrAppend(&text, condition.isTrue ? "+" : "-", graph.values[static_cast<size_t>(condition.value)].name);
  }
  return text;
}

/// "node: guard" for every node that has one, sorted.
std::vector<std::string> guardsIn(const Graph &graph, double leastSteps = 0) {
  const std::vector<Guard> guards = guardsOf(graph, *graph::findLoops(graph), leastSteps);
  std::vector<std::string> texts;
  for (size_t i = 0; i < guards.size(); ++i) {
    if (!guards[i].empty()) texts.push_back(absl::StrCat(graph.nodes[i].name, ": ", guardText(graph, guards[i])));
  }
  // The order in which C++ makes nodes that are arguments of one call is the compiler's.
  std::sort(texts.begin(), texts.end());
  return texts;
}
using Texts = std::vector<std::string>;

tensor::HostTensor tensorOf(const graph::TensorType &type, int64_t seed) {
  tensor::HostTensor result = tensor::HostTensor::zeros(type.dtype, type.shape);
  for (int64_t i = 0; i < result.elements(); ++i) {
    const auto step = static_cast<float>((i * 7 + seed) % 11 - 5) / 8;
    if (type.dtype == DType::F32) std::copy_n(reinterpret_cast<const char *>(&step), 4, result.bytes.begin() + i * 4);
  }
  return result;
}

/// Runs the plan for every combination of conditions; the arena is garbage where no kernel has written.
void checkAllWays(const GraphBuilder &builder, size_t leastGuarded) {
  const Graph &graph = builder.graph;
  ASSERT_TRUE(graph::verify(graph).ok()) << graph::verify(graph);
  TargetDescription target;
  target.vectorBytes = 32;
  const absl::StatusOr<Plan> plan = makePlan(graph, target);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const auto guarded = std::count_if(plan->kernels.begin(), plan->kernels.end(),
                                     [](const PlanKernel &kernel) { return !kernel.conditions.empty(); });
  EXPECT_GE(static_cast<size_t>(guarded), leastGuarded) << print(*plan);
  for (unsigned ways = 0; ways < 8; ++ways) {
    std::vector<tensor::HostTensor> inputs;
    unsigned conditions = 0;
    for (const graph::Port &port : graph.inputs) {
      inputs.push_back(tensorOf(graph.values[static_cast<size_t>(port.value)].type, std::ssize(inputs)));
      if (inputs.back().dtype == DType::Bool) inputs.back().bytes[0] = static_cast<char>(ways >> conditions++ & 1U);
    }
    if (ways >> conditions != 0) break;
    const auto expected = runGraph(graph, inputs), got = runPlan(*plan, inputs);
    ASSERT_TRUE(expected.ok() && got.ok()) << expected.status() << got.status();
    for (size_t o = 0; o < expected->size(); ++o) {
      for (int64_t i = 0; i < (*expected)[o].elements(); ++i) {
        ASSERT_NEAR((*got)[o].real(i), (*expected)[o].real(i), 1e-3) << "output " << o << ", ways " << ways;
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------- what can go wrong

TEST(Guards, AreNotOnWhatOthersNeed) {
  GraphBuilder b;
  const ValueId c = b.condition("c"), x = b.matrix("x");
  const ValueId both = b.product(x, x, "both"), output = b.product(x, both, "output");
  const ValueId alone = b.product(both, x, "alone");
  b.output(b.choose(c, b.op(ScalarOp::Add, {alone, both}, "left"), b.op(ScalarOp::Add, {output, both}, "right"), "y"));
  b.output(output);
  EXPECT_EQ(guardsIn(b.graph), (Texts{"alone: +c", "left: +c", "right: -c"}));
  checkAllWays(b, 1);
}

TEST(Guards, AreNotOnWhatTheConditionNeeds) {
  GraphBuilder b;
  const ValueId x = b.matrix("x");
  const ValueId product = b.product(x, x, "product");
  const ValueId sum =
      b.graph.add(Op::Reduce, {product}, graph::ReduceAttributes{graph::ReduceKind::Sum, {0, 1}, false}, "sum");
  const ValueId zero = b.graph.addConstant("", graph::makeConstant({DType::F32, {}}, std::vector<double>{0}));
  const ValueId c = b.op(ScalarOp::Less, {zero, sum}, "c");
  b.graph.values[static_cast<size_t>(c)].name = "c";
  b.output(b.choose(c, product, b.product(product, x, "other"), "y"));
  EXPECT_EQ(guardsIn(b.graph), (Texts{"other: -c"}));
  checkAllWays(b, 1);
}

TEST(Guards, AreNotOnWhatIsSoonDone) {
  GraphBuilder b;
  const ValueId c = b.condition("c"), x = b.matrix("x");
  b.output(b.choose(c, b.op(ScalarOp::Exp, {x}, "exp"), b.product(x, x, "product"), "y"));
  EXPECT_EQ(guardsIn(b.graph, 100'000), (Texts{"product: -c"}));
  EXPECT_EQ(guardsIn(b.graph, 1'000'000), Texts());
}

TEST(Guards, AreNotOfMasks) {
  GraphBuilder b;
  const ValueId mask = b.input("mask", DType::Bool, {kSize, kSize}), x = b.matrix("x");
  b.output(b.choose(mask, b.product(x, x, "product"), x, "y"));
  EXPECT_EQ(guardsIn(b.graph), Texts());
}

/// A loop of three iterations that goes on with `step` of its state. Its nodes are named after \p name.
template <typename Step>
ValueId loopOver(GraphBuilder &b, int64_t number, ValueId initial, const std::string &name, const Step &step) {
  const auto integer = [&](int64_t n) {
    return b.graph.addConstant("", graph::makeConstant({DType::I64, {}}, std::vector<int64_t>{n}));
  };
  const auto state = [&](ValueId from, int64_t place) {
    return b.graph.add(Op::LoopState, {from}, graph::LoopAttributes{number, place}, name + "_begin",
                       b.graph.values[static_cast<size_t>(from)].type);
  };
  const ValueId yes = b.graph.addConstant("", graph::makeConstant({DType::Bool, {}}, std::vector<int64_t>{1}));
  const ValueId goesOn = state(yes, 0), i = state(integer(0), 1), value = state(initial, 2);
  const ValueId following = b.op(ScalarOp::Add, {i, integer(1)}, name + "_count");
  const ValueId less = b.op(ScalarOp::Less, {following, integer(3)}, name + "_less");
  const ValueId isFirst = b.op(ScalarOp::Equal, {i, integer(0)}, name + "_is_first");
  b.graph.values[static_cast<size_t>(isFirst)].name = name + "_is_first";
  const ValueId next = step(value, isFirst);
  const ValueId end = b.graph.add(Op::LoopEnd, {goesOn, i, value, less, following, next},
                                  graph::LoopAttributes{number, -1}, name + "_end");
  return b.graph.add(Op::LoopResult, {end, value}, {}, name + "_result");
}

TEST(Guards, OfABranchAreOnTheWholeLoopInIt) {
  GraphBuilder b;
  const ValueId c = b.condition("c"), x = b.matrix("x");
  const ValueId looped =
      loopOver(b, 0, x, "loop", [&](ValueId state, ValueId) { return b.op(ScalarOp::Tanh, {state}, "step"); });
  b.output(b.choose(c, looped, b.op(ScalarOp::Neg, {x}, "neg"), "y"));
  graph::removeDeadNodes(b.graph);
  // However little its nodes do, nobody knows how often, and the other branch need not even let it end.
  const Texts expected = {"loop_begin: +c", "loop_begin: +c", "loop_begin: +c",  "loop_count: +c",
                          "loop_end: +c",   "loop_less: +c",  "loop_result: +c", "step: +c"};
  EXPECT_EQ(guardsIn(b.graph, 1e9), expected);
  checkAllWays(b, 4);
  TargetDescription target;
  const auto plan = makePlan(b.graph, target);
  ASSERT_TRUE(plan.ok() && plan->loops.size() == 1);
  EXPECT_EQ(plan->loops[0].conditions.size(), 1U);
}

TEST(Guards, WithinALoopAreNotOnWhatIsOutside) {
  // The product of what is around is made once, before the loop knows whether it is asked for.
  GraphBuilder b;
  const ValueId x = b.matrix("x"), w = b.matrix("w");
  b.output(loopOver(b, 0, x, "loop", [&](ValueId state, ValueId isFirst) {
    const ValueId fixed = b.product(w, w, "fixed"), varying = b.product(state, fixed, "varying");
    return b.op(ScalarOp::Tanh, {b.choose(isFirst, varying, state, "chosen")}, "step");
  }));
  EXPECT_EQ(guardsIn(b.graph), (Texts{"varying: +loop_is_first"}));
  checkAllWays(b, 1);
}

TEST(Guards, EndAtADepth) {
  GraphBuilder b;
  const ValueId x = b.matrix("x");
  ValueId y = b.product(x, x, "product");
  for (int i = 0; i < 12; ++i) y = b.choose(b.condition(absl::StrCat(i)), y, x, absl::StrCat("s", i));
  b.output(y);
  EXPECT_EQ(guardsIn(b.graph)[0], "product: +11+10+9+8+7+6+5+4");
}

// --------------------------------------------------------------------------------------------- what goes right

TEST(Guards, AreOnEachSide) {
  GraphBuilder b;
  const ValueId c = b.condition("c"), x = b.matrix("x"), w = b.matrix("w");
  const ValueId left = b.op(ScalarOp::Exp, {b.product(x, w, "a")}, "exp");
  const ValueId right = b.product(b.product(w, x, "b"), w, "b2");
  b.output(b.choose(c, left, right, "y"));
  EXPECT_EQ(guardsIn(b.graph), (Texts{"a: +c", "b2: -c", "b: -c", "exp: +c"}));
  checkAllWays(b, 3);
}

TEST(Guards, NestAndAskForWhatIsComputedUnderThem) {
  // The inner condition is computed on the outer one's true side, and is garbage otherwise.
  GraphBuilder b;
  const ValueId c = b.condition("c"), e = b.condition("e"), x = b.matrix("x");
  const ValueId a = b.product(x, x, "a");
  const ValueId sum =
      b.graph.add(Op::Reduce, {a}, graph::ReduceAttributes{graph::ReduceKind::Max, {0, 1}, false}, "max");
  const ValueId zero = b.graph.addConstant("", graph::makeConstant({DType::F32, {}}, std::vector<double>{0}));
  const ValueId d = b.op(ScalarOp::And, {b.op(ScalarOp::Less, {zero, sum}, "less"), e}, "d");
  b.graph.values[static_cast<size_t>(d)].name = "d";
  const ValueId inner = b.choose(d, b.product(a, x, "p"), b.product(x, a, "q"), "inner");
  b.output(b.choose(c, inner, b.product(b.product(x, a, "r"), x, "s"), "y"));
  EXPECT_EQ(guardsIn(b.graph),
            (Texts{"d: +c", "inner: +c", "less: +c", "max: +c", "p: +c+d", "q: +c-d", "r: -c", "s: -c"}));
  checkAllWays(b, 5);
}

TEST(Guards, SkipTheIterationsAfterTheEnd) {
  // As a loop of known bound that data ends is written out.
  GraphBuilder b;
  const ValueId first = b.condition("c0"), x = b.matrix("x");
  ValueId state = x, runs = first;
  for (int i = 0; i < 3; ++i) {
    if (i > 0) runs = b.op(ScalarOp::And, {runs, b.condition(absl::StrCat("c", i))}, absl::StrCat("runs", i));
    state = b.choose(runs, b.product(state, x, absl::StrCat("p", i)), state, absl::StrCat("s", i));
  }
  b.output(state);
  checkAllWays(b, 3);
}

}  // namespace
}  // namespace hone::plan
