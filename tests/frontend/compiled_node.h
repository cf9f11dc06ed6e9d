// One node of an ONNX model, imported, planned, compiled and run, against values that a test has computed by plain
// loops. One thread at a time.
//
//   CompiledNode(13, "Relu", {x}).gives({y});
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/frontend/node_model.h"

namespace hone::test {

/// The outputs, with their true shapes, of a model of any number of nodes for its inputs, in order. An access outside
/// of buffers is an error, too.
absl::StatusOr<std::vector<Array>> runCompiled(const std::string &model, const frontend::ImportOptions &options,
                                               const std::vector<Array> &arguments);

class CompiledNode : public NodeModel<CompiledNode> {
 public:
  CompiledNode(int64_t opset, const std::string &op, const std::vector<Array> &inputs, int outputs = 1)
      : NodeModel(opset, op, inputs, outputs) {}

  /// Operand \p position, of floats, becomes an initializer.
  CompiledNode &fixed(int position);

  /// Compares all outputs; \p tolerance is relative to 1 + |expected| and more for the short float types.
  void gives(const std::vector<Array> &expected, double tolerance = 2e-5) const;

  /// As runCompiled().
  absl::StatusOr<std::vector<Array>> run() const;
};

}  // namespace hone::test
