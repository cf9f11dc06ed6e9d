// Nodes of the domain com.microsoft for tests, and what their tests compare with. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/frontend/compiled_node.h"
#include "tests/frontend/node_model.h"

namespace hone::test {

template <typename Node = CompiledNode>
Node microsoft(const std::string &op, const std::vector<Array> &inputs, int outputs = 1) {
  Node node(17, op, inputs, outputs);
  node.node().set_domain("com.microsoft");
  onnx::OperatorSetIdProto &opset = *node.model.model.add_opset_import();
  opset.set_domain("com.microsoft");
  opset.set_version(1);
  return node;
}

/// The elements [start, start + extent) of the last dim.
Array lastPart(const Array &data, int64_t start, int64_t extent);

/// Rows of \p data times \p weights [in, out], plus \p bias [out].
Array projection(const Array &data, const Array &weights, const Array &bias);

}  // namespace hone::test
