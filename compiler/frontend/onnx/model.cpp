#include "compiler/frontend/onnx/model.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/builder.h"
#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {
namespace {

// How many names an error lists before it only counts.
constexpr size_t kNamesShown = 8;

bool isOwnDomain(const std::string &domain) { return domain.empty() || domain == "ai.onnx"; }

std::string listNames(const std::vector<std::string> &names) {
  std::vector<std::string> shown(names.begin(),
                                 names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesShown)));
  std::string text = absl::StrCat("'", absl::StrJoin(shown, "', '"), "'");
  if (names.size() > shown.size()) absl::StrAppend(&text, " and ", names.size() - shown.size(), " more");
  return text;
}

absl::StatusOr<std::map<std::string, int64_t>> readOpsets(const onnx::ModelProto &model) {
  std::map<std::string, int64_t> versions;
  for (const onnx::OperatorSetIdProto &opset : model.opset_import()) {
    std::string domain = isOwnDomain(opset.domain()) ? "" : opset.domain();
    auto [entry, isNew] = versions.emplace(domain, opset.version());
    if (!isNew && entry->second != opset.version()) {
      return invalid("the model imports versions ", entry->second, " and ", opset.version(), " of the operators of '",
                     domain.empty() ? "ai.onnx" : domain, "'");
    }
  }
  // Before version 3 of the format there was one set of operators and nothing to say.
  if (model.ir_version() < 3) versions.emplace("", 1);
  auto own = versions.find("");
  if (own != versions.end() && own->second > kNewestOpset) {
    return unsupported("the model uses opset ", own->second, "; opsets 1 to ", kNewestOpset,
                       " are supported: export it with opset_version=", kNewestOpset, " or lower");
  }
  if (own != versions.end() && own->second < 1) return invalid("the model's opset ", own->second, " does not exist");
  return versions;
}

/// Who makes which value. Every name may be defined once.
class Definitions {
 public:
  absl::Status read(const onnx::GraphProto &graph, ModelIndex &index) {
    if (graph.sparse_initializer_size() != 0) return unsupported("sparse initializers");
    for (const onnx::TensorProto &tensor : graph.initializer()) {
      if (tensor.name().empty()) return invalid("an initializer has no name");
      if (!index.constants.emplace(tensor.name(), &tensor).second) return duplicate(tensor.name());
    }
    std::set<std::string> inputs;
    for (const onnx::ValueInfoProto &input : graph.input()) {
      if (input.name().empty()) return invalid("an input has no name");
      if (!inputs.insert(input.name()).second) return duplicate(input.name());
      // Old exporters list initializers among the inputs.
      if (index.constants.count(input.name()) != 0) continue;
      index.inputs.push_back(&input);
      given_.insert(input.name());
    }
    for (const auto &[name, tensor] : index.constants) given_.insert(name);
    for (int i = 0; i < graph.node_size(); ++i) {
      for (const std::string &output : graph.node(i).output()) {
        if (output.empty()) continue;
        if (given_.count(output) != 0 || !producers_.emplace(output, i).second) return duplicate(output);
      }
    }
    return absl::OkStatus();
  }

  bool isGiven(const std::string &name) const { return given_.count(name) != 0; }
  /// The node that makes \p name; -1 when none does.
  int producer(const std::string &name) const {
    auto found = producers_.find(name);
    return found == producers_.end() ? -1 : found->second;
  }

 private:
  static absl::Status duplicate(const std::string &name) { return invalid("the value '", name, "' is defined twice"); }

  std::set<std::string> given_;
  std::map<std::string, int> producers_;
};

/// Marks the nodes that the outputs need, and counts who reads what.
absl::StatusOr<std::vector<bool>> findNeeded(const onnx::GraphProto &graph, const Definitions &definitions,
                                             ModelIndex &index) {
  std::vector<bool> isNeeded(static_cast<size_t>(graph.node_size()), false);
  std::vector<int> pending;
  auto need = [&](const std::string &name, const std::string &reader) -> absl::Status {
    ++index.uses[name];
    if (definitions.isGiven(name)) return absl::OkStatus();
    int producer = definitions.producer(name);
    if (producer < 0)
      return invalid(reader, " reads '", name, "', which is no input, no initializer and no output of a node");
    if (!isNeeded[static_cast<size_t>(producer)]) pending.push_back(producer);
    isNeeded[static_cast<size_t>(producer)] = true;
    return absl::OkStatus();
  };
  for (const onnx::ValueInfoProto &output : graph.output()) {
    HONE_RETURN_IF_ERROR(need(output.name(), "the list of outputs"));
  }
  while (!pending.empty()) {
    const onnx::NodeProto &node = graph.node(pending.back());
    pending.pop_back();
    for (const std::string &input : node.input()) {
      if (!input.empty()) HONE_RETURN_IF_ERROR(need(input, absl::StrCat("node '", nodeName(node), "'")));
    }
  }
  return isNeeded;
}

/// One cycle among the nodes that could not be ordered: each of them waits for another one of them.
absl::Status cycleError(const onnx::GraphProto &graph, const Definitions &definitions, const std::set<int> &waiting) {
  std::vector<int> path = {*waiting.begin()};
  while (true) {
    int next = -1;
    for (const std::string &input : graph.node(path.back()).input()) {
      int producer = definitions.producer(input);
      if (waiting.count(producer) != 0) next = producer;
    }
    auto seen = std::find(path.begin(), path.end(), next);
    if (seen == path.end()) {
      path.push_back(next);
      continue;
    }
    std::vector<std::string> names;
    for (auto node = seen; node != path.end(); ++node) names.push_back(nodeName(graph.node(*node)));
    return invalid("the nodes ", listNames(names), " form a cycle: each needs the result of the next");
  }
}

/// Puts the needed nodes in an order in which operands come first; of several possible ones the model's own.
absl::Status orderNodes(const onnx::GraphProto &graph, const Definitions &definitions,
                        const std::vector<bool> &isNeeded, ModelIndex &index) {
  std::vector<std::vector<int>> readers(isNeeded.size());
  std::vector<int> missing(isNeeded.size(), 0);
  std::set<int> ready, waiting;
  for (int i = 0; i < graph.node_size(); ++i) {
    if (!isNeeded[static_cast<size_t>(i)]) continue;
    waiting.insert(i);
    for (const std::string &input : graph.node(i).input()) {
      int producer = definitions.producer(input);
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
    index.nodes.push_back(&graph.node(node));
    for (int reader : readers[static_cast<size_t>(node)]) {
      if (--missing[static_cast<size_t>(reader)] == 0) ready.insert(reader);
    }
  }
  return waiting.empty() ? absl::OkStatus() : cycleError(graph, definitions, waiting);
}

absl::Status checkSupported(const std::vector<const onnx::NodeProto *> &nodes,
                            const std::map<std::string, int64_t> &opsets) {
  struct Missing {
    int64_t version = 0;
    std::vector<std::string> nodes;
  };
  std::map<std::pair<std::string, std::string>, Missing> missing;
  for (const onnx::NodeProto *node : nodes) {
    std::string domain = isOwnDomain(node->domain()) ? "" : node->domain();
    auto opset = opsets.find(domain);
    if (opset == opsets.end()) {
      return invalid("node '", nodeName(*node), "' uses the operators of '", domain.empty() ? "ai.onnx" : domain,
                     "', of which the model imports no version");
    }
    if (domain.empty() && findOperator(node->op_type(), opset->second) != nullptr) continue;
    Missing &entry = missing[{domain.empty() ? "ai.onnx" : domain, node->op_type()}];
    entry.version = opset->second;
    entry.nodes.push_back(nodeName(*node));
  }
  if (missing.empty()) return absl::OkStatus();
  std::vector<std::string> parts;
  for (const auto &[key, entry] : missing) {
    const std::string why = key.first == "ai.onnx" ? std::string(exclusionOf(key.second)) : "";
    parts.push_back(absl::StrCat(key.second, " (", key.first, " version ", entry.version, ", ", entry.nodes.size(),
                                 entry.nodes.size() == 1 ? " node: " : " nodes: ", listNames(entry.nodes), ")",
                                 why.empty() ? "" : ": ", why));
  }
  return unsupported(missing.size() == 1 ? "1 operator" : absl::StrCat(missing.size(), " operators"),
                     " of the model cannot be compiled: ", absl::StrJoin(parts, "; "));
}

}  // namespace

std::string nodeName(const onnx::NodeProto &node) {
  if (!node.name().empty() || node.output_size() == 0) return node.name();
  return node.output(0);
}

absl::StatusOr<std::unique_ptr<onnx::ModelProto>> parseModel(std::string_view bytes, const ImportLimits &limits) {
  // Protobuf counts bytes in an int.
  int64_t most = std::min<int64_t>(limits.fileBytes, std::numeric_limits<int>::max());
  if (static_cast<int64_t>(bytes.size()) > most) {
    return invalid("the model has ", bytes.size(), " bytes; the limit is ", most);
  }
  if (bytes.empty()) return invalid("the model is empty");
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t *>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(static_cast<int>(most));
  stream.SetRecursionLimit(limits.nestingDepth);
  auto model = std::make_unique<onnx::ModelProto>();
  if (!model->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return invalid("the bytes are no ONNX model: they end early, are damaged, or nest deeper than ",
                   limits.nestingDepth, " messages");
  }
  if (!model->has_graph()) return invalid("the bytes are no ONNX model: there is no graph in them");
  return model;
}

absl::StatusOr<ModelIndex> indexModel(const onnx::ModelProto &model, const ImportLimits &limits) {
  const onnx::GraphProto &graph = model.graph();
  if (graph.node_size() > limits.nodes) {
    return invalid("the model has ", graph.node_size(), " nodes; the limit is ", limits.nodes);
  }
  if (graph.output_size() == 0) return invalid("the model has no outputs");
  HONE_ASSIGN_OR_RETURN(auto opsets, readOpsets(model));
  ModelIndex index;
  index.opset = opsets.count("") != 0 ? opsets.at("") : 1;
  Definitions definitions;
  HONE_RETURN_IF_ERROR(definitions.read(graph, index));
  std::set<std::string> outputs;
  for (const onnx::ValueInfoProto &output : graph.output()) {
    if (output.name().empty()) return invalid("an output has no name");
    if (!outputs.insert(output.name()).second) return invalid("the output '", output.name(), "' is listed twice");
  }
  HONE_ASSIGN_OR_RETURN(std::vector<bool> isNeeded, findNeeded(graph, definitions, index));
  HONE_RETURN_IF_ERROR(orderNodes(graph, definitions, isNeeded, index));
  HONE_RETURN_IF_ERROR(checkSupported(index.nodes, opsets));
  return index;
}

}  // namespace hone::frontend
