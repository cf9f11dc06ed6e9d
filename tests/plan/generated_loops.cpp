// Loops of a random graph, also within each other.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/graph/rewriter.h"
#include "tests/plan/graph_generator.h"

namespace hone::plan {

graph::Graph GraphGenerator::runWithLoops(int nodes) {
  mayLoop_ = true;
  graph::Graph graph = run(nodes);
  graph::removeDeadNodes(graph);
  return graph;
}

graph::ValueId GraphGenerator::element(ScalarOp op, std::vector<ValueId> inputs) {
  const std::string name = absl::StrCat("node", graph_.nodes.size());
  return graph_.add(Op::Elementwise, std::move(inputs), graph::ElementwiseAttributes{op}, name);
}

graph::ValueId GraphGenerator::integer(int64_t value) {
  return graph_.addConstant(absl::StrCat("c", constants_++),
                            graph::makeConstant({DType::I64, {}}, std::vector<int64_t>{value}));
}

graph::ValueId GraphGenerator::addState(LoopParts &loop, ValueId initial, const TensorType &type) {
  const graph::LoopAttributes attributes{loop.number, std::ssize(loop.states)};
  loop.states.push_back(
      graph_.add(Op::LoopState, {initial}, attributes, absl::StrCat("state", graph_.nodes.size()), type));
  return loop.states.back();
}

graph::ValueId GraphGenerator::nextOf(ValueId state) {
  for (int tries = 0; tries < 30; ++tries) {
    const ValueId value = pick();
    if (shape(value) != shape(state)) continue;
    return chance(30) ? value : element(ScalarOp::Tanh, {value});
  }
  return state;
}

void GraphGenerator::addLoop() {
  ++depth_;
  const size_t begin = graph_.nodes.size();
  LoopParts loop{loops_++, {}, {}};
  const std::vector<ValueId> outside = pool_;
  const int64_t most = 4, trips = below(most);
  const ValueId runs = graph_.addConstant(absl::StrCat("c", constants_++),
                                          graph::makeConstant({DType::Bool, {}}, std::vector<int64_t>{trips > 0}));
  addState(loop, runs, {DType::Bool, {}});
  const ValueId i = addState(loop, integer(0), {DType::I64, {}});
  const int states = 1 + below(3);
  for (int k = 0; k < states; ++k) {
    const ValueId initial = pick();
    pool_.push_back(addState(loop, initial, {DType::F32, shape(initial)}));
    // Two states of one type can change places.
    if (chance(30)) pool_.push_back(addState(loop, constant(shape(initial)), {DType::F32, shape(initial)}));
  }
  const int nodes = below(5);
  for (int k = 0; k < nodes; ++k) addNode();
  const ValueId following = element(ScalarOp::Add, {i, integer(1)});
  loop.next = {element(ScalarOp::Less, {following, integer(trips)}), following};
  for (size_t k = 2; k < loop.states.size(); ++k) loop.next.push_back(nextOf(loop.states[k]));
  const ValueId row = pick();
  Shape rows = shape(row);
  rows.insert(rows.begin(), most);
  if (chance(50) && elements(rows) <= kMaxElements) {
    const ValueId collected = addState(loop, constant({}), {DType::F32, rows});
    loop.next.push_back(
        graph_.add(Op::LoopCollect, {collected, row, i}, {}, absl::StrCat("collect", graph_.nodes.size())));
  }
  std::vector<ValueId> operands = loop.states;
  operands.insert(operands.end(), loop.next.begin(), loop.next.end());
  const ValueId end = graph_.add(Op::LoopEnd, operands, graph::LoopAttributes{loop.number, -1},
                                 absl::StrCat("end", graph_.nodes.size()));
  pool_ = outside;
  // What is in a loop is not to be had outside.
  for (size_t i = begin; i < graph_.nodes.size(); ++i) hidden_.insert(graph_.nodes[i].output);
  for (size_t k = 2; k < loop.states.size(); ++k) {
    if (chance(20)) continue;
    pool_.push_back(graph_.add(Op::LoopResult, {end, loop.states[k]}, {}, absl::StrCat("result", graph_.nodes.size())));
  }
  --depth_;
}

}  // namespace hone::plan
