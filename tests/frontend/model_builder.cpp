#include "tests/frontend/model_builder.h"

#include <cctype>

namespace hone::test {
namespace {

onnx::AttributeProto &add(onnx::NodeProto &node, const std::string &name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

onnx::NodeProto &addNode(onnx::GraphProto &graph, const std::string &op, const std::vector<std::string> &inputs,
                         const std::vector<std::string> &outputs) {
  onnx::NodeProto &node = *graph.add_node();
  node.set_op_type(op);
  node.set_name("node_" + outputs.at(0));
  for (const std::string &input : inputs) node.add_input(input);
  for (const std::string &output : outputs) node.add_output(output);
  return node;
}

}  // namespace

ModelBuilder::ModelBuilder(int64_t opset) {
  model.set_ir_version(opset < 7 ? 3 : 8);
  model.add_opset_import()->set_version(opset);
  model.mutable_graph()->set_name("test");
}

void ModelBuilder::input(const std::string &name, DType dtype, const std::vector<int64_t> &shape) {
  std::vector<std::string> dims;
  for (int64_t extent : shape) dims.push_back(extent < 0 ? "" : std::to_string(extent));
  namedInput(name, dtype, dims);
}

void ModelBuilder::namedInput(const std::string &name, DType dtype, const std::vector<std::string> &dims) {
  onnx::ValueInfoProto &input = *model.mutable_graph()->add_input();
  input.set_name(name);
  onnx::TypeProto::Tensor &type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(elementType(dtype));
  type.mutable_shape();
  for (const std::string &dim : dims) {
    auto &proto = *type.mutable_shape()->add_dim();
    if (dim.empty()) continue;
    if (std::isdigit(static_cast<unsigned char>(dim[0])) != 0) {
      proto.set_dim_value(std::stoll(dim));
    } else {
      proto.set_dim_param(dim);
    }
  }
}

void ModelBuilder::floats(const std::string &name, const std::vector<int64_t> &shape,
                          const std::vector<float> &values) {
  onnx::TensorProto &tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t extent : shape) tensor.add_dims(extent);
  for (float value : values) tensor.add_float_data(value);
}

void ModelBuilder::integers(const std::string &name, const std::vector<int64_t> &values) {
  onnx::TensorProto &tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values) tensor.add_int64_data(value);
}

onnx::NodeProto &ModelBuilder::node(const std::string &op, const std::vector<std::string> &inputs,
                                    const std::vector<std::string> &outputs) {
  return addNode(*model.mutable_graph(), op, inputs, outputs);
}

void ModelBuilder::output(const std::string &name) { model.mutable_graph()->add_output()->set_name(name); }

void setAttribute(onnx::NodeProto &node, const std::string &name, int64_t value) {
  add(node, name, onnx::AttributeProto::INT).set_i(value);
}
void setAttribute(onnx::NodeProto &node, const std::string &name, int value) {
  setAttribute(node, name, static_cast<int64_t>(value));
}
void setAttribute(onnx::NodeProto &node, const std::string &name, float value) {
  add(node, name, onnx::AttributeProto::FLOAT).set_f(value);
}
void setAttribute(onnx::NodeProto &node, const std::string &name, const char *value) {
  add(node, name, onnx::AttributeProto::STRING).set_s(value);
}
void setAttribute(onnx::NodeProto &node, const std::string &name, const std::vector<int64_t> &values) {
  onnx::AttributeProto &attribute = add(node, name, onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute.add_ints(value);
}
void setAttribute(onnx::NodeProto &node, const std::string &name, const std::vector<float> &values) {
  onnx::AttributeProto &attribute = add(node, name, onnx::AttributeProto::FLOATS);
  for (float value : values) attribute.add_floats(value);
}
void setAttribute(onnx::NodeProto &node, const std::string &name, const std::vector<std::string> &texts) {
  onnx::AttributeProto &attribute = add(node, name, onnx::AttributeProto::STRINGS);
  for (const std::string &text : texts) attribute.add_strings(text);
}
void setAttribute(onnx::NodeProto &node, const std::string &name, const onnx::GraphProto &graph) {
  *add(node, name, onnx::AttributeProto::GRAPH).mutable_g() = graph;
}

BodyBuilder::BodyBuilder(const std::vector<std::string> &inputs, const std::vector<std::string> &outputs) {
  graph.set_name("body");
  for (const std::string &input : inputs) graph.add_input()->set_name(input);
  for (const std::string &output : outputs) graph.add_output()->set_name(output);
}

onnx::NodeProto &BodyBuilder::node(const std::string &op, const std::vector<std::string> &inputs,
                                   const std::vector<std::string> &outputs) {
  return addNode(graph, op, inputs, outputs);
}

int elementType(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return onnx::TensorProto::BOOL;
    case DType::I8:
      return onnx::TensorProto::INT8;
    case DType::I16:
      return onnx::TensorProto::INT16;
    case DType::I32:
      return onnx::TensorProto::INT32;
    case DType::I64:
      return onnx::TensorProto::INT64;
    case DType::U8:
      return onnx::TensorProto::UINT8;
    case DType::U16:
      return onnx::TensorProto::UINT16;
    case DType::U32:
      return onnx::TensorProto::UINT32;
    case DType::U64:
      return onnx::TensorProto::UINT64;
    case DType::F16:
      return onnx::TensorProto::FLOAT16;
    case DType::BF16:
      return onnx::TensorProto::BFLOAT16;
    case DType::F32:
      return onnx::TensorProto::FLOAT;
    case DType::F64:
      return onnx::TensorProto::DOUBLE;
  }
  return onnx::TensorProto::UNDEFINED;
}

onnx::NodeProto &addLoop(ModelBuilder &model, const std::vector<std::string> &operands,
                         const std::vector<std::string> &outputs, const BodyBuilder &body) {
  onnx::NodeProto &node = model.node("Loop", operands, outputs);
  setAttribute(node, "body", body.graph);
  for (const std::string &output : outputs) {
    if (!output.empty()) model.output(output);
  }
  return node;
}

}  // namespace hone::test
