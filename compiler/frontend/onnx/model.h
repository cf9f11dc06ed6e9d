// The model as a whole, before any of its nodes is imported: parsing, opset versions, functions, and the list of what
// is not supported. Pure functions; thread-safe. Results refer to the model, which must outlive them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/onnx/body.h"
#include "compiler/frontend/onnx/functions.h"
#include "compiler/frontend/onnx/import.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

/// What an import needs to know of the model.
struct ModelIndex {
  Opsets opsets;
  Functions functions;
  BodyIndex body;
};

absl::StatusOr<std::unique_ptr<onnx::ModelProto>> parseModel(std::string_view bytes, const ImportLimits &limits);

/// Checks names, finds the nodes that matter and their order. Unsupported operators among them are the error, all at
/// once.
absl::StatusOr<ModelIndex> indexModel(const onnx::ModelProto &model, const ImportLimits &limits);

/// Refuses what is not supported among \p nodes and in the functions that they call, all at once. Branches of an If are
/// looked at when one of them is taken.
absl::Status checkSupported(const std::vector<const onnx::NodeProto *> &nodes, const Opsets &opsets,
                            Functions &functions);

/// Name and type of every input, with all dims bound by the model, by \p shapes, or by the names that dims share with
/// each other and with \p extents.
absl::StatusOr<std::map<std::string, graph::TensorType>> bindInputs(
    const std::vector<const onnx::ValueInfoProto *> &inputs, const std::map<std::string, graph::Shape> &shapes,
    std::map<std::string, int64_t> extents, const ImportLimits &limits);

}  // namespace hone::frontend
