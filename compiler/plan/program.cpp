#include "compiler/plan/program.h"

#include <algorithm>

namespace hone::plan {

using graph::Op;
using graph::ValueId;

namespace {

void collectLeaves(const Program &program, ValueId value, std::vector<ValueId> &leaves) {
  const graph::Node *node = program.producerOf(value);
  if (program.planned(value).isStored || node == nullptr || !isView(node->op)) {
    leaves.push_back(value);
    return;
  }
  for (ValueId input : node->inputs) collectLeaves(program, input, leaves);
}

}  // namespace

bool isWrittenInPieces(Op op) {
  return op == Op::Concat || op == Op::Compute || op == Op::LoopState || op == Op::LoopCollect || op == Op::LoopEnd;
}

int runsIn(const Program &program, int position) {
  const graph::Op op = program.graph.nodes[static_cast<size_t>(position)].op;
  const int loop = program.loops.loopOf[static_cast<size_t>(position)];
  if (op == Op::LoopState) return program.loops.loops[static_cast<size_t>(loop)].around;
  if (op != Op::LoopEnd) return loop;
  int own = 0;
  while (program.loops.loops[static_cast<size_t>(own)].end != position) ++own;
  return own;
}

bool isScalarConstant(const graph::Value &value) { return value.constant != nullptr && value.type.elements() == 1; }

Resolved resolve(const Program &program, ValueId value, const Indices &indices, const IndexLoader &loader) {
  Resolved result{value, program.shape(value), indices, std::nullopt};
  while (!program.planned(result.leaf).isStored) {
    const graph::Node *node = program.producerOf(result.leaf);
    if (node == nullptr || !isView(node->op)) break;
    if (node->op == Op::Reshape) {
      ValueId root = node->inputs[0];
      const graph::Node *below = program.producerOf(root);
      while (!program.planned(root).isStored && below != nullptr && below->op == Op::Reshape) {
        root = below->inputs[0];
        below = program.producerOf(root);
      }
      if (program.planned(root).isStored && !program.planned(root).isBlocked) {
        result.leaf = root;
        return result;
      }
    }
    Source source = backward(program.graph, *node, result.indices, loader);
    result.leaf = node->inputs[0];
    result.shape = program.shape(result.leaf);
    result.indices = std::move(source.indices);
    if (source.outside) result.outside = source.outside;
  }
  return result;
}

std::vector<ValueId> leavesOf(const Program &program, ValueId value) {
  std::vector<ValueId> leaves;
  collectLeaves(program, value, leaves);
  return leaves;
}

std::optional<Indices> coordsIn(const Program &program, int group, ValueId value) {
  if (program.planned(value).group == group) return program.planned(value).coords;
  if (program.planned(value).isStored) return std::nullopt;
  const graph::Node *node = program.producerOf(value);
  if (node == nullptr || !isBijection(node->op)) return std::nullopt;
  std::optional<Indices> below = coordsIn(program, group, node->inputs[0]);
  if (!below) return std::nullopt;
  return forward(program.graph, *node, *below);
}

ValueId memberBehind(const Program &program, int group, ValueId value) {
  for (;;) {
    const graph::Node *node = program.producerOf(value);
    if (node == nullptr) return -1;
    if (!isView(node->op)) return program.planned(value).group == group ? value : -1;
    if (!isBijection(node->op)) return -1;
    value = node->inputs[0];
  }
}

std::vector<ValueId> inputsOf(const Program &program, int index) {
  const Group &group = program.groups[static_cast<size_t>(index)];
  std::vector<ValueId> inputs;
  const auto add = [&](int node) {
    for (ValueId input : program.graph.nodes[static_cast<size_t>(node)].inputs) inputs.push_back(input);
  };
  for (int node : group.prologue) add(node);
  if (group.anchor >= 0) add(group.anchor);
  for (int node : group.epilogue) add(node);
  if (group.copied >= 0) {
    const graph::Node *node = program.producerOf(group.copied);
    // The copy that stores a view reads what the view reads; any other copy reads the value itself.
    if (program.planned(group.copied).group == index && node != nullptr) {
      inputs.insert(inputs.end(), node->inputs.begin(), node->inputs.end());
    } else {
      inputs.push_back(group.copied);
    }
  }
  for (const Condition &condition : group.guard) inputs.push_back(condition.value);
  return inputs;
}

}  // namespace hone::plan
