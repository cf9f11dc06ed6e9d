#include "compiler/plan/guards.h"

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/graph/evaluate.h"
#include "compiler/plan/views.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;
using graph::ValueId;

// Conditions within conditions beyond this depth are left to Select: models may nest thousands.
constexpr size_t kDeepest = 8;

size_t at(ValueId id) { return static_cast<size_t>(id); }

class GuardFinder {
 public:
  GuardFinder(const Graph &graph, const graph::Loops &loops)
      : graph_(graph), loops_(loops), uses_(graph.values.size()), producer_(graph.values.size()) {
    for (const Node &node : graph_.nodes) producer_[at(node.output)] = &node;
  }

  std::vector<Guard> run() {
    for (const graph::Port &port : graph_.outputs) uses_[at(port.value)] = Guard();
    std::vector<Guard> guards(graph_.nodes.size());
    // Users come after their operands, so that on the way back all uses of a value are known when its node comes.
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const Node &node = graph_.nodes[i];
      guards[i] = uses_[at(node.output)].value_or(Guard());
      const ValueId condition = conditionOf(node);
      for (size_t operand = 0; operand < node.inputs.size(); ++operand) {
        Guard use = guards[i];
        if (condition >= 0 && operand > 0 && use.size() < kDeepest) use.push_back({condition, operand == 1});
        dropUnknown(use, runsIn(node.inputs[operand]));
        addUse(node.inputs[operand], use);
      }
    }
    return guards;
  }

 private:
  /// The condition of a Select that chooses one of its operands as a whole; -1 for every other node.
  ValueId conditionOf(const Node &node) const {
    const auto *elementwise = std::get_if<graph::ElementwiseAttributes>(&node.attributes);
    if (elementwise == nullptr || elementwise->op != ScalarOp::Select) return -1;
    ValueId value = node.inputs[0];
    // The same byte under other shapes.
    for (const Node *view = producer_[at(value)]; view != nullptr; view = producer_[at(value)]) {
      if (!isBijection(view->op) && view->op != Op::Broadcast) break;
      value = view->inputs[0];
    }
    const graph::Value &root = graph_.values[at(value)];
    return root.constant == nullptr && root.type.elements() == 1 ? value : -1;
  }

  int loopOf(ValueId value) const {
    const Node *node = producer_[at(value)];
    return node == nullptr ? -1 : loops_.loopOf[static_cast<size_t>(node - graph_.nodes.data())];
  }

  /// Where \p value is computed; of a state, its initial value.
  int runsIn(ValueId value) const {
    const Node *node = producer_[at(value)];
    const int loop = loopOf(value);
    return node != nullptr && node->op == Op::LoopState ? loops_.loops[static_cast<size_t>(loop)].around : loop;
  }

  /// What is made in a loop is not there outside: conditions from the first such one on decide nothing in \p loop.
  void dropUnknown(Guard &guard, int loop) const {
    const auto unknown = std::find_if(guard.begin(), guard.end(), [&](const Condition &condition) {
      return !loops_.isWithin(loop, loopOf(condition.value));
    });
    guard.erase(unknown, guard.end());
  }

  /// Under several uses, what all of them have in common.
  void addUse(ValueId value, const Guard &use) {
    std::optional<Guard> &known = uses_[at(value)];
    if (!known) {
      known = use;
      return;
    }
    const auto [end, other] = std::mismatch(known->begin(), known->end(), use.begin(), use.end());
    known->erase(end, known->end());
  }

  const Graph &graph_;
  const graph::Loops &loops_;
  std::vector<std::optional<Guard>> uses_;
  std::vector<const Node *> producer_;
};

double stepsOf(const Graph &graph, const Node &node) {
  if (isView(node.op) || node.op == Op::LoopResult) return 0;
  std::vector<graph::TensorType> types;
  for (ValueId input : node.inputs) types.push_back(graph.values[at(input)].type);
  return graph::evaluationSteps(node, types, graph.values[at(node.output)].type);
}

}  // namespace

std::vector<Guard> guardsOf(const Graph &graph, const graph::Loops &loops, double leastSteps) {
  std::vector<Guard> guards = GuardFinder(graph, loops).run();
  std::map<Guard, double> steps;  // of all that has this guard or one within it
  for (size_t i = 0; i < guards.size(); ++i) {
    const double own = guards[i].empty() ? 0 : stepsOf(graph, graph.nodes[i]);
    for (Guard guard = guards[i]; !guard.empty(); guard.pop_back()) steps[guard] += own;
  }
  for (Guard &guard : guards) {
    while (!guard.empty() && steps.at(guard) < leastSteps) guard.pop_back();
  }
  return guards;
}

}  // namespace hone::plan
