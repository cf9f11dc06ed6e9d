// prepare(): rewrites of the graph that mean the same and leave more to fuse.
#include <algorithm>
#include <numeric>

#include "compiler/graph/rewriter.h"
#include "compiler/plan/program.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;
using graph::ValueId;

/// Copies nodes one by one into a new list, rewriting on the way.
class Preparer {
 public:
  explicit Preparer(Graph graph) : graph_(std::move(graph)) {
    uses_.resize(graph_.values.size(), 0);
    producer_.resize(graph_.values.size(), -1);
    for (const Node &node : graph_.nodes) {
      for (ValueId input : node.inputs) ++uses_[static_cast<size_t>(input)];
    }
    for (const graph::Port &port : graph_.outputs) ++uses_[static_cast<size_t>(port.value)];
  }

  Graph run() {
    for (Node &node : graph_.nodes) {
      if (node.op == Op::MatMul) spellOutTranspose(node);
      if (node.op == Op::LoopEnd) copyStates(node);
      if ((node.op == Op::Elementwise || node.op == Op::Cast) && moveBeforeViews(node)) continue;
      push(node);
    }
    graph_.nodes.clear();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!dropped_[i]) graph_.nodes.push_back(std::move(nodes_[i]));
    }
    return std::move(graph_);
  }

 private:
  void push(Node node) {
    producer_[static_cast<size_t>(node.output)] = static_cast<int>(nodes_.size());
    nodes_.push_back(std::move(node));
    dropped_.push_back(false);
  }

  ValueId newValue(graph::TensorType type, int uses) {
    const ValueId id = graph_.addValue("", std::move(type));
    uses_.push_back(uses);
    producer_.push_back(-1);
    return id;
  }

  const graph::TensorType &type(ValueId value) const { return graph_.values[static_cast<size_t>(value)].type; }

  /// The right operand's columns must be contiguous. Constants are packed anyway; data becomes a transpose, which
  /// views and copies know how to deal with.
  void spellOutTranspose(Node &node) {
    auto attributes = std::get<graph::MatMulAttributes>(node.attributes);
    if (!attributes.transposeB || graph_.values[static_cast<size_t>(node.inputs[1])].constant != nullptr) return;
    graph::TensorType transposed = type(node.inputs[1]);
    const size_t rank = transposed.shape.size();
    std::vector<int64_t> permutation(rank);
    std::iota(permutation.begin(), permutation.end(), 0);
    std::swap(permutation[rank - 1], permutation[rank - 2]);
    std::swap(transposed.shape[rank - 1], transposed.shape[rank - 2]);
    const ValueId value = newValue(transposed, 1);
    push({Op::Transpose, {node.inputs[1]}, value, graph::TransposeAttributes{permutation}, node.name});
    node.inputs[1] = value;
    attributes.transposeB = false;
    node.attributes = attributes;
  }

  /// All states change at once: what another one held is kept before its memory changes. The condition's next value is
  /// always written, so that every loop does something.
  void copyStates(Node &end) {
    const size_t states = end.inputs.size() / 2;
    for (size_t k = 0; k < states; ++k) {
      ValueId &next = end.inputs[states + k];
      const int state = producer_[static_cast<size_t>(next)];
      const auto from = end.inputs.begin() + static_cast<std::ptrdiff_t>(states);
      if (state < 0 || std::find(end.inputs.begin(), from, next) == from || (next == end.inputs[k] && k != 0)) continue;
      const ValueId kept = newValue(type(next), 1);
      push({Op::Cast, {next}, kept, std::monostate(), end.name});
      next = kept;
    }
  }

  /// An op on single elements whose other operands are numbers: computed before the views that lie between it and
  /// the node that computes its operand, it is part of that node's kernel.
  bool moveBeforeViews(const Node &node) {
    int operand = -1;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (isScalarConstant(graph_.values[static_cast<size_t>(node.inputs[i])])) continue;
      if (operand >= 0) return false;
      operand = static_cast<int>(i);
    }
    if (operand < 0) return false;
    std::vector<int> views;
    ValueId root = node.inputs[static_cast<size_t>(operand)];
    if (type(root).shape != type(node.output).shape) return false;
    while (uses_[static_cast<size_t>(root)] == 1) {
      const int below = producer_[static_cast<size_t>(root)];
      if (below < 0 || !isBijection(nodes_[static_cast<size_t>(below)].op)) break;
      views.push_back(below);
      root = nodes_[static_cast<size_t>(below)].inputs[0];
    }
    const int computed = producer_[static_cast<size_t>(root)];
    if (views.empty() || computed < 0 || isView(nodes_[static_cast<size_t>(computed)].op)) return false;
    if (uses_[static_cast<size_t>(root)] != 1) return false;

    const DType dtype = type(node.output).dtype;
    Node moved = node;
    moved.inputs[static_cast<size_t>(operand)] = root;
    moved.output = newValue({dtype, type(root).shape}, 1);
    ValueId last = moved.output;
    push(std::move(moved));
    for (size_t i = views.size(); i-- > 0;) {
      Node view = nodes_[static_cast<size_t>(views[i])];
      dropped_[static_cast<size_t>(views[i])] = true;
      view.inputs[0] = last;
      last = i == 0 ? node.output : newValue({dtype, type(view.output).shape}, 1);
      view.output = last;
      push(std::move(view));
    }
    return true;
  }

  Graph graph_;
  std::vector<int> uses_;
  std::vector<int> producer_;
  std::vector<Node> nodes_;
  std::vector<bool> dropped_;
};

}  // namespace

Graph prepare(Graph graph) {
  graph::removeDeadNodes(graph);
  return Preparer(std::move(graph)).run();
}

}  // namespace hone::plan
