// A body of nodes: the model's graph, a branch of an If, or a function. Which names it gives and reads, which of its
// nodes matter, and in which order. Pure functions; thread-safe. Results refer to the model, which must outlive them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

struct BodyIndex {
  std::map<std::string, const onnx::TensorProto *> constants;              ///< initializers by name
  std::map<std::string, const onnx::SparseTensorProto *> sparseConstants;  ///< the same, written sparsely
  std::vector<const onnx::ValueInfoProto *> inputs;                        ///< those that no initializer gives
  std::vector<const onnx::NodeProto *> nodes;  ///< which the outputs need, each after its operands
  std::map<std::string, int64_t> uses;         ///< values that these nodes or the outputs read
};

/// Whether a name is one of the bodies around.
using OuterNames = std::function<bool(const std::string &)>;

absl::StatusOr<BodyIndex> indexGraph(const onnx::GraphProto &graph, const OuterNames &isOuter);
absl::StatusOr<BodyIndex> indexFunction(const onnx::FunctionProto &function);

/// Nodes by whether they depend on the inputs of their body, each in the order of \p body.
struct BodyParts {
  std::vector<const onnx::NodeProto *> fixed, varying;
};
BodyParts splitByInputs(const BodyIndex &body);

/// The attribute 'axis' of the Concat that makes \p output of \p input and what it puts behind it, where nothing else
/// of \p body reads either of them.
std::optional<int64_t> growingAxis(const BodyIndex &body, const std::string &input, const std::string &output);

/// The node's name, or that of its first output where it has none.
std::string nodeName(const onnx::NodeProto &node);

/// "'a', 'b' and 3 more"
std::string listNames(const std::vector<std::string> &names);

}  // namespace hone::frontend
