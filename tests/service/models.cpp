#include "tests/service/models.h"

#include <openssl/evp.h>

#include <random>
#include <vector>

#include "tests/frontend/model_builder.h"

namespace hone::test {

namespace {

std::vector<float> weights(std::mt19937 &random, int64_t count) {
  std::vector<float> values;
  // Raw bits, not a distribution: those differ between standard libraries.
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(random() % 1024) / 1024.0F - 0.5F);
  return values;
}

}  // namespace

std::string tinyModel(uint32_t number) {
  std::mt19937 random(number);
  ModelBuilder model(13);
  model.input("x", DType::F32, {2, 8});
  model.floats("w1", {8, 12}, weights(random, 96));
  model.floats("w2", {12, 4}, weights(random, 48));
  model.node("MatMul", {"x", "w1"}, {"m1"});
  model.node("Relu", {"m1"}, {"r1"});
  model.node("MatMul", {"r1", "w2"}, {"y"});
  model.output("y");
  return model.bytes();
}

std::map<std::string, std::string> hostileModels() {
  std::map<std::string, std::string> models;
  constexpr int64_t kHuge = int64_t{1} << 31;
  ModelBuilder shapes(13);
  shapes.input("x", DType::F32, {kHuge, kHuge});
  shapes.node("Relu", {"x"}, {"y"});
  shapes.output("y");
  models["huge-shape"] = shapes.bytes();

  ModelBuilder constant(13);
  constant.input("x", DType::F32, {1});
  constant.integers("shape", {kHuge, 1 << 12});
  constant.node("ConstantOfShape", {"shape"}, {"c"});
  constant.node("Add", {"x", "c"}, {"y"});
  constant.output("y");
  models["huge-constant"] = constant.bytes();

  ModelBuilder external(13);
  external.input("x", DType::F32, {1, 4});
  external.floats("w", {1, 4}, {0, 0, 0, 0});
  external.node("Add", {"x", "w"}, {"y"});
  external.output("y");
  onnx::TensorProto &weight = *external.model.mutable_graph()->mutable_initializer(0);
  weight.clear_raw_data();
  weight.clear_float_data();
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  auto &entry = *weight.add_external_data();
  entry.set_key("location");
  entry.set_value("../../../../../../etc/passwd");
  models["external"] = external.bytes();

  ModelBuilder nested(13);
  nested.input("x", DType::F32, {1});
  onnx::GraphProto graph;
  constexpr int kNesting = 500;
  for (int depth = 0; depth < kNesting; ++depth) {
    onnx::GraphProto outer;
    onnx::NodeProto &node = *outer.add_node();
    node.set_op_type("If");
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name("then_branch");
    attribute.set_type(onnx::AttributeProto::GRAPH);
    attribute.mutable_g()->Swap(&graph);
    graph.Swap(&outer);
  }
  *nested.model.mutable_graph()->add_node() = graph.node(0);
  models["nested"] = nested.bytes();
  return models;
}

std::string randomBytes(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes;
  bytes.reserve(size + sizeof(uint64_t));
  while (bytes.size() < size) {
    const uint64_t word = random();
    bytes.append(reinterpret_cast<const char *>(&word), sizeof word);
  }
  bytes.resize(size);
  return bytes;
}

std::string sha256(const std::string &bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

v1::Digest digestOf(const std::string &bytes) {
  v1::Digest digest;
  digest.set_sha256(sha256(bytes));
  digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
  return digest;
}

}  // namespace hone::test
