#include "compiler/frontend/onnx/model.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/operators.h"
#include "text/message.h"

namespace hone::frontend {
namespace {

struct Missing {
  int64_t version = 0;
  std::vector<std::string> nodes;
};
/// By domain and operator.
using MissingOperators = std::map<std::pair<std::string, std::string>, Missing>;

absl::Status collectMissing(const std::vector<const onnx::NodeProto *> &nodes, const Opsets &opsets,
                            Functions &functions, MissingOperators &missing) {
  // A list, not recursion: a model may chain as many functions as it likes.
  struct Pending {
    const std::vector<const onnx::NodeProto *> *nodes;
    const Opsets *opsets;
  };
  std::vector<Pending> pending = {{&nodes, &opsets}};
  std::set<const onnx::FunctionProto *> seen;
  for (size_t i = 0; i < pending.size(); ++i) {
    const Pending body = pending[i];
    for (const onnx::NodeProto *node : *body.nodes) {
      if (functions.isFunction(*node)) {
        HONE_ASSIGN_OR_RETURN(const Function *function, functions.called(*node));
        if (seen.insert(function->proto).second) pending.push_back({&function->body.nodes, &function->opsets});
        continue;
      }
      std::string domain = domainOf(node->domain());
      auto opset = body.opsets->find(domain);
      if (opset == body.opsets->end()) {
        return invalid("node '", nodeName(*node), "' uses the operators of '", domain.empty() ? "ai.onnx" : domain,
                       "', of which the model imports no version");
      }
      if (findOperator(domain, node->op_type(), opset->second) != nullptr) continue;
      Missing &entry = missing[{domain, node->op_type()}];
      entry.version = opset->second;
      entry.nodes.push_back(nodeName(*node));
    }
  }
  return absl::OkStatus();
}

/// Why the operator cannot be imported, as far as the tables know; may be empty.
std::string reasonFor(std::string_view domain, const std::string &name, int64_t version) {
  int64_t newest = 0;
  for (const OperatorDomain &table : operatorDomains()) {
    if (table.name != domain) continue;
    for (const Operator &row : table.operators) {
      if (row.name == name) newest = std::max(newest, lastOpset(table, row));
    }
  }
  if (newest > 0 && newest < version) {
    return absl::StrCat("its meaning is known up to version ", newest, "; export the model with opset_version=", newest,
                        " or lower");
  }
  return std::string(exclusionOf(domain, name));
}

std::string describe(const std::pair<std::string, std::string> &key, const Missing &entry) {
  const auto &[domain, name] = key;
  const std::string reason = reasonFor(domain, name, entry.version);
  return absl::StrCat(name, " (", domain.empty() ? "ai.onnx" : domain, " version ", entry.version, ", ",
                      entry.nodes.size(), entry.nodes.size() == 1 ? " node: " : " nodes: ", listNames(entry.nodes), ")",
                      reason.empty() ? "" : ": ", reason);
}

}  // namespace

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
  // Names of any bytes are taken; from here on they are those that a message shows.
  text::makeUtf8(*model);
  return model;
}

absl::Status checkSupported(const std::vector<const onnx::NodeProto *> &nodes, const Opsets &opsets,
                            Functions &functions) {
  MissingOperators missing;
  HONE_RETURN_IF_ERROR(collectMissing(nodes, opsets, functions, missing));
  if (missing.empty()) return absl::OkStatus();
  std::vector<std::string> parts;
  for (const auto &[key, entry] : missing) parts.push_back(describe(key, entry));
  return unsupported(missing.size() == 1 ? "1 operator" : absl::StrCat(missing.size(), " operators"),
                     " of the model cannot be compiled: ", absl::StrJoin(parts, "; "));
}

absl::StatusOr<ModelIndex> indexModel(const onnx::ModelProto &model, const ImportLimits &limits) {
  const onnx::GraphProto &graph = model.graph();
  if (graph.node_size() > limits.nodes) {
    return invalid("the model has ", graph.node_size(), " nodes; the limit is ", limits.nodes);
  }
  if (graph.output_size() == 0) return invalid("the model has no outputs");
  ModelIndex index;
  HONE_ASSIGN_OR_RETURN(index.opsets, readOpsets(model.opset_import()));
  // Before version 3 of the format there was one set of operators and nothing to say.
  if (model.ir_version() < 3) index.opsets.emplace("", 1);
  HONE_ASSIGN_OR_RETURN(index.functions, Functions::read(model));
  HONE_ASSIGN_OR_RETURN(index.body, indexGraph(graph, [](const std::string &) { return false; }));
  HONE_RETURN_IF_ERROR(checkSupported(index.body.nodes, index.opsets, index.functions));
  return index;
}

}  // namespace hone::frontend
