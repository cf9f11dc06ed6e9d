#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/graph/graph.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/loops.h"
#include "compiler/graph/print.h"

namespace hone::graph {
namespace {

template <typename... Parts>
absl::Status error(const Parts &...parts) {
  return absl::InternalError(absl::StrCat("graph is not well-formed: ", parts...));
}

bool exists(const Graph &graph, ValueId id) { return id >= 0 && static_cast<size_t>(id) < graph.values.size(); }

absl::Status verifyValues(const Graph &graph, std::vector<bool> &defined) {
  std::set<std::string> names;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const Value &value = graph.values[i];
    if (!value.name.empty() && !names.insert(value.name).second) {
      return error("two values are named '", value.name, "'");
    }
    if (absl::Status status = checkType(value.type); !status.ok()) return error(status.message());
    if (!value.constant) continue;
    if (value.constant->type != value.type) {
      return error("constant '", value.name, "' holds ", typeText(value.constant->type), ", not ",
                   typeText(value.type));
    }
    int64_t bytes = value.type.elements() * sizeOf(value.type.dtype);
    if (static_cast<int64_t>(value.constant->bytes.size()) != bytes) {
      return error("constant '", value.name, "' has ", value.constant->bytes.size(), " bytes instead of ", bytes);
    }
    defined[i] = true;
  }
  return absl::OkStatus();
}

absl::Status verifyInputs(const Graph &graph, std::vector<bool> &defined) {
  std::set<std::string> names;
  for (const Port &port : graph.inputs) {
    if (port.name.empty() || !names.insert(port.name).second) {
      return error("input name '", port.name, "' is empty or not unique");
    }
    if (!exists(graph, port.value)) return error("input '", port.name, "' refers to no value");
    if (defined[static_cast<size_t>(port.value)]) return error("input '", port.name, "' is defined twice");
    defined[static_cast<size_t>(port.value)] = true;
  }
  return absl::OkStatus();
}

absl::Status verifyNode(const Graph &graph, const Node &node, const std::string &who, std::vector<bool> &defined) {
  std::vector<TensorType> types;
  for (ValueId input : node.inputs) {
    if (!exists(graph, input)) return error(who, " reads value ", input, ", which does not exist");
    if (!defined[static_cast<size_t>(input)]) return error(who, " reads value ", input, " before it is defined");
    types.push_back(graph.values[static_cast<size_t>(input)].type);
  }
  if (!exists(graph, node.output)) return error(who, " writes value ", node.output, ", which does not exist");
  if (defined[static_cast<size_t>(node.output)]) {
    return error(who, " writes value ", node.output, ", which is defined already");
  }
  const TensorType &type = graph.values[static_cast<size_t>(node.output)].type;
  absl::StatusOr<TensorType> inferred = inferType(node.op, node.attributes, types, type);
  if (!inferred.ok()) return error(who, ": ", inferred.status().message());
  defined[static_cast<size_t>(node.output)] = true;
  return absl::OkStatus();
}

}  // namespace

absl::Status verify(const Graph &graph) {
  std::vector<bool> defined(graph.values.size(), false);
  HONE_RETURN_IF_ERROR(verifyValues(graph, defined));
  HONE_RETURN_IF_ERROR(verifyInputs(graph, defined));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    HONE_RETURN_IF_ERROR(verifyNode(graph, graph.nodes[i], describe(graph.nodes[i], i), defined));
  }
  if (absl::Status status = findLoops(graph).status(); !status.ok()) return error(status.message());
  std::set<std::string> names;
  for (const Port &port : graph.outputs) {
    if (port.name.empty() || !names.insert(port.name).second) {
      return error("output name '", port.name, "' is empty or not unique");
    }
    if (!exists(graph, port.value) || !defined[static_cast<size_t>(port.value)]) {
      return error("output '", port.name, "' is never computed");
    }
  }
  return absl::OkStatus();
}

}  // namespace hone::graph
