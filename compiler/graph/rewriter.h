// Rewriter: applies rules to a graph, node by node in topological order. A rule looks at a node and the producers of
// its operands and answers with the value that stands for the node's result from now on, or with nothing. All
// passes but dead code and common subexpressions are rules. One thread; borrows the graph for its lifetime.
//
//   std::optional<ValueId> dropDoubleNegation(Rewriter &rewriter, const Node &node) {
//     const Node *inner = rewriter.producer(node, 0, ScalarOp::Neg);
//     if (!isElementwise(node, ScalarOp::Neg) || inner == nullptr) return std::nullopt;
//     return inner->inputs[0];
//   }
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/graph/graph.h"

namespace hone::graph {

class Rewriter {
 public:
  explicit Rewriter(Graph &graph);

  using Rule = std::function<std::optional<ValueId>(Rewriter &, const Node &)>;
  /// Applies \p rules, the first that answers first, until none has an answer any more. Nodes without a use go.
  void run(const std::vector<Rule> &rules);

  // ------------------------------------------------------------------------------------- what rules may ask
  /// The pointers last until the next add.
  const Node *producer(ValueId value) const;
  const Node *producer(ValueId value, Op op) const;
  const Node *producer(ValueId value, ScalarOp op) const;
  const TensorType &type(ValueId value) const { return at(value).type; }
  const Constant &constant(ValueId value) const { return at(value).constant; }
  bool isConstant(ValueId value) const { return at(value).constant != nullptr; }
  /// Whether \p value is a constant that holds one number, and the number.
  std::optional<double> number(ValueId value) const;
  bool isNumber(ValueId value, double number) const;
  /// Reads of \p value by nodes, each operand counted, and by the graph's outputs. Never too low.
  int uses(ValueId value) const { return uses_.at(static_cast<size_t>(value)); }
  /// Whether somebody who reads \p value makes steps of it: there, a difference in the last bit can become a whole one.
  bool isStepped(ValueId value) const { return stepped_.count(value) != 0; }

  // -------------------------------------------------------------------------------------- what rules may do
  /// Adds a node in front of the one that is looked at; it is named after that one and \p consumed.
  ValueId add(Op op, std::vector<ValueId> inputs, Attributes attributes = {},
              std::optional<TensorType> type = std::nullopt, std::initializer_list<const Node *> consumed = {});
  ValueId add(ScalarOp op, std::vector<ValueId> inputs);
  ValueId addConstant(Constant constant);
  /// Adds a constant that is named after \p like, the one that it was computed from.
  ValueId addConstant(ValueId like, Constant constant);
  /// The constant that \p op gives on constants.
  ValueId combine(ScalarOp op, const std::vector<ValueId> &constants);
  /// A constant scalar.
  ValueId addNumber(DType dtype, double number);

 private:
  const Value &at(ValueId value) const { return graph_.values.at(static_cast<size_t>(value)); }
  bool sweep(const std::vector<Rule> &rules);
  bool rewrite(Node node, const std::vector<Rule> &rules);
  void replace(ValueId old, ValueId replacement);
  ValueId resolve(ValueId value) const;
  void append(Node node);
  ValueId track(ValueId value);
  void countUses();

  Graph &graph_;
  std::vector<Node> nodes_;            ///< those already looked at
  std::vector<int> producers_;         ///< per value: position in nodes_, or -1
  std::vector<int> uses_;              ///< per value
  std::set<ValueId> stepped_;          ///< read by roundings, comparisons, or casts to integers
  std::vector<ValueId> replacements_;  ///< per value: what stands for it, mostly itself
  std::set<std::string> names_;        ///< of all values
  std::string current_;                ///< name of the node that is looked at
};

bool isElementwise(const Node &node, ScalarOp op);

/// Drops nodes that no output needs; values keep their ids.
void removeDeadNodes(Graph &graph);

}  // namespace hone::graph
