#include <cmath>

#include "compiler/samples/networks.h"
#include "compiler/samples/torch_writer.h"

namespace hone::samples {
namespace {

constexpr int64_t kSequence = 128;
constexpr int64_t kVocabulary = 30522;
constexpr int64_t kPositions = 512;

/// Writes the encoder with PyTorch's names and the nodes of its exporter at opset 13.
class BertWriter : private TorchWriter {
 public:
  BertWriter(const std::string &name, const TransformerSizes &sizes, uint64_t seed)
      : TorchWriter(name, seed), sizes_(sizes) {}

  std::string write() {
    for (const char *input : {"input_ids", "attention_mask", "token_type_ids"}) {
      net.input(input, onnx::TensorProto::INT64, {1, kSequence});
    }
    std::string mask = attentionMask();
    std::string x = embeddings();
    for (int64_t layer = 0; layer < sizes_.layers; ++layer) {
      std::string name = "encoder.layer." + std::to_string(layer);
      x = attention(x, mask, name + ".attention");
      x = feedForward(x, name, layer + 1 == sizes_.layers ? "last_hidden_state" : name + ".output");
    }
    net.output("last_hidden_state", {1, kSequence, sizes_.hidden});
    return net.bytes();
  }

 private:
  /// (1 - mask) * -10000, to be added to the scores.
  std::string attentionMask() {
    std::string mask = unsqueeze(unsqueeze("attention_mask", 1), 2);
    mask = cast(mask, onnx::TensorProto::FLOAT);
    return binary("Mul", binary("Sub", number(1), mask), number(-10000));
  }

  std::string embeddings() {
    std::string scope = "embeddings.";
    auto lookUp = [&](const std::string &table, int64_t rows, float deviation, const std::string &indices) {
      std::string weight = net.weights(scope + table + ".weight", {rows, sizes_.hidden}, 0, deviation);
      return net.node("Gather", {weight, indices}, scope + table);
    };
    Shape all(kPositions);
    for (int64_t i = 0; i < kPositions; ++i) all[static_cast<size_t>(i)] = i;
    std::string positions = unsqueeze(list(all), 0);
    std::string length = unsqueeze(extent("input_ids", 1), 0);
    positions = net.node("Slice", {positions, list({0}), length, list({1}), list({1})}, fresh("Slice"));
    std::string words = lookUp("word_embeddings", kVocabulary, 1.0F, "input_ids");
    std::string types = lookUp("token_type_embeddings", 2, 0.3F, "token_type_ids");
    std::string sum = binary("Add", words, types);
    sum = binary("Add", sum, lookUp("position_embeddings", kPositions, 0.5F, positions));
    return layerNorm(sum, scope + "LayerNorm", scope + "LayerNorm");
  }

  std::string layerNorm(const std::string &x, const std::string &name, const std::string &output) {
    return TorchWriter::layerNorm(x, name, sizes_.hidden, 1e-12F, output);
  }

  /// \p gain is the output's deviation for inputs of mean square 1.
  std::string linear(const std::string &x, const std::string &name, int64_t from, int64_t to, float gain) {
    float deviation = gain / std::sqrt(static_cast<float>(from));
    std::string weight = net.weights(name + ".weight", {from, to}, 0, deviation);
    std::string bias = net.weights(name + ".bias", {to}, 0, 0.05F);
    return binary("Add", bias, binary("MatMul", x, weight));
  }

  std::string attention(const std::string &x, const std::string &mask, const std::string &scope) {
    int64_t hidden = sizes_.hidden, perHead = hidden / sizes_.heads;
    auto heads = [&](const char *name, float gain, const Shape &permutation) {
      std::string projected = linear(x, scope + ".self." + name, hidden, hidden, gain);
      return transpose(view(projected, 2, {sizes_.heads, perHead}), permutation);
    };
    // Scores of deviation 3 single out a few tokens: averages over all would make the rows alike, layer by layer.
    std::string query = heads("query", std::sqrt(3.0F), {0, 2, 1, 3});
    std::string key = heads("key", std::sqrt(3.0F), {0, 2, 3, 1});
    std::string value = heads("value", 1, {0, 2, 1, 3});
    std::string scores = binary("MatMul", query, key);
    scores = binary("Div", scores, number(std::sqrt(static_cast<float>(perHead))));
    scores = binary("Add", scores, mask);
    std::string weights = net.node("Softmax", {scores}, fresh("Softmax"), {{"axis", -1}});
    std::string context = transpose(binary("MatMul", weights, value), {0, 2, 1, 3});
    context = linear(view(context, 2, {hidden}), scope + ".output.dense", hidden, hidden, 0.5F);
    return layerNorm(binary("Add", context, x), scope + ".output.LayerNorm", scope + ".output.LayerNorm");
  }

  /// x / 2 * (1 + erf(x / sqrt(2)))
  std::string gelu(const std::string &x) {
    std::string error = unary("Erf", binary("Div", x, number(std::sqrt(2.0F))));
    std::string product = binary("Mul", x, binary("Add", error, number(1)));
    return binary("Mul", product, number(0.5F));
  }

  std::string feedForward(const std::string &x, const std::string &scope, const std::string &output) {
    std::string inner = gelu(linear(x, scope + ".intermediate.dense", sizes_.hidden, sizes_.feedForward, 1));
    std::string outer = linear(inner, scope + ".output.dense", sizes_.feedForward, sizes_.hidden, 0.5F);
    return layerNorm(binary("Add", outer, x), scope + ".output.LayerNorm", output);
  }

  TransformerSizes sizes_;
};

}  // namespace

std::string bert(const std::string &name, const TransformerSizes &sizes, uint64_t seed) {
  return BertWriter(name, sizes, seed).write();
}

}  // namespace hone::samples
