#include "compiler/frontend/onnx/import.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/bound_inputs.h"
#include "compiler/frontend/onnx/model.h"
#include "compiler/frontend/onnx/node.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"

namespace hone::frontend {
namespace {

/// Functions that call functions, and branches within branches, may nest this deep.
constexpr int kMostScopes = 64;

/// A body that is being imported: the values that its names stand for. Those of the bodies around are seen through it,
/// but not through a function.
struct Scope {
  Scope(const BodyIndex &ofBody, const Opsets &ofOpsets, const Scope *around)
      : body(ofBody), opsets(ofOpsets), outer(around) {}

  const BodyIndex &body;
  const Opsets &opsets;
  const Scope *outer;
  std::map<std::string, const onnx::AttributeProto *> attributes;  ///< of the call, within a function
  std::string prefix;                                              ///< of the names of nodes; empty for the model's own
  int depth = 0;
  std::map<std::string, ValueId> values;

  bool isUsed(const std::string &name) const { return !name.empty() && body.uses.count(name) != 0; }
  /// Null for a name that nothing around defines.
  const ValueId *find(const std::string &name) const {
    for (const Scope *scope = this; scope != nullptr; scope = scope->outer) {
      auto found = scope->values.find(name);
      if (found != scope->values.end()) return &found->second;
    }
    return nullptr;
  }
  const onnx::AttributeProto *findAttribute(const std::string &name) const {
    for (const Scope *scope = this; scope != nullptr; scope = scope->outer) {
      auto found = scope->attributes.find(name);
      if (found != scope->attributes.end()) return found->second;
    }
    return nullptr;
  }
};

/// \p proto with the attributes of the function around it in place of references to them. A reference to an attribute
/// that the call leaves out is left out, too.
onnx::NodeProto resolveAttributes(const onnx::NodeProto &proto, const Scope &scope) {
  onnx::NodeProto result = proto;
  result.clear_attribute();
  for (const onnx::AttributeProto &attribute : proto.attribute()) {
    if (attribute.ref_attr_name().empty()) {
      *result.add_attribute() = attribute;
    } else if (const onnx::AttributeProto *given = scope.findAttribute(attribute.ref_attr_name())) {
      onnx::AttributeProto &copy = *result.add_attribute();
      copy = *given;
      copy.set_name(attribute.name());
    }
  }
  return result;
}

bool refersToAttributes(const onnx::NodeProto &proto) {
  for (const onnx::AttributeProto &attribute : proto.attribute()) {
    if (!attribute.ref_attr_name().empty()) return true;
  }
  return false;
}

/// One import: the graph under construction.
class Importer {
 public:
  Importer(ModelIndex &index, const ImportOptions &options)
      : functions_(index.functions),
        limits_(options.limits),
        builder_(graph_, limits_),
        model_(index.body, index.opsets, nullptr) {}

  absl::Status importInputs(const ImportOptions &options) {
    HONE_ASSIGN_OR_RETURN(BoundInputs bound, readBoundInputs(model_.body.inputs, options.boundInputs, limits_));
    std::vector<const onnx::ValueInfoProto *> open;
    for (const onnx::ValueInfoProto *input : model_.body.inputs) {
      auto constant = bound.constants.find(input->name());
      if (constant == bound.constants.end()) {
        open.push_back(input);
      } else if (model_.isUsed(input->name())) {
        HONE_ASSIGN_OR_RETURN(ValueId value, builder_.constant(constant->second, input->name()));
        HONE_RETURN_IF_ERROR(defineInput(*input, value));
      }
    }
    HONE_ASSIGN_OR_RETURN(auto types, bindInputs(open, options.inputShapes, std::move(bound.extents), limits_));
    for (const onnx::ValueInfoProto *input : open) {
      ValueId value = graph_.addValue(input->name(), types.at(input->name()));
      graph_.inputs.push_back({input->name(), value});
      HONE_RETURN_IF_ERROR(defineInput(*input, value));
    }
    return absl::OkStatus();
  }

  absl::Status importModelBody() { return importBody(model_); }

  graph::Graph finish(const onnx::GraphProto &proto) {
    graph_.name = proto.name();
    for (const onnx::ValueInfoProto &output : proto.output()) {
      graph_.outputs.push_back({output.name(), model_.values.at(output.name())});
    }
    return std::move(graph_);
  }

 private:
  absl::Status defineInput(const onnx::ValueInfoProto &input, ValueId value) {
    HONE_ASSIGN_OR_RETURN(ElementType type, readElementType(input.type().tensor_type().elem_type()));
    builder_.setElementType(value, type);
    model_.values.emplace(input.name(), value);
    return absl::OkStatus();
  }

  absl::Status importBody(Scope &scope) {
    if (scope.depth > kMostScopes) return invalid("functions and branches nest deeper than ", kMostScopes);
    HONE_RETURN_IF_ERROR(importConstants(scope));
    for (const onnx::NodeProto *node : scope.body.nodes) {
      absl::Status status = importNode(*node, scope);
      if (status.ok()) continue;
      return absl::Status(status.code(),
                          absl::StrCat("node '", nodeName(*node), "' (", node->op_type(), "): ", status.message()));
    }
    return absl::OkStatus();
  }

  absl::Status importConstants(Scope &scope) {
    auto add = [&](const std::string &name, int64_t dataType,
                   absl::StatusOr<graph::Constant> constant) -> absl::Status {
      if (!constant.ok()) return constant.status();
      HONE_ASSIGN_OR_RETURN(ElementType type, readElementType(dataType));
      HONE_ASSIGN_OR_RETURN(ValueId value, builder_.constant(*std::move(constant), nameInGraph(name, scope)));
      builder_.setElementType(value, type);
      scope.values.emplace(name, value);
      return absl::OkStatus();
    };
    for (const auto &[name, tensor] : scope.body.constants) {
      if (scope.isUsed(name)) HONE_RETURN_IF_ERROR(add(name, tensor->data_type(), readTensor(*tensor, limits_)));
    }
    for (const auto &[name, tensor] : scope.body.sparseConstants) {
      if (scope.isUsed(name)) {
        HONE_RETURN_IF_ERROR(add(name, tensor->values().data_type(), readSparseTensor(*tensor, limits_)));
      }
    }
    return absl::OkStatus();
  }

  /// Values of inner bodies stay without names, which must be unique.
  static std::string nameInGraph(const std::string &name, const Scope &scope) {
    return scope.depth == 0 ? name : std::string();
  }

  /// The node's name behind those of the nodes around it. Inner ones are cut: a function may be called many times.
  static std::string pathOf(const onnx::NodeProto &proto, const Scope &scope) {
    constexpr size_t kLongest = 256;
    std::string path = scope.prefix + nodeName(proto);
    if (scope.depth > 0 && path.size() > kLongest) path.resize(kLongest);
    return path;
  }

  absl::Status importNode(const onnx::NodeProto &given, Scope &scope) {
    // Nodes that make no core operation count, too: functions may multiply them.
    if (++importedNodes_ > limits_.nodes) return invalid("the model has more than ", limits_.nodes, " nodes");
    std::optional<onnx::NodeProto> resolved;
    if (refersToAttributes(given)) resolved = resolveAttributes(given, scope);
    const onnx::NodeProto &proto = resolved ? *resolved : given;
    std::vector<ValueId> inputs;
    for (const std::string &name : proto.input()) inputs.push_back(name.empty() ? -1 : *scope.find(name));
    if (functions_.isFunction(proto)) {
      HONE_ASSIGN_OR_RETURN(std::vector<ValueId> outputs, importCall(proto, inputs, scope));
      return defineOutputs(proto, outputs, scope);
    }
    const std::string domain = domainOf(proto.domain());
    const int64_t version = scope.opsets.at(domain);
    const Operator &row = *findOperator(domain, proto.op_type(), version);
    HONE_RETURN_IF_ERROR(checkOperands(inputs, row));
    std::set<int> usedOutputs;
    for (int i = 0; i < proto.output_size(); ++i) {
      if (scope.isUsed(proto.output(i))) usedOutputs.insert(i);
    }
    builder_.setProvenance(pathOf(proto, scope));
    NodeContext node(proto, version, std::move(inputs), std::move(usedOutputs), builder_, limits_,
                     [&](const onnx::GraphProto &graph) { return importSubgraph(graph, proto, scope); });
    HONE_ASSIGN_OR_RETURN(ValueId first, row.import(node));
    std::vector<ValueId> outputs = {first};
    outputs.insert(outputs.end(), node.furtherOutputs().begin(), node.furtherOutputs().end());
    return defineOutputs(proto, outputs, scope);
  }

  /// The body of the function that \p proto calls, in its place.
  absl::StatusOr<std::vector<ValueId>> importCall(const onnx::NodeProto &proto, const std::vector<ValueId> &inputs,
                                                  const Scope &scope) {
    HONE_ASSIGN_OR_RETURN(const Function *function, functions_.called(proto));
    Scope inner(function->body, function->opsets, nullptr);
    inner.prefix = pathOf(proto, scope) + "/";
    inner.depth = scope.depth + 1;
    for (const onnx::AttributeProto &attribute : function->defaults) inner.attributes[attribute.name()] = &attribute;
    for (const onnx::AttributeProto &attribute : proto.attribute()) inner.attributes[attribute.name()] = &attribute;
    if (static_cast<int>(inputs.size()) > function->proto->input_size()) {
      return invalid("has ", inputs.size(), " operands; the function takes ", function->proto->input_size());
    }
    for (int i = 0; i < function->proto->input_size(); ++i) {
      auto position = static_cast<size_t>(i);
      inner.values.emplace(function->proto->input(i), position < inputs.size() ? inputs[position] : -1);
    }
    HONE_RETURN_IF_ERROR(importBody(inner));
    std::vector<ValueId> outputs;
    for (const std::string &name : function->proto->output()) outputs.push_back(inner.values.at(name));
    return outputs;
  }

  absl::StatusOr<std::vector<ValueId>> importSubgraph(const onnx::GraphProto &graph, const onnx::NodeProto &proto,
                                                      const Scope &scope) {
    HONE_ASSIGN_OR_RETURN(BodyIndex body,
                          indexGraph(graph, [&](const std::string &name) { return scope.find(name) != nullptr; }));
    if (!body.inputs.empty()) return invalid("its graph '", graph.name(), "' has inputs");
    HONE_RETURN_IF_ERROR(checkSupported(body.nodes, scope.opsets, functions_));
    Scope inner(body, scope.opsets, &scope);
    inner.prefix = pathOf(proto, scope) + "/";
    inner.depth = scope.depth + 1;
    HONE_RETURN_IF_ERROR(importBody(inner));
    std::vector<ValueId> outputs;
    for (const onnx::ValueInfoProto &output : graph.output()) outputs.push_back(*inner.find(output.name()));
    builder_.setProvenance(pathOf(proto, scope));
    return outputs;
  }

  static absl::Status checkOperands(const std::vector<ValueId> &inputs, const Operator &row) {
    int count = static_cast<int>(inputs.size());
    bool tooMany = row.maxInputs != kAnyNumber && count > row.maxInputs;
    if (count < row.minInputs || tooMany) {
      return invalid("has ", count, " operands; the operator takes ", row.minInputs,
                     row.maxInputs == kAnyNumber      ? std::string(" or more")
                     : row.maxInputs == row.minInputs ? std::string()
                                                      : absl::StrCat(" to ", row.maxInputs));
    }
    for (int i = 0; i < row.minInputs; ++i) {
      if (inputs[static_cast<size_t>(i)] < 0) return invalid("operand ", i, " is missing");
    }
    return absl::OkStatus();
  }

  absl::Status defineOutputs(const onnx::NodeProto &proto, const std::vector<ValueId> &outputs, Scope &scope) {
    for (int i = 0; i < proto.output_size(); ++i) {
      const std::string &name = proto.output(i);
      if (!scope.isUsed(name)) continue;
      if (static_cast<size_t>(i) >= outputs.size())
        return unsupported("output ", i, " ('", name, "') is not supported");
      ValueId value = outputs[static_cast<size_t>(i)];
      scope.values.emplace(name, value);
      if (value < 0 && scope.depth == 0) return invalid("output '", name, "' stands for an operand that is missing");
      if (value < 0) continue;
      // A value that has a name already is the same under another one (Identity and its like).
      std::string &inGraph = graph_.values.at(static_cast<size_t>(value)).name;
      if (inGraph.empty()) inGraph = nameInGraph(name, scope);
    }
    return absl::OkStatus();
  }

  Functions &functions_;
  const ImportLimits &limits_;
  graph::Graph graph_;
  Builder builder_;
  Scope model_;
  int64_t importedNodes_ = 0;
};

}  // namespace

absl::StatusOr<graph::Graph> importModel(std::string_view bytes, const ImportOptions &options) {
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<onnx::ModelProto> model, parseModel(bytes, options.limits));
  HONE_ASSIGN_OR_RETURN(ModelIndex index, indexModel(*model, options.limits));
  Importer importer(index, options);
  HONE_RETURN_IF_ERROR(importer.importInputs(options));
  HONE_RETURN_IF_ERROR(importer.importModelBody());
  return importer.finish(model->graph());
}

}  // namespace hone::frontend
