// One node of an ONNX model, imported and evaluated by the graph's own evaluator. One thread at a time.
//
//   EvaluatedNode(13, "Relu", {x}).gives({y});
#pragma once

#include <string>
#include <vector>

#include "tests/frontend/node_model.h"

namespace hone::test {

class EvaluatedNode : public NodeModel<EvaluatedNode> {
 public:
  EvaluatedNode(int64_t opset, const std::string &op, const std::vector<Array> &inputs, int outputs = 1)
      : NodeModel(opset, op, inputs, outputs) {}

  /// Floats within about three roundings.
  void gives(const std::vector<Array> &expected) const;
  /// The import ends with an error that has \p part.
  void isRefused(const std::string &part) const;
};

}  // namespace hone::test
