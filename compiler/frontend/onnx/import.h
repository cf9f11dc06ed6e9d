// ONNX bytes -> Graph. Every opset version of the operators listed in operators.cpp is mapped onto the
// core ops of graph.h; nothing after this folder knows ONNX. The bytes are treated as hostile: sizes, counts, depth and
// products of shapes are limited, and no path named in a model is opened. Pure function; thread-safe.
//
//   HONE_ASSIGN_OR_RETURN(graph::Graph graph, frontend::importModel(bytes, {.inputShapes = {{"data", {1, 3, 224,
//   224}}}}));
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/build/limits.h"
#include "compiler/graph/graph.h"

namespace hone::frontend {

/// What an input is bound to: a tensor of the declared type, or numbers ("1,2") that are read as the declared type.
using BoundValue = std::variant<graph::Constant, std::string>;

/// A file in which tensors of the model keep their data, and what keeps its bytes.
struct DataFile {
  std::string_view bytes;
  std::shared_ptr<const graph::SharedMemory> memory;
};
/// By the name that the model gives them.
using DataFiles = std::map<std::string, DataFile>;

struct ImportOptions {
  /// Shapes of inputs by name. A negative entry leaves that dimension as the model has it; 0 is an extent.
  std::map<std::string, graph::Shape> inputShapes;
  /// Inputs by name that are constants from here on; the graph does not have them as inputs.
  std::map<std::string, BoundValue> boundInputs;
  /// What the model's external data are taken from: nothing else is looked for.
  DataFiles dataFiles;
  ImportLimits limits;
  bool checkIndices = false;  ///< Graph::indexChecks count the indices outside of their axes
};

/// The graph of \p bytes, a serialised ONNX ModelProto. All shapes are static and all shape arithmetic is folded.
/// INVALID_ARGUMENT: the bytes are no well-formed model, or a dimension is not bound. UNIMPLEMENTED: the model is
/// beyond what is supported (all unsupported operators are named at once). Both with a sentence that says what to do.
absl::StatusOr<graph::Graph> importModel(std::string_view bytes, const ImportOptions &options);

/// Names of the operators that can be imported, sorted and unique: for documentation and messages.
std::vector<std::string> supportedOperators();

}  // namespace hone::frontend
