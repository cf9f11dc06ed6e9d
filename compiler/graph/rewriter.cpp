#include "compiler/graph/rewriter.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"
#include "compiler/graph/infer.h"

namespace hone::graph {
namespace {

// Rules bring a graph nearer to a canonical form, so that a few rounds suffice; the limits end a quarrel of rules.
constexpr int kMaximumSweeps = 32;
constexpr int kMaximumRewritesOfNode = 64;

/// The names of all nodes that a node stands for, each once.
std::string joinNames(const std::string &current, std::initializer_list<const Node *> consumed) {
  std::vector<std::string> names;
  auto append = [&](const std::string &joined) {
    for (const auto &part : absl::StrSplit(joined, ", ", absl::SkipEmpty())) {
      std::string name(part);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  };
  for (const Node *node : consumed) append(node->name);
  append(current);
  return absl::StrJoin(names, ", ");
}

bool makesSteps(const Node &node, DType result) {
  if (node.op == Op::Cast) return !isFloat(result);
  if (node.op != Op::Elementwise) return false;
  ScalarOp op = std::get<ElementwiseAttributes>(node.attributes).op;
  switch (op) {
    case ScalarOp::Floor:
    case ScalarOp::Ceil:
    case ScalarOp::Round:
    case ScalarOp::FloorMod:
    case ScalarOp::TruncMod:
      return true;
    default:
      return isPredicate(op);
  }
}

}  // namespace

bool isElementwise(const Node &node, ScalarOp op) {
  return node.op == Op::Elementwise && std::get<ElementwiseAttributes>(node.attributes).op == op;
}

void removeDeadNodes(Graph &graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (const Port &port : graph.outputs) needed[static_cast<size_t>(port.value)] = true;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    if (!needed[static_cast<size_t>(graph.nodes[i].output)]) continue;
    for (ValueId input : graph.nodes[i].inputs) needed[static_cast<size_t>(input)] = true;
  }
  std::erase_if(graph.nodes, [&](const Node &node) { return !needed[static_cast<size_t>(node.output)]; });
}

Rewriter::Rewriter(Graph &graph) : graph_(graph) {
  for (const Value &value : graph.values) names_.insert(value.name);
}

void Rewriter::run(const std::vector<Rule> &rules) {
  for (int i = 0; i < kMaximumSweeps; ++i) {
    removeDeadNodes(graph_);
    if (!sweep(rules)) break;
  }
  removeDeadNodes(graph_);
}

void Rewriter::countUses() {
  uses_.assign(graph_.values.size(), 0);
  stepped_.clear();
  for (const Node &node : graph_.nodes) {
    for (ValueId input : node.inputs) ++uses_[static_cast<size_t>(input)];
    if (makesSteps(node, type(node.output).dtype)) stepped_.insert(node.inputs.begin(), node.inputs.end());
  }
  for (const Port &port : graph_.outputs) ++uses_[static_cast<size_t>(port.value)];
}

bool Rewriter::sweep(const std::vector<Rule> &rules) {
  countUses();
  producers_.assign(graph_.values.size(), -1);
  replacements_.resize(graph_.values.size());
  for (size_t i = 0; i < replacements_.size(); ++i) replacements_[i] = static_cast<ValueId>(i);
  std::vector<Node> before = std::exchange(graph_.nodes, {});
  nodes_.clear();
  bool changed = false;
  for (Node &node : before) {
    for (ValueId &input : node.inputs) input = resolve(input);
    changed = rewrite(std::move(node), rules) || changed;
  }
  for (Port &port : graph_.outputs) port.value = resolve(port.value);
  graph_.nodes = std::move(nodes_);
  return changed;
}

bool Rewriter::rewrite(Node node, const std::vector<Rule> &rules) {
  current_ = node.name;
  ValueId original = node.output;
  for (int i = 0; i < kMaximumRewritesOfNode; ++i) {
    std::optional<ValueId> result;
    for (size_t rule = 0; rule < rules.size() && !result; ++rule) result = rules[rule](*this, node);
    if (!result) {
      append(std::move(node));
      return i > 0;
    }
    for (ValueId input : node.inputs) --uses_[static_cast<size_t>(input)];
    replace(node.output, *result);
    // A node that the rule has just made for this value is looked at in its turn.
    bool fresh = !nodes_.empty() && nodes_.back().output == *result && uses(*result) == uses(original);
    if (!fresh) return true;
    node = std::move(nodes_.back());
    current_ = node.name;
    nodes_.pop_back();
    producers_[static_cast<size_t>(node.output)] = -1;
  }
  append(std::move(node));
  return true;
}

void Rewriter::replace(ValueId old, ValueId replacement) {
  auto oldAt = static_cast<size_t>(old), newAt = static_cast<size_t>(replacement);
  assert(graph_.values[oldAt].type == graph_.values[newAt].type && "a rule changed a type");
  replacements_[oldAt] = replacement;
  if (isStepped(old)) stepped_.insert(replacement);
  uses_[newAt] += uses_[oldAt];
  if (graph_.values[newAt].name.empty()) std::swap(graph_.values[newAt].name, graph_.values[oldAt].name);
}

ValueId Rewriter::resolve(ValueId value) const {
  while (replacements_[static_cast<size_t>(value)] != value) value = replacements_[static_cast<size_t>(value)];
  return value;
}

void Rewriter::append(Node node) {
  producers_[static_cast<size_t>(node.output)] = static_cast<int>(nodes_.size());
  nodes_.push_back(std::move(node));
}

const Node *Rewriter::producer(ValueId value) const {
  int position = producers_.at(static_cast<size_t>(value));
  return position < 0 ? nullptr : &nodes_[static_cast<size_t>(position)];
}

const Node *Rewriter::producer(ValueId value, Op op) const {
  const Node *node = producer(value);
  return node != nullptr && node->op == op ? node : nullptr;
}

const Node *Rewriter::producer(ValueId value, ScalarOp op) const {
  const Node *node = producer(value);
  return node != nullptr && isElementwise(*node, op) ? node : nullptr;
}

std::optional<double> Rewriter::number(ValueId value) const {
  if (!isConstant(value)) return std::nullopt;
  return uniformElement(*constant(value));
}

bool Rewriter::isNumber(ValueId value, double wanted) const {
  std::optional<double> found = number(value);
  return found && *found == wanted;
}

ValueId Rewriter::add(Op op, std::vector<ValueId> inputs, Attributes attributes, std::optional<TensorType> type,
                      std::initializer_list<const Node *> consumed) {
  for (ValueId input : inputs) ++uses_[static_cast<size_t>(input)];
  if (consumed.size() > 0) current_ = joinNames(current_, consumed);
  ValueId output = track(graph_.add(op, std::move(inputs), std::move(attributes), current_, std::move(type)));
  append(std::move(graph_.nodes.back()));
  graph_.nodes.pop_back();
  return output;
}

ValueId Rewriter::add(ScalarOp op, std::vector<ValueId> inputs) {
  return add(Op::Elementwise, std::move(inputs), ElementwiseAttributes{op});
}

ValueId Rewriter::track(ValueId value) {
  uses_.push_back(0);
  producers_.push_back(-1);
  replacements_.push_back(value);
  return value;
}

ValueId Rewriter::addConstant(ValueId like, Constant constant) {
  std::string &base = graph_.values.at(static_cast<size_t>(like)).name;
  std::string name = base;
  if (uses(like) <= 1) {
    base.clear();  // the new constant takes the old one's place
  } else {
    for (int i = 2; !name.empty() && !names_.insert(name).second; ++i) name = absl::StrCat(base, ".", i);
  }
  return track(graph_.addConstant(std::move(name), std::move(constant)));
}

ValueId Rewriter::addConstant(Constant constant) { return track(graph_.addConstant("", std::move(constant))); }

ValueId Rewriter::combine(ScalarOp op, const std::vector<ValueId> &constants) {
  Node node{Op::Elementwise, constants, -1, ElementwiseAttributes{op}, current_};
  std::vector<TensorType> types;
  std::vector<Constant> operands;
  for (ValueId value : constants) {
    types.push_back(type(value));
    operands.push_back(constant(value));
  }
  absl::StatusOr<TensorType> result = inferType(node.op, node.attributes, types);
  absl::StatusOr<Constant> value = evaluate(node, operands, *result);  // elementwise evaluation cannot fail
  return addConstant(constants[0], *std::move(value));
}

ValueId Rewriter::addNumber(DType dtype, double number) { return addConstant(makeFilled({dtype, {}}, number)); }

}  // namespace hone::graph
