#include "compiler/frontend/onnx/import.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/bound_inputs.h"
#include "compiler/frontend/onnx/index_checks.h"
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
  std::map<std::string, Operand> values;

  bool isUsed(const std::string &name) const { return !name.empty() && body.uses.count(name) != 0; }
  /// Null for a name that nothing around defines.
  const Operand *find(const std::string &name) const {
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

/// Sequences are copied whenever they change: all of them together may have this many tensors.
constexpr int64_t kMostListed = 10'000'000;

/// One import: the graph under construction.
class Importer {
 public:
  Importer(ModelIndex &index, const ImportOptions &options)
      : functions_(index.functions),
        options_(options),
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
      graph_.inputs.push_back({input->name(), value, {}, false});
      HONE_RETURN_IF_ERROR(defineInput(*input, value));
    }
    return absl::OkStatus();
  }

  absl::Status importModelBody() { return importBody(model_); }

  absl::StatusOr<graph::Graph> finish(const onnx::GraphProto &proto) {
    graph_.name = proto.name();
    std::vector<ValueId> values;
    for (const onnx::ValueInfoProto &output : proto.output()) {
      const Operand &value = model_.values.at(output.name());
      if (isAbsent(value)) return invalid("output '", output.name(), "' stands for a value that is absent");
      if (const Sequence *sequence = sequenceOf(value)) {
        return unsupported("output '", output.name(), "' is a sequence of ", sequence->size(),
                           " tensors, but a compiled network gives tensors; end the model with SequenceAt for each of "
                           "them or with ConcatFromSequence");
      }
      const ValueId tensor = tensorOf(value);
      HONE_ASSIGN_OR_RETURN(ValueId packed, dense(builder_, tensor));
      graph_.outputs.push_back({output.name(), packed, {}, false});
      values.push_back(tensor);
    }
    for (size_t i = 0; i < values.size(); ++i) addExtents(values[i], i);
    if (options_.checkIndices) addIndexChecks();
    return std::move(graph_);
  }

 private:
  /// Appends outputs that hold the true extents of \p value, and names them at the output \p port.
  void addExtents(ValueId value, size_t port) {
    std::vector<int> positions;
    for (ValueId extent : builder_.extents(value)) positions.push_back(extent < 0 ? -1 : hiddenOutput(extent));
    graph_.outputs[port].extents = std::move(positions);
  }

  void addIndexChecks() {
    std::vector<graph::IndexCheck> &checks = graph_.indexChecks.emplace();
    for (const CountedIndices &counted : builder_.countedIndices()) {
      graph::IndexCheck check{counted.node, counted.op, counted.axis};
      check.count = hiddenOutput(counted.count);
      check.example = hiddenOutput(counted.example);
      check.extent = hiddenOutput(counted.extent);
      checks.push_back(std::move(check));
    }
  }

  /// The position among the outputs of one that the model does not have, and that is \p scalar.
  int hiddenOutput(ValueId scalar) {
    const auto found = std::find_if(graph_.outputs.begin(), graph_.outputs.end(),
                                    [&](const graph::Port &port) { return port.isExtent && port.value == scalar; });
    const auto position = static_cast<int>(found - graph_.outputs.begin());
    if (found != graph_.outputs.end()) return position;
    std::string name = nameOfHidden();
    graph_.outputs.push_back({std::move(name), scalar, {}, true});
    return position;
  }

  std::string nameOfHidden() const {
    const auto isTaken = [&](const std::string &name) {
      return std::any_of(graph_.outputs.begin(), graph_.outputs.end(),
                         [&](const graph::Port &port) { return port.name == name; });
    };
    size_t number = graph_.outputs.size();
    while (isTaken(absl::StrCat("extent ", number))) ++number;
    return absl::StrCat("extent ", number);
  }

  absl::Status defineInput(const onnx::ValueInfoProto &input, ValueId value) {
    HONE_ASSIGN_OR_RETURN(ElementType type, readElementType(input.type().tensor_type().elem_type()));
    builder_.setElementType(value, type);
    model_.values.emplace(input.name(), value);
    return absl::OkStatus();
  }

  /// A graph that is an attribute of a node. What depends on none of its inputs is imported once, with its constants.
  class Body final : public Subgraph {
   public:
    Body(Importer &importer, BodyIndex index, const onnx::GraphProto &proto, const onnx::NodeProto &owner,
         const Scope &around)
        : importer_(importer),
          index_(std::move(index)),
          parts_(splitByInputs(index_)),
          proto_(proto),
          owner_(pathOf(owner, around)),
          fixed_(index_, around.opsets, &around) {
      fixed_.prefix = owner_ + "/";
      fixed_.depth = around.depth + 1;
    }

    size_t inputCount() const override { return index_.inputs.size(); }
    size_t outputCount() const override { return static_cast<size_t>(proto_.output_size()); }

    absl::StatusOr<Operands> import(const Operands &arguments) override {
      if (arguments.size() != inputCount()) {
        return invalid("its graph '", proto_.name(), "' has ", inputCount(), " inputs, but gets ", arguments.size());
      }
      HONE_RETURN_IF_ERROR(repeats_ == 0 ? begin() : checkRepeats());
      ++repeats_;
      Scope inner(index_, fixed_.opsets, &fixed_);
      inner.prefix = fixed_.prefix;
      inner.depth = fixed_.depth;
      for (size_t i = 0; i < arguments.size(); ++i) inner.values.emplace(index_.inputs[i]->name(), arguments[i]);
      HONE_RETURN_IF_ERROR(importer_.importNodes(parts_.varying, inner));
      Operands outputs;
      for (const onnx::ValueInfoProto &output : proto_.output()) outputs.push_back(*inner.find(output.name()));
      importer_.builder_.setProvenance(owner_);
      return outputs;
    }

    std::optional<int64_t> growingAxis(size_t input, size_t output) const override {
      const std::string &name = proto_.output(static_cast<int>(output)).name();
      return frontend::growingAxis(index_, index_.inputs[input]->name(), name);
    }

    void startAnew() override {
      nodesBefore_ = importer_.graph_.nodes.size();
      std::vector<CountedIndices> &counted = importer_.builder_.countedIndices();
      counted.insert(counted.end(), fixedCounts_.begin(), fixedCounts_.end());
    }

   private:
    absl::Status begin() {
      nodesBefore_ = importer_.graph_.nodes.size();
      HONE_RETURN_IF_ERROR(importer_.importConstants(fixed_));
      const std::vector<CountedIndices> &counted = importer_.builder_.countedIndices();
      const auto before = static_cast<std::ptrdiff_t>(counted.size());
      HONE_RETURN_IF_ERROR(importer_.importNodes(parts_.fixed, fixed_));
      fixedCounts_.assign(counted.begin() + before, counted.end());
      return absl::OkStatus();
    }

    absl::Status checkRepeats() {
      const auto nodes = static_cast<int64_t>(importer_.graph_.nodes.size() - nodesBefore_);
      const ImportLimits &limits = importer_.limits_;
      if (nodes > limits.unrolledNodes) {
        return unsupported("after ", repeats_, " iterations, its graph '", proto_.name(), "' has become ", nodes,
                           " nodes; iterations are written out up to ", limits.unrolledNodes, " nodes");
      }
      if (++importer_.importedNodes_ <= limits.nodes) return absl::OkStatus();
      return unsupported("its graph '", proto_.name(), "' does not end after ", repeats_,
                         " iterations, with which the model has more than ", limits.nodes, " nodes");
    }

    Importer &importer_;
    const BodyIndex index_;
    const BodyParts parts_;
    const onnx::GraphProto &proto_;
    const std::string owner_;
    Scope fixed_;
    std::vector<CountedIndices> fixedCounts_;  ///< of what is imported once
    size_t nodesBefore_ = 0;
    int64_t repeats_ = 0;
  };

  absl::Status importBody(Scope &scope) {
    HONE_RETURN_IF_ERROR(importConstants(scope));
    return importNodes(scope.body.nodes, scope);
  }

  absl::Status importNodes(const std::vector<const onnx::NodeProto *> &nodes, Scope &scope) {
    if (scope.depth > kMostScopes) return invalid("functions and branches nest deeper than ", kMostScopes);
    for (const onnx::NodeProto *node : nodes) {
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
      if (scope.isUsed(name)) HONE_RETURN_IF_ERROR(add(name, tensor->data_type(), readTensor(*tensor, options_)));
    }
    for (const auto &[name, tensor] : scope.body.sparseConstants) {
      if (scope.isUsed(name)) {
        HONE_RETURN_IF_ERROR(add(name, tensor->values().data_type(), readSparseTensor(*tensor, options_)));
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
    if (++importedNodes_ > limits_.nodes) return tooManyNodes();
    std::optional<onnx::NodeProto> resolved;
    if (refersToAttributes(given)) resolved = resolveAttributes(given, scope);
    const onnx::NodeProto &proto = resolved ? *resolved : given;
    Operands operands;
    for (const std::string &name : proto.input()) operands.push_back(name.empty() ? Operand() : *scope.find(name));
    if (functions_.isFunction(proto)) {
      HONE_ASSIGN_OR_RETURN(Operands outputs, importCall(proto, operands, scope));
      return defineOutputs(proto, outputs, scope);
    }
    const std::string domain = domainOf(proto.domain());
    const int64_t version = scope.opsets.at(domain);
    const Operator &row = *findOperator(domain, proto.op_type(), version);
    HONE_RETURN_IF_ERROR(checkOperands(operands, row));
    HONE_RETURN_IF_ERROR(checkSizes(operands, domain, proto.op_type()));
    std::set<int> usedOutputs;
    for (int i = 0; i < proto.output_size(); ++i) {
      if (scope.isUsed(proto.output(i))) usedOutputs.insert(i);
    }
    builder_.setProvenance(pathOf(proto, scope));
    NodeContext node(proto, version, std::move(operands), std::move(usedOutputs), builder_, options_,
                     [&](const onnx::GraphProto &graph) { return readSubgraph(graph, proto, scope); });
    const bool isByRows = domain.empty() && takesBoundedRows(row.name) &&
                          std::any_of(node.inputs().begin(), node.inputs().end(),
                                      [&](ValueId input) { return input >= 0 && builder_.isBounded(input); });
    HONE_ASSIGN_OR_RETURN(Operands outputs, isByRows ? importByRows(row, node) : row.import(node));
    if (options_.checkIndices) {
      HONE_RETURN_IF_ERROR(countIndices(node, domain, proto.op_type(), pathOf(proto, scope)));
    }
    return defineOutputs(proto, outputs, scope);
  }

  /// The body of the function that \p proto calls, in its place.
  absl::StatusOr<Operands> importCall(const onnx::NodeProto &proto, const Operands &inputs, const Scope &scope) {
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
      inner.values.emplace(function->proto->input(i), position < inputs.size() ? inputs[position] : Operand());
    }
    HONE_RETURN_IF_ERROR(importBody(inner));
    Operands outputs;
    for (const std::string &name : function->proto->output()) outputs.push_back(inner.values.at(name));
    return outputs;
  }

  absl::StatusOr<std::unique_ptr<Subgraph>> readSubgraph(const onnx::GraphProto &graph, const onnx::NodeProto &proto,
                                                         const Scope &scope) {
    // Reading it takes time for each of its nodes, needed or not, and within a loop it is read again and again.
    importedNodes_ += graph.node_size();
    if (importedNodes_ > limits_.nodes) return tooManyNodes();
    HONE_ASSIGN_OR_RETURN(BodyIndex body,
                          indexGraph(graph, [&](const std::string &name) { return scope.find(name) != nullptr; }));
    HONE_RETURN_IF_ERROR(checkSupported(body.nodes, scope.opsets, functions_));
    return std::make_unique<Body>(*this, std::move(body), graph, proto, scope);
  }

  absl::Status tooManyNodes() const { return invalid("the model has more than ", limits_.nodes, " nodes"); }

  static absl::Status checkOperands(const Operands &operands, const Operator &row) {
    int count = static_cast<int>(operands.size());
    bool tooMany = row.maxInputs != kAnyNumber && count > row.maxInputs;
    if (count < row.minInputs || tooMany) {
      return invalid("has ", count, " operands; the operator takes ", row.minInputs,
                     row.maxInputs == kAnyNumber      ? std::string(" or more")
                     : row.maxInputs == row.minInputs ? std::string()
                                                      : absl::StrCat(" to ", row.maxInputs));
    }
    if (!row.import.takesTensorsOnly()) return absl::OkStatus();
    for (int i = 0; i < row.minInputs; ++i) {
      if (isAbsent(operands[static_cast<size_t>(i)])) return invalid("operand ", i, " is missing");
    }
    for (int i = 0; i < count; ++i) {
      if (const Sequence *sequence = sequenceOf(operands[static_cast<size_t>(i)])) {
        return invalid("operand ", i, " is a sequence of ", sequence->size(), " tensors, not a tensor");
      }
    }
    return absl::OkStatus();
  }

  absl::Status checkSizes(const Operands &operands, const std::string &domain, const std::string &name) const {
    for (size_t i = 0; i < operands.size(); ++i) {
      const ValueId value = tensorOf(operands[i]);
      if (value < 0 || !builder_.isBounded(value) || takesBoundedSizes(domain, name) ||
          (domain.empty() && takesBoundedRows(name))) {
        continue;
      }
      return unsupported("operand ", i, " has sizes that depend on data, which this operator does not take; make them ",
                         "fixed in front of it, for example by TopK with a constant k");
    }
    return absl::OkStatus();
  }

  absl::Status defineOutputs(const onnx::NodeProto &proto, const Operands &outputs, Scope &scope) {
    for (int i = 0; i < proto.output_size(); ++i) {
      const std::string &name = proto.output(i);
      if (!scope.isUsed(name)) continue;
      if (static_cast<size_t>(i) >= outputs.size())
        return unsupported("output ", i, " ('", name, "') is not supported");
      scope.values.emplace(name, outputs[static_cast<size_t>(i)]);
      if (const Sequence *sequence = sequenceOf(outputs[static_cast<size_t>(i)])) {
        listed_ += static_cast<int64_t>(sequence->size());
        if (listed_ > kMostListed)
          return invalid("the sequences of the model have more than ", kMostListed, " tensors");
      }
      const ValueId value = tensorOf(outputs[static_cast<size_t>(i)]);
      if (value < 0) continue;
      // A value that has a name already is the same under another one (Identity and its like).
      std::string &inGraph = graph_.values.at(static_cast<size_t>(value)).name;
      if (inGraph.empty()) inGraph = nameInGraph(name, scope);
    }
    return absl::OkStatus();
  }

  Functions &functions_;
  const ImportOptions &options_;
  const ImportLimits &limits_;
  graph::Graph graph_;
  Builder builder_;
  Scope model_;
  int64_t importedNodes_ = 0;
  int64_t listed_ = 0;  ///< tensors in all sequences that were made
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
