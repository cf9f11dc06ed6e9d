#include "compiler/graph/evaluate_graph.h"

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"
#include "compiler/graph/loops.h"
#include "compiler/graph/print.h"

namespace hone::graph {
namespace {

size_t at(ValueId id) { return static_cast<size_t>(id); }

class GraphEvaluator {
 public:
  GraphEvaluator(const Graph &graph, Loops loops, int64_t mostIterations)
      : graph_(graph), loops_(std::move(loops)), steps_(loops_.loops.size() + 1), iterationsLeft_(mostIterations) {
    std::vector<bool> isNeeded(graph.values.size(), false);
    for (const Port &port : graph.outputs) isNeeded[at(port.value)] = true;
    for (size_t i = graph.nodes.size(); i-- > 0;) {
      if (!isNeeded[at(graph.nodes[i].output)]) continue;
      for (ValueId input : graph.nodes[i].inputs) isNeeded[at(input)] = true;
    }
    // What a body has to do, in order; the last list is what is in no loop. An inner loop is done where it ends.
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const int loop = loops_.loopOf[i];
      if (graph_.nodes[i].op == Op::LoopState || !isNeeded[at(graph_.nodes[i].output)]) continue;
      steps_[loop < 0 ? loops_.loops.size() : static_cast<size_t>(loop)].push_back(i);
    }
  }

  absl::StatusOr<std::vector<Constant>> run(const std::vector<Constant> &inputs) {
    for (const Value &value : graph_.values) values_.push_back(value.constant);
    if (inputs.size() != graph_.inputs.size())
      return absl::InvalidArgumentError("there is not one value for each input");
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Port &port = graph_.inputs[i];
      if (inputs[i]->type != graph_.values[at(port.value)].type) {
        return absl::InvalidArgumentError(absl::StrCat("input '", port.name, "' is ", typeText(inputs[i]->type)));
      }
      values_[at(port.value)] = inputs[i];
    }
    HONE_RETURN_IF_ERROR(evaluateAll(steps_.back()));
    std::vector<Constant> outputs;
    for (const Port &port : graph_.outputs) outputs.push_back(values_[at(port.value)]);
    return outputs;
  }

 private:
  absl::Status evaluateAll(const std::vector<size_t> &nodes) {
    for (size_t position : nodes) {
      const Node &node = graph_.nodes[position];
      if (node.op == Op::LoopEnd) HONE_RETURN_IF_ERROR(repeat(position));
      HONE_RETURN_IF_ERROR(evaluateNode(node));
    }
    return absl::OkStatus();
  }

  absl::Status evaluateNode(const Node &node) {
    std::vector<Constant> operands;
    for (ValueId input : node.inputs) operands.push_back(values_[at(input)]);
    // No iteration may have taken place, and nobody reads what an end gives.
    if (node.op == Op::LoopEnd) operands.assign(2, operands[0]);
    HONE_ASSIGN_OR_RETURN(values_[at(node.output)], evaluate(node, operands, graph_.values[at(node.output)].type));
    return absl::OkStatus();
  }

  /// Afterwards the loop's states have their final values.
  absl::Status repeat(size_t end) {
    size_t loop = 0;
    while (loops_.loops[loop].end != static_cast<int>(end)) ++loop;
    const std::vector<int> &states = loops_.loops[loop].states;
    for (int state : states) HONE_RETURN_IF_ERROR(evaluateNode(graph_.nodes[static_cast<size_t>(state)]));
    const std::vector<ValueId> &operands = graph_.nodes[end].inputs;
    while (elementAsInteger(*values_[at(operands[0])], 0) != 0) {
      if (--iterationsLeft_ < 0) return absl::ResourceExhaustedError("the graph's loops do not end");
      HONE_RETURN_IF_ERROR(evaluateAll(steps_[loop]));
      std::vector<Constant> next;
      for (size_t k = 0; k < states.size(); ++k) next.push_back(values_[at(operands[states.size() + k])]);
      for (size_t k = 0; k < states.size(); ++k) values_[at(operands[k])] = next[k];
    }
    return absl::OkStatus();
  }

  const Graph &graph_;
  const Loops loops_;
  std::vector<std::vector<size_t>> steps_;  // per loop, and for what is in none: nodes
  std::vector<Constant> values_;
  int64_t iterationsLeft_;
};

}  // namespace

absl::StatusOr<std::vector<Constant>> evaluateOutputs(const Graph &graph, const std::vector<Constant> &inputs,
                                                      int64_t mostIterations) {
  HONE_ASSIGN_OR_RETURN(Loops loops, findLoops(graph));
  return GraphEvaluator(graph, std::move(loops), mostIterations).run(inputs);
}

}  // namespace hone::graph
