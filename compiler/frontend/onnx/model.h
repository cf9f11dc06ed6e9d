// The model as a whole, before any of its nodes is imported: parsing, opset versions, names, order, and the list of
// what is not supported. Pure functions; thread-safe. Results refer to the model, which must outlive them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/onnx/import.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

/// What an import needs to know of the model's graph.
struct ModelIndex {
  int64_t opset = 1;                                           ///< version of ONNX's own domain
  std::map<std::string, const onnx::TensorProto *> constants;  ///< initializers by name
  std::vector<const onnx::ValueInfoProto *> inputs;            ///< those that no initializer gives
  std::vector<const onnx::NodeProto *> nodes;                  ///< which the outputs need, each after its operands
  std::map<std::string, int64_t> uses;                         ///< values that these nodes or the outputs read
};

absl::StatusOr<std::unique_ptr<onnx::ModelProto>> parseModel(std::string_view bytes, const ImportLimits &limits);

/// Checks names, finds the nodes that matter and their order. Unsupported operators among them are the error, all at
/// once.
absl::StatusOr<ModelIndex> indexModel(const onnx::ModelProto &model, const ImportLimits &limits);

/// Name and type of every input, with all dims bound by the model, by \p shapes, or by the names that dims share with
/// each other and with \p extents.
absl::StatusOr<std::map<std::string, graph::TensorType>> bindInputs(
    const std::vector<const onnx::ValueInfoProto *> &inputs, const std::map<std::string, graph::Shape> &shapes,
    std::map<std::string, int64_t> extents, const ImportLimits &limits);

/// The node's name, or that of its first output where it has none.
std::string nodeName(const onnx::NodeProto &node);

}  // namespace hone::frontend
