#include "compiler/frontend/onnx/body.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"

namespace hone::frontend {
namespace {

using Names = std::set<std::string>;
using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

// How many names an error lists before it only counts.
constexpr size_t kNamesShown = 8;

void addReads(const onnx::NodeProto &node, Names &names);

/// Names that \p graph reads and does not define: those of the bodies around it.
void addFreeNames(const onnx::GraphProto &graph, Names &names) {
  Names own, read;
  for (const auto &tensor : graph.initializer()) own.insert(tensor.name());
  for (const auto &tensor : graph.sparse_initializer()) own.insert(tensor.values().name());
  for (const auto &input : graph.input()) own.insert(input.name());
  for (const auto &node : graph.node()) {
    own.insert(node.output().begin(), node.output().end());
    addReads(node, read);
  }
  for (const auto &output : graph.output()) read.insert(output.name());
  std::set_difference(read.begin(), read.end(), own.begin(), own.end(), std::inserter(names, names.end()));
}

void addReads(const onnx::NodeProto &node, Names &names) {
  for (const std::string &input : node.input()) {
    if (!input.empty()) names.insert(input);
  }
  for (const auto &attribute : node.attribute()) {
    if (attribute.has_g()) addFreeNames(attribute.g(), names);
    for (const auto &graph : attribute.graphs()) addFreeNames(graph, names);
  }
}

/// What \p node reads: its operands, and what its subgraphs take from around them.
Names readsOf(const onnx::NodeProto &node) {
  Names names;
  addReads(node, names);
  return names;
}

/// Who makes which value. Every name may be defined once.
class Definitions {
 public:
  absl::Status readGraph(const onnx::GraphProto &graph, BodyIndex &index) {
    for (const onnx::TensorProto &tensor : graph.initializer()) {
      if (tensor.name().empty()) return invalid("an initializer has no name");
      if (!index.constants.emplace(tensor.name(), &tensor).second) return duplicate(tensor.name());
      given_.insert(tensor.name());
    }
    for (const onnx::SparseTensorProto &tensor : graph.sparse_initializer()) {
      const std::string &name = tensor.values().name();
      if (name.empty()) return invalid("an initializer has no name");
      if (!given_.insert(name).second) return duplicate(name);
      index.sparseConstants.emplace(name, &tensor);
    }
    Names inputs;
    for (const onnx::ValueInfoProto &input : graph.input()) {
      if (input.name().empty()) return invalid("an input has no name");
      if (!inputs.insert(input.name()).second) return duplicate(input.name());
      // Old exporters list initializers among the inputs.
      if (given_.insert(input.name()).second) index.inputs.push_back(&input);
    }
    return readNodes(graph.node());
  }

  absl::Status readFunction(const onnx::FunctionProto &function) {
    for (const std::string &input : function.input()) {
      if (input.empty() || !given_.insert(input).second) return duplicate(input);
    }
    return readNodes(function.node());
  }

  bool isGiven(const std::string &name) const { return given_.count(name) != 0; }
  /// The node that makes \p name; -1 when none does.
  int producer(const std::string &name) const {
    auto found = producers_.find(name);
    return found == producers_.end() ? -1 : found->second;
  }

 private:
  static absl::Status duplicate(const std::string &name) { return invalid("the value '", name, "' is defined twice"); }

  absl::Status readNodes(const Nodes &nodes) {
    for (int i = 0; i < nodes.size(); ++i) {
      for (const std::string &output : nodes[i].output()) {
        if (output.empty()) continue;
        if (given_.count(output) != 0 || !producers_.emplace(output, i).second) return duplicate(output);
      }
    }
    return absl::OkStatus();
  }

  Names given_;
  std::map<std::string, int> producers_;
};

/// Marks the nodes that the outputs need, and counts who reads what.
absl::StatusOr<std::vector<bool>> findNeeded(const Nodes &nodes, const std::vector<std::string> &outputs,
                                             const Definitions &definitions, const OuterNames &isOuter,
                                             BodyIndex &index) {
  std::vector<bool> isNeeded(static_cast<size_t>(nodes.size()), false);
  std::vector<int> pending;
  auto need = [&](const std::string &name, const std::string &reader) -> absl::Status {
    ++index.uses[name];
    if (definitions.isGiven(name)) return absl::OkStatus();
    int producer = definitions.producer(name);
    if (producer < 0 && isOuter(name)) return absl::OkStatus();
    if (producer < 0)
      return invalid(reader, " reads '", name, "', which is no input, no initializer and no output of a node");
    if (!isNeeded[static_cast<size_t>(producer)]) pending.push_back(producer);
    isNeeded[static_cast<size_t>(producer)] = true;
    return absl::OkStatus();
  };
  for (const std::string &output : outputs) HONE_RETURN_IF_ERROR(need(output, "the list of outputs"));
  while (!pending.empty()) {
    const onnx::NodeProto &node = nodes[pending.back()];
    pending.pop_back();
    for (const std::string &name : readsOf(node)) {
      HONE_RETURN_IF_ERROR(need(name, absl::StrCat("node '", nodeName(node), "'")));
    }
  }
  return isNeeded;
}

/// One cycle among the nodes that could not be ordered: each of them waits for another one of them.
absl::Status cycleError(const Nodes &nodes, const Definitions &definitions, const std::set<int> &waiting) {
  std::vector<int> path = {*waiting.begin()};
  while (true) {
    int next = -1;
    for (const std::string &name : readsOf(nodes[path.back()])) {
      int producer = definitions.producer(name);
      if (waiting.count(producer) != 0) next = producer;
    }
    auto seen = std::find(path.begin(), path.end(), next);
    if (seen == path.end()) {
      path.push_back(next);
      continue;
    }
    std::vector<std::string> names;
    for (auto node = seen; node != path.end(); ++node) names.push_back(nodeName(nodes[*node]));
    return invalid("the nodes ", listNames(names), " form a cycle: each needs the result of the next");
  }
}

/// Puts the needed nodes in an order in which operands come first; of several possible ones the model's own.
absl::Status orderNodes(const Nodes &nodes, const Definitions &definitions, const std::vector<bool> &isNeeded,
                        BodyIndex &index) {
  std::vector<std::vector<int>> readers(isNeeded.size());
  std::vector<int> missing(isNeeded.size(), 0);
  std::set<int> ready, waiting;
  for (int i = 0; i < nodes.size(); ++i) {
    if (!isNeeded[static_cast<size_t>(i)]) continue;
    waiting.insert(i);
    for (const std::string &name : readsOf(nodes[i])) {
      int producer = definitions.producer(name);
      if (producer < 0) continue;
      readers[static_cast<size_t>(producer)].push_back(i);
      ++missing[static_cast<size_t>(i)];
    }
    if (missing[static_cast<size_t>(i)] == 0) ready.insert(i);
  }
  while (!ready.empty()) {
    int node = *ready.begin();
    ready.erase(ready.begin());
    waiting.erase(node);
    index.nodes.push_back(&nodes[node]);
    for (int reader : readers[static_cast<size_t>(node)]) {
      if (--missing[static_cast<size_t>(reader)] == 0) ready.insert(reader);
    }
  }
  return waiting.empty() ? absl::OkStatus() : cycleError(nodes, definitions, waiting);
}

absl::Status indexNodes(const Nodes &nodes, const std::vector<std::string> &outputs, const Definitions &definitions,
                        const OuterNames &isOuter, BodyIndex &index) {
  HONE_ASSIGN_OR_RETURN(std::vector<bool> isNeeded, findNeeded(nodes, outputs, definitions, isOuter, index));
  return orderNodes(nodes, definitions, isNeeded, index);
}

}  // namespace

absl::StatusOr<BodyIndex> indexGraph(const onnx::GraphProto &graph, const OuterNames &isOuter) {
  BodyIndex index;
  Definitions definitions;
  HONE_RETURN_IF_ERROR(definitions.readGraph(graph, index));
  std::vector<std::string> outputs;
  Names seen;
  for (const onnx::ValueInfoProto &output : graph.output()) {
    if (output.name().empty()) return invalid("an output has no name");
    if (!seen.insert(output.name()).second) return invalid("the output '", output.name(), "' is listed twice");
    outputs.push_back(output.name());
  }
  HONE_RETURN_IF_ERROR(indexNodes(graph.node(), outputs, definitions, isOuter, index));
  return index;
}

absl::StatusOr<BodyIndex> indexFunction(const onnx::FunctionProto &function) {
  BodyIndex index;
  Definitions definitions;
  HONE_RETURN_IF_ERROR(definitions.readFunction(function));
  std::vector<std::string> outputs(function.output().begin(), function.output().end());
  HONE_RETURN_IF_ERROR(
      indexNodes(function.node(), outputs, definitions, [](const std::string &) { return false; }, index));
  return index;
}

BodyParts splitByInputs(const BodyIndex &body) {
  Names varying;
  for (const onnx::ValueInfoProto *input : body.inputs) varying.insert(input->name());
  BodyParts parts;
  for (const onnx::NodeProto *node : body.nodes) {
    const Names reads = readsOf(*node);
    const bool varies =
        std::any_of(reads.begin(), reads.end(), [&](const std::string &name) { return varying.count(name) != 0; });
    (varies ? parts.varying : parts.fixed).push_back(node);
    if (varies) varying.insert(node->output().begin(), node->output().end());
  }
  return parts;
}

std::optional<int64_t> growingAxis(const BodyIndex &body, const std::string &input, const std::string &output) {
  const auto isReadOnce = [&](const std::string &name) {
    const auto found = body.uses.find(name);
    return found != body.uses.end() && found->second == 1;
  };
  if (!isReadOnce(input) || !isReadOnce(output)) return std::nullopt;
  for (const onnx::NodeProto *node : body.nodes) {
    if (node->output_size() != 1 || node->output(0) != output) continue;
    const bool isConcat = node->op_type() == "Concat" && (node->domain().empty() || node->domain() == "ai.onnx");
    if (!isConcat || node->input_size() < 2 || std::count(node->input().begin(), node->input().end(), input) != 1)
      break;
    if (node->input(0) != input) break;
    for (const onnx::AttributeProto &attribute : node->attribute()) {
      if (attribute.name() == "axis") return attribute.i();
    }
  }
  return std::nullopt;
}

std::string nodeName(const onnx::NodeProto &node) {
  if (!node.name().empty() || node.output_size() == 0) return node.name();
  return node.output(0);
}

std::string listNames(const std::vector<std::string> &names) {
  std::vector<std::string> shown(names.begin(),
                                 names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesShown)));
  std::string text = absl::StrCat("'", absl::StrJoin(shown, "', '"), "'");
  if (names.size() > shown.size()) absl::StrAppend(&text, " and ", names.size() - shown.size(), " more");
  return text;
}

}  // namespace hone::frontend
