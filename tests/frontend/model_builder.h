// Writes small ONNX models for tests. One thread at a time.
//
//   ModelBuilder model(13);
//   model.input("x", DType::F32, {1, 4});
//   model.node("Relu", {"x"}, {"y"});
//   model.output("y");
//   std::string bytes = model.bytes();
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/base/dtype.h"
#include "compiler/graph/graph.h"
#include "onnx/onnx_pb.h"

namespace hone::test {

class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset);

  /// A dim below 0 is one that the model leaves open.
  void input(const std::string &name, DType dtype, const std::vector<int64_t> &shape);
  /// Dims that have names, for example {"N", "3", "224"}: digits are extents.
  void namedInput(const std::string &name, DType dtype, const std::vector<std::string> &dims);
  void floats(const std::string &name, const std::vector<int64_t> &shape, const std::vector<float> &values);
  /// A list of int64.
  void integers(const std::string &name, const std::vector<int64_t> &values);
  /// The node is named after its first output, with "node_" before it.
  onnx::NodeProto &node(const std::string &op, const std::vector<std::string> &inputs,
                        const std::vector<std::string> &outputs);
  void output(const std::string &name);

  std::string bytes() const { return model.SerializeAsString(); }

  onnx::ModelProto model;
};

void setAttribute(onnx::NodeProto &node, const std::string &name, int64_t value);
void setAttribute(onnx::NodeProto &node, const std::string &name, int value);
void setAttribute(onnx::NodeProto &node, const std::string &name, float value);
void setAttribute(onnx::NodeProto &node, const std::string &name, const char *value);
void setAttribute(onnx::NodeProto &node, const std::string &name, const std::vector<int64_t> &values);
void setAttribute(onnx::NodeProto &node, const std::string &name, const std::vector<float> &values);
void setAttribute(onnx::NodeProto &node, const std::string &name, const std::vector<std::string> &texts);
void setAttribute(onnx::NodeProto &node, const std::string &name, const onnx::GraphProto &graph);

/// Writes a graph that is the attribute of a node.
class BodyBuilder {
 public:
  BodyBuilder(const std::vector<std::string> &inputs, const std::vector<std::string> &outputs);

  onnx::NodeProto &node(const std::string &op, const std::vector<std::string> &inputs,
                        const std::vector<std::string> &outputs);

  onnx::GraphProto graph;
};

/// Adds a Loop of \p body to \p model; \p outputs that have a name are the model's, too.
onnx::NodeProto &addLoop(ModelBuilder &model, const std::vector<std::string> &operands,
                         const std::vector<std::string> &outputs, const BodyBuilder &body);

int elementType(DType dtype);

}  // namespace hone::test
