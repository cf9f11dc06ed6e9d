#include "compiler/frontend/onnx/import.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/bound_inputs.h"
#include "compiler/frontend/onnx/builder.h"
#include "compiler/frontend/onnx/model.h"
#include "compiler/frontend/onnx/node.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"

namespace hone::frontend {
namespace {

/// One import: the graph under construction and the values that the model's names stand for.
class Importer {
 public:
  Importer(const ModelIndex &index, const ImportOptions &options)
      : index_(index), limits_(options.limits), builder_(graph_, limits_) {}

  absl::Status importInputs(const ImportOptions &options) {
    HONE_ASSIGN_OR_RETURN(BoundInputs bound, readBoundInputs(index_.inputs, options.boundInputs, limits_));
    std::vector<const onnx::ValueInfoProto *> open;
    for (const onnx::ValueInfoProto *input : index_.inputs) {
      auto constant = bound.constants.find(input->name());
      if (constant == bound.constants.end()) {
        open.push_back(input);
      } else if (isUsed(input->name())) {
        HONE_ASSIGN_OR_RETURN(ValueId value, builder_.constant(constant->second, input->name()));
        values_.emplace(input->name(), value);
      }
    }
    HONE_ASSIGN_OR_RETURN(auto types, bindInputs(open, options.inputShapes, std::move(bound.extents), limits_));
    for (const onnx::ValueInfoProto *input : open) {
      ValueId value = graph_.addValue(input->name(), types.at(input->name()));
      graph_.inputs.push_back({input->name(), value});
      values_.emplace(input->name(), value);
    }
    return absl::OkStatus();
  }

  absl::Status importConstants() {
    for (const auto &[name, tensor] : index_.constants) {
      if (index_.uses.count(name) == 0) continue;
      HONE_ASSIGN_OR_RETURN(graph::Constant constant, readTensor(*tensor, limits_));
      HONE_ASSIGN_OR_RETURN(ValueId value, builder_.constant(std::move(constant), name));
      values_.emplace(name, value);
    }
    return absl::OkStatus();
  }

  absl::Status importNodes() {
    for (const onnx::NodeProto *node : index_.nodes) {
      absl::Status status = importNode(*node);
      if (!status.ok()) {
        return absl::Status(status.code(),
                            absl::StrCat("node '", nodeName(*node), "' (", node->op_type(), "): ", status.message()));
      }
    }
    return absl::OkStatus();
  }

  graph::Graph finish(const onnx::GraphProto &proto) {
    graph_.name = proto.name();
    for (const onnx::ValueInfoProto &output : proto.output()) {
      graph_.outputs.push_back({output.name(), values_.at(output.name())});
    }
    return std::move(graph_);
  }

 private:
  bool isUsed(const std::string &name) const { return !name.empty() && index_.uses.count(name) != 0; }

  absl::Status importNode(const onnx::NodeProto &proto) {
    const Operator &row = *findOperator(proto.op_type(), index_.opset);
    HONE_RETURN_IF_ERROR(checkOperands(proto, row));
    std::vector<ValueId> inputs;
    for (const std::string &name : proto.input()) inputs.push_back(name.empty() ? -1 : values_.at(name));
    std::set<int> usedOutputs;
    for (int i = 0; i < proto.output_size(); ++i) {
      if (isUsed(proto.output(i))) usedOutputs.insert(i);
    }
    builder_.setProvenance(nodeName(proto));
    NodeContext node(proto, index_.opset, std::move(inputs), std::move(usedOutputs), builder_, limits_);
    HONE_ASSIGN_OR_RETURN(ValueId first, row.import(node));
    std::vector<ValueId> outputs = {first};
    outputs.insert(outputs.end(), node.furtherOutputs().begin(), node.furtherOutputs().end());
    return defineOutputs(proto, outputs);
  }

  static absl::Status checkOperands(const onnx::NodeProto &proto, const Operator &row) {
    bool tooMany = row.maxInputs != kAnyNumber && proto.input_size() > row.maxInputs;
    if (proto.input_size() < row.minInputs || tooMany) {
      return invalid("has ", proto.input_size(), " operands; the operator takes ", row.minInputs,
                     row.maxInputs == kAnyNumber      ? std::string(" or more")
                     : row.maxInputs == row.minInputs ? std::string()
                                                      : absl::StrCat(" to ", row.maxInputs));
    }
    for (int i = 0; i < row.minInputs; ++i) {
      if (proto.input(i).empty()) return invalid("operand ", i, " is missing");
    }
    return absl::OkStatus();
  }

  absl::Status defineOutputs(const onnx::NodeProto &proto, const std::vector<ValueId> &outputs) {
    for (int i = 0; i < proto.output_size(); ++i) {
      const std::string &name = proto.output(i);
      if (!isUsed(name)) continue;
      if (static_cast<size_t>(i) >= outputs.size())
        return unsupported("output ", i, " ('", name, "') is not supported");
      ValueId value = outputs[static_cast<size_t>(i)];
      values_.emplace(name, value);
      // A value that has a name already is the same under another one (Identity and its like).
      std::string &given = graph_.values.at(static_cast<size_t>(value)).name;
      if (given.empty()) given = name;
    }
    return absl::OkStatus();
  }

  const ModelIndex &index_;
  const ImportLimits &limits_;
  graph::Graph graph_;
  Builder builder_;
  std::map<std::string, ValueId> values_;
};

}  // namespace

absl::StatusOr<graph::Graph> importModel(std::string_view bytes, const ImportOptions &options) {
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<onnx::ModelProto> model, parseModel(bytes, options.limits));
  HONE_ASSIGN_OR_RETURN(ModelIndex index, indexModel(*model, options.limits));
  Importer importer(index, options);
  HONE_RETURN_IF_ERROR(importer.importInputs(options));
  HONE_RETURN_IF_ERROR(importer.importConstants());
  HONE_RETURN_IF_ERROR(importer.importNodes());
  return importer.finish(model->graph());
}

}  // namespace hone::frontend
