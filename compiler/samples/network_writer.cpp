#include "compiler/samples/network_writer.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace hone::samples {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX's raw data is little-endian");

/// One step of a counter followed by a mix of its bits: independent of platform and library.
uint64_t mix(uint64_t &state) {
  state += 0x9e3779b97f4a7c15U;
  uint64_t bits = state;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31);
}

onnx::TensorProto integerTensor(const std::vector<int64_t> &values, bool isScalar) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::INT64);
  if (!isScalar) tensor.add_dims(static_cast<int64_t>(values.size()));
  tensor.set_raw_data(values.data(), values.size() * sizeof(int64_t));
  return tensor;
}

void setType(onnx::ValueInfoProto &info, const std::string &name, onnx::TensorProto::DataType type,
             const std::vector<int64_t> &shape) {
  info.set_name(name);
  onnx::TypeProto::Tensor &tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  for (int64_t extent : shape) tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

}  // namespace

WeightStream::WeightStream(uint64_t seed, std::string_view name) : state_(seed) {
  for (char letter : name) {
    state_ ^= static_cast<unsigned char>(letter);
    state_ = mix(state_);
  }
}

// The sum of four uniform 16-bit numbers: its variance is 4 * (65536^2 - 1) / 12. The sum is exact in float.
float WeightStream::next() {
  constexpr float kMean = 2.0F * 65535.0F;
  constexpr float kInverseDeviation = 1.0F / 37837.227F;
  uint64_t bits = mix(state_);
  uint64_t sum = (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
  return (static_cast<float>(sum) - kMean) * kInverseDeviation;
}

Attribute::Attribute(const char *name, int64_t value) {
  proto.set_name(name);
  proto.set_type(onnx::AttributeProto::INT);
  proto.set_i(value);
}

Attribute::Attribute(const char *name, float value) {
  proto.set_name(name);
  proto.set_type(onnx::AttributeProto::FLOAT);
  proto.set_f(value);
}

Attribute::Attribute(const char *name, const char *value) {
  proto.set_name(name);
  proto.set_type(onnx::AttributeProto::STRING);
  proto.set_s(value);
}

Attribute::Attribute(const char *name, const std::vector<int64_t> &values) {
  proto.set_name(name);
  proto.set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values) proto.add_ints(value);
}

Attribute::Attribute(const char *name, onnx::TensorProto value) {
  proto.set_name(name);
  proto.set_type(onnx::AttributeProto::TENSOR);
  *proto.mutable_t() = std::move(value);
}

NetworkWriter::NetworkWriter(const std::string &name, int64_t formatVersion, int64_t opset, uint64_t seed,
                             std::string nodePrefix)
    : seed_(seed), nodePrefix_(std::move(nodePrefix)) {
  model_.set_ir_version(formatVersion);
  model_.set_producer_name("hone sample");
  model_.add_opset_import()->set_version(opset);
  model_.mutable_graph()->set_name(name);
}

void NetworkWriter::input(const std::string &name, onnx::TensorProto::DataType type,
                          const std::vector<int64_t> &shape) {
  setType(*model_.mutable_graph()->add_input(), name, type, shape);
}

void NetworkWriter::output(const std::string &name, const std::vector<int64_t> &shape) {
  setType(*model_.mutable_graph()->add_output(), name, onnx::TensorProto::FLOAT, shape);
}

onnx::TensorProto &NetworkWriter::newWeights(const std::string &name, const std::vector<int64_t> &shape) {
  onnx::GraphProto &graph = *model_.mutable_graph();
  if (model_.ir_version() < 4) setType(*graph.add_input(), name, onnx::TensorProto::FLOAT, shape);
  onnx::TensorProto &tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  size_t count = 1;
  for (int64_t extent : shape) {
    tensor.add_dims(extent);
    count *= static_cast<size_t>(extent);
  }
  tensor.mutable_raw_data()->resize(count * sizeof(float));
  return tensor;
}

std::string NetworkWriter::weights(const std::string &name, const std::vector<int64_t> &shape, float mean,
                                   float deviation) {
  std::string &data = *newWeights(name, shape).mutable_raw_data();
  WeightStream stream(seed_, name);
  for (size_t offset = 0; offset < data.size(); offset += sizeof(float)) {
    float value = mean + deviation * stream.next();
    std::memcpy(data.data() + offset, &value, sizeof(value));
  }
  return name;
}

std::string NetworkWriter::centredWeights(const std::string &name, const std::vector<int64_t> &shape, float deviation) {
  std::string &data = *newWeights(name, shape).mutable_raw_data();
  std::vector<float> row(data.size() / sizeof(float) / static_cast<size_t>(shape[0]));
  WeightStream stream(seed_, name);
  for (size_t offset = 0; offset < data.size(); offset += row.size() * sizeof(float)) {
    double sum = 0;
    for (float &value : row) {
      value = deviation * stream.next();
      sum += static_cast<double>(value);
    }
    auto mean = static_cast<float>(sum / static_cast<double>(row.size()));
    for (float &value : row) value -= mean;
    std::memcpy(data.data() + offset, row.data(), row.size() * sizeof(float));
  }
  return name;
}

std::string NetworkWriter::filled(const std::string &name, int64_t count, float value) {
  return weights(name, {count}, value, 0);
}

std::string NetworkWriter::initializer(const std::string &name, onnx::TensorProto tensor) {
  onnx::GraphProto &graph = *model_.mutable_graph();
  if (model_.ir_version() < 4) {
    setType(*graph.add_input(), name, static_cast<onnx::TensorProto::DataType>(tensor.data_type()),
            {tensor.dims().begin(), tensor.dims().end()});
  }
  tensor.set_name(name);
  *graph.add_initializer() = std::move(tensor);
  return name;
}

std::string NetworkWriter::integers(const std::string &name, const std::vector<int64_t> &values) {
  return initializer(name, integerTensor(values, false));
}

void NetworkWriter::nodeOfSeveral(const std::string &op, const std::vector<std::string> &inputs,
                                  const std::vector<std::string> &outputs,
                                  std::initializer_list<Attribute> attributes) {
  onnx::NodeProto &node = *model_.mutable_graph()->add_node();
  node.set_op_type(op);
  node.set_name(nodePrefix_ + outputs.at(0));
  for (const std::string &input : inputs) node.add_input(input);
  for (const std::string &output : outputs) node.add_output(output);
  for (const Attribute &attribute : attributes) *node.add_attribute() = attribute.proto;
}

std::string NetworkWriter::node(const std::string &op, const std::vector<std::string> &inputs,
                                const std::string &output, std::initializer_list<Attribute> attributes) {
  nodeOfSeveral(op, inputs, {output}, attributes);
  return output;
}

std::string NetworkWriter::convolution(const std::string &x, const std::string &output, const std::string &prefix,
                                       const Convolution &sizes, float gain) {
  using Shape = std::vector<int64_t>;
  float deviation = gain / std::sqrt(static_cast<float>(sizes.from * sizes.kernel * sizes.kernel));
  Shape shape = {sizes.to, sizes.from, sizes.kernel, sizes.kernel};
  std::vector<std::string> inputs = {x, centredWeights(prefix + "weight", shape, deviation)};
  if (sizes.hasBias) inputs.push_back(weights(prefix + "bias", {sizes.to}, 0, 0.1F * gain));
  return node("Conv", inputs, output,
              {{"dilations", Shape{1, 1}},
               {"group", 1},
               {"kernel_shape", Shape{sizes.kernel, sizes.kernel}},
               {"pads", Shape{sizes.pad, sizes.pad, sizes.pad, sizes.pad}},
               {"strides", Shape{sizes.stride, sizes.stride}}});
}

std::string NetworkWriter::scalar(const std::string &output, float value) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.set_raw_data(&value, sizeof(value));
  return node("Constant", {}, output, {{"value", std::move(tensor)}});
}

std::string NetworkWriter::scalarInteger(const std::string &output, int64_t value) {
  return node("Constant", {}, output, {{"value", integerTensor({value}, true)}});
}

std::string NetworkWriter::listOfIntegers(const std::string &output, const std::vector<int64_t> &values) {
  return node("Constant", {}, output, {{"value", integerTensor(values, false)}});
}

// ONNX's messages hold no maps: their serialisation is a function of their contents.
std::string NetworkWriter::bytes() const { return model_.SerializeAsString(); }

}  // namespace hone::samples
