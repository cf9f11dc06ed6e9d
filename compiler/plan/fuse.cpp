// fuse(): which nodes are computed by one kernel.
//
// Nodes are taken in topological order. Elementwise nodes join the group of an operand of the same shape; convs,
// matmuls, pools, reductions and norms open a group of their own, or take over the elementwise group in front of them.
// Nothing joins a group if that would make two groups wait for each other, or if it has to run under other conditions
// or in another loop.
#include <algorithm>
#include <set>

#include "compiler/graph/rewriter.h"
#include "compiler/plan/program.h"
#include "compiler/tensor/affine.h"

namespace hone::plan {
namespace {

using graph::Node;
using graph::Op;
using graph::ValueId;

/// What is fused into a reduction is evaluated inside it; beyond this size it gets a kernel of its own.
constexpr int64_t kMaxInlinedOps = 64;
/// What takes some ten microseconds is skipped when a condition says that nobody needs it; less is computed in vain.
constexpr double kLeastGuardedSteps = 1 << 18;

bool isPointwise(Op op) { return op == Op::Elementwise || op == Op::Cast; }

/// Marks the values of which a difference in the last bit may become a whole step: they are computed as the model says,
/// one rounding for each of its operations.
void markValuesBeforeSteps(Program &program) {
  for (auto node = program.graph.nodes.rbegin(); node != program.graph.nodes.rend(); ++node) {
    const bool isStep = graph::isElementwise(*node, ScalarOp::Round);
    if (!isStep && !program.planned(node->output).leadsToSteps) continue;
    for (ValueId input : node->inputs) program.planned(input).leadsToSteps = true;
  }
}

class Fuser {
 public:
  explicit Fuser(graph::Graph graph) {
    program_.graph = std::move(graph);
    const graph::Graph &g = program_.graph;
    program_.values.resize(g.values.size());
    for (size_t i = 0; i < g.nodes.size(); ++i) {
      program_.planned(g.nodes[i].output).producer = static_cast<int>(i);
      for (ValueId input : g.nodes[i].inputs) program_.planned(input).users.push_back(static_cast<int>(i));
    }
    for (size_t i = 0; i < g.values.size(); ++i) program_.values[i].isStored = g.values[i].constant != nullptr;
    for (const graph::Port &port : g.inputs) program_.planned(port.value).isStored = true;
    for (const graph::Port &port : g.outputs) program_.planned(port.value).isOutput = true;
    program_.loops = *graph::findLoops(g);  // a verified graph's loops are well-formed
    program_.guards = guardsOf(g, program_.loops, kLeastGuardedSteps);
    markValuesBeforeSteps(program_);
    for (const Guard &guard : program_.guards) {
      for (const Condition &condition : guard) program_.planned(condition.value).isOutput = true;
    }
  }

  Program run() {
    for (size_t i = 0; i < program_.graph.nodes.size(); ++i) {
      const Node &node = program_.graph.nodes[i];
      if (isView(node.op)) continue;
      if (node.op == Op::LoopResult) {
        // What the state's memory holds, once the loop has ended.
        program_.planned(node.output).isStored = true;
        program_.planned(node.output).group = program_.planned(node.inputs[0]).group;
        continue;
      }
      if (isPointwise(node.op)) {
        addPointwise(static_cast<int>(i), node);
      } else {
        addAnchor(static_cast<int>(i), node);
      }
    }
    return std::move(program_);
  }

 private:
  // ------------------------------------------------------------------------------------------- dependences

  std::set<int> groupsBehind(ValueId value) const {
    std::set<int> groups;
    for (ValueId leaf : leavesOf(program_, value)) {
      if (const int group = program_.planned(leaf).group; group >= 0) groups.insert(group);
    }
    return groups;
  }

  void noteInputs(int group, const Node &node) {
    for (ValueId input : node.inputs) noteInput(group, input);
    for (const Condition &condition : program_.groups[static_cast<size_t>(group)].guard) {
      noteInput(group, condition.value);
    }
  }

  void noteInput(int group, ValueId input) {
    for (int below : groupsBehind(input)) {
      if (below != group) needs_[static_cast<size_t>(group)].insert(below);
    }
  }

  /// Whether node \p position runs when and as often as \p group does.
  bool runsWith(const Group &group, int position) const {
    return group.guard == guardOf(position) && group.loop == runsIn(program_, position);
  }

  const Guard &guardOf(int position) const { return program_.guards[static_cast<size_t>(position)]; }

  /// Whether \p group has to wait for \p other.
  bool waitsFor(int group, int other) const {
    std::vector<int> stack = {group};
    std::set<int> seen = {group};
    while (!stack.empty()) {
      const int current = stack.back();
      stack.pop_back();
      if (current == other) return true;
      for (int below : needs_[static_cast<size_t>(current)]) {
        if (seen.insert(below).second) stack.push_back(below);
      }
    }
    return false;
  }

  /// Whether \p value can be had before \p group runs.
  bool independent(ValueId value, int group) const {
    for (int below : groupsBehind(value)) {
      if (waitsFor(below, group)) return false;
    }
    return true;
  }

  int newGroup(Group group) {
    program_.groups.push_back(std::move(group));
    needs_.emplace_back();
    return static_cast<int>(program_.groups.size()) - 1;
  }

  // ------------------------------------------------------------------------------------------- elementwise

  void addPointwise(int position, const Node &node) {
    std::set<int, std::greater<>> candidates;
    for (ValueId input : node.inputs) {
      for (int group : groupsBehind(input)) candidates.insert(group);
    }
    // Behind a product of many operands the op is hidden by it; behind elementwise ops it costs its own memory traffic.
    for (const bool anchored : {true, false}) {
      for (int group : candidates) {
        if ((program_.groups[static_cast<size_t>(group)].anchor >= 0) != anchored) continue;
        if (!runsWith(program_.groups[static_cast<size_t>(group)], position)) continue;
        if (std::optional<Indices> coords = placeIn(group, node)) {
          place(group, position, node, *coords);
          return;
        }
      }
    }
    Group group;
    group.guard = guardOf(position);
    group.loop = runsIn(program_, position);
    group.domains = mapDomains(program_.shape(node.output));
    const Indices coords = group.domains.output.coords;
    place(newGroup(std::move(group)), position, node, coords);
  }

  void place(int group, int position, const Node &node, const Indices &coords) {
    program_.groups[static_cast<size_t>(group)].epilogue.push_back(position);
    program_.planned(node.output).group = group;
    program_.planned(node.output).coords = coords;
    noteInputs(group, node);
  }

  /// Where \p node's output would lie over the group's points, if it can be computed there.
  std::optional<Indices> placeIn(int group, const Node &node) const {
    const std::vector<tensor::Dim> &dims = program_.groups[static_cast<size_t>(group)].domains.output.dims;
    std::optional<Indices> place;
    for (ValueId input : node.inputs) {
      std::optional<Indices> coords;
      if (program_.shape(input) == program_.shape(node.output)) coords = coordsIn(program_, group, input);
      if (!coords) {
        if (!independent(input, group)) return std::nullopt;
        continue;
      }
      if (!isAffine(*coords)) return std::nullopt;
      if (place && indexKey(*place, dims) != indexKey(*coords, dims)) return std::nullopt;
      place = std::move(coords);
    }
    return place;
  }

  // ----------------------------------------------------------------------------------------------- anchors

  void addAnchor(int position, const Node &node) {
    int group = takeOver(position, node);
    if (group < 0) group = newGroup({});
    Group &target = program_.groups[static_cast<size_t>(group)];
    target.guard = guardOf(position);
    target.loop = runsIn(program_, position);
    target.anchor = position;
    target.domains = anchorDomains(program_.graph, node);
    target.prologue = std::move(target.epilogue);
    target.epilogue.clear();
    for (int before : target.prologue) {
      // Rows that are reduced away are not there any more behind the reduction.
      std::optional<Indices> &coords =
          program_.planned(program_.graph.nodes[static_cast<size_t>(before)].output).coords;
      if (node.op == Op::Reduce) {
        coords.reset();
      } else {
        coords = target.domains.input.coords;
      }
    }
    program_.planned(node.output).group = group;
    // What is computed piece by piece has no point at which one could go on with its value.
    if (!isWrittenInPieces(node.op)) program_.planned(node.output).coords = target.domains.output.coords;
    noteInputs(group, node);
  }

  /// The elementwise group in front of a norm or reduction, if it can become its first stage.
  int takeOver(int position, const Node &node) const {
    const bool isRow = node.op == Op::Softmax || node.op == Op::LogSoftmax || node.op == Op::LayerNorm;
    if (!isRow && node.op != Op::Reduce) return -1;
    const int index = program_.planned(node.inputs[0]).group;
    if (index < 0) return -1;
    const Group &group = program_.groups[static_cast<size_t>(index)];
    if (group.anchor >= 0 || !runsWith(group, position)) return -1;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (!independent(node.inputs[i], index)) return -1;
    }
    const std::string identity = indexKey(group.domains.output.coords, group.domains.output.dims);
    for (int member : group.epilogue) {
      const ValueId value = program_.graph.nodes[static_cast<size_t>(member)].output;
      if (program_.shape(value) != program_.shape(node.inputs[0])) return -1;
      if (indexKey(*program_.planned(value).coords, group.domains.output.dims) != identity) return -1;
      if (node.op == Op::Reduce && !usedOnlyBy(value, index, node.output)) return -1;
    }
    if (node.op == Op::Reduce && inlinedOps(node.inputs[0], index) > kMaxInlinedOps) return -1;
    return index;
  }

  bool usedOnlyBy(ValueId value, int group, ValueId reduction) const {
    if (program_.planned(value).isOutput) return false;
    return std::all_of(program_.planned(value).users.begin(), program_.planned(value).users.end(), [&](int user) {
      const ValueId output = program_.graph.nodes[static_cast<size_t>(user)].output;
      return output == reduction || program_.planned(output).group == group;
    });
  }

  /// Size of the expression of \p value when all of its group is evaluated in place; stops counting past the limit.
  int64_t inlinedOps(ValueId value, int group) const {
    if (program_.planned(value).group != group) return 1;
    int64_t size = 1;
    for (ValueId input : program_.producerOf(value)->inputs) {
      size += inlinedOps(input, group);
      if (size > kMaxInlinedOps) break;
    }
    return size;
  }

  Program program_;
  std::vector<std::set<int>> needs_;
};

}  // namespace

Program fuse(graph::Graph graph) { return Fuser(std::move(graph)).run(); }

}  // namespace hone::plan
