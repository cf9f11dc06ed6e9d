#include <cmath>

#include "compiler/samples/network_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

constexpr int64_t kSequence = 128;
constexpr int64_t kVocabulary = 30522;
constexpr int64_t kPositions = 512;

/// Writes the encoder with PyTorch's names and the nodes of its exporter at opset 13.
class BertWriter {
 public:
  BertWriter(const std::string &name, const TransformerSizes &sizes, uint64_t seed)
      : net_(name, 7, 13, seed), sizes_(sizes) {}

  std::string write() {
    for (const char *input : {"input_ids", "attention_mask", "token_type_ids"}) {
      net_.input(input, onnx::TensorProto::INT64, {1, kSequence});
    }
    std::string mask = attentionMask();
    std::string x = embeddings();
    for (int64_t layer = 0; layer < sizes_.layers; ++layer) {
      std::string name = "encoder.layer." + std::to_string(layer);
      x = attention(x, mask, name + ".attention");
      x = feedForward(x, name, layer + 1 == sizes_.layers ? "last_hidden_state" : name + ".output");
    }
    net_.output("last_hidden_state", {1, kSequence, sizes_.hidden});
    return net_.bytes();
  }

 private:
  using Shape = std::vector<int64_t>;

  /// A name for a value that has none in the original.
  std::string fresh(const char *op) { return std::string(op) + "_" + std::to_string(counter_++); }

  std::string unary(const char *op, const std::string &x) { return net_.node(op, {x}, fresh(op)); }
  std::string binary(const char *op, const std::string &a, const std::string &b) {
    return net_.node(op, {a, b}, fresh(op));
  }
  std::string number(float value) { return net_.scalar(fresh("Constant"), value); }
  std::string list(const Shape &values) { return net_.listOfIntegers(fresh("Constant"), values); }
  std::string unsqueeze(const std::string &x, int64_t axis) { return binary("Unsqueeze", x, list({axis})); }

  /// x.size(dim)
  std::string extent(const std::string &x, int64_t dim) {
    std::string shape = unary("Shape", x);
    std::string position = net_.scalarInteger(fresh("Constant"), dim);
    return net_.node("Gather", {shape, position}, fresh("Gather"), {{"axis", 0}});
  }

  /// x.view(x.size(0), x.size(1), last…)
  std::string viewRows(const std::string &x, const Shape &last) {
    std::vector<std::string> parts;
    for (int64_t dim : {0, 1}) parts.push_back(unsqueeze(extent(x, dim), 0));
    for (int64_t value : last) parts.push_back(list({value}));
    std::string shape = net_.node("Concat", parts, fresh("Concat"), {{"axis", 0}});
    return binary("Reshape", x, shape);
  }

  std::string transpose(const std::string &x, const Shape &permutation) {
    return net_.node("Transpose", {x}, fresh("Transpose"), {{"perm", permutation}});
  }

  /// (1 - mask) * -10000, to be added to the scores.
  std::string attentionMask() {
    std::string mask = unsqueeze(unsqueeze("attention_mask", 1), 2);
    mask = net_.node("Cast", {mask}, fresh("Cast"), {{"to", static_cast<int64_t>(onnx::TensorProto::FLOAT)}});
    return binary("Mul", binary("Sub", number(1), mask), number(-10000));
  }

  std::string embeddings() {
    std::string scope = "embeddings.";
    auto lookUp = [&](const std::string &table, int64_t rows, float deviation, const std::string &indices) {
      std::string weight = net_.weights(scope + table + ".weight", {rows, sizes_.hidden}, 0, deviation);
      return net_.node("Gather", {weight, indices}, scope + table);
    };
    Shape all(kPositions);
    for (int64_t i = 0; i < kPositions; ++i) all[static_cast<size_t>(i)] = i;
    std::string positions = unsqueeze(list(all), 0);
    std::string length = unsqueeze(extent("input_ids", 1), 0);
    positions = net_.node("Slice", {positions, list({0}), length, list({1}), list({1})}, fresh("Slice"));
    std::string words = lookUp("word_embeddings", kVocabulary, 1.0F, "input_ids");
    std::string types = lookUp("token_type_embeddings", 2, 0.3F, "token_type_ids");
    std::string sum = binary("Add", words, types);
    sum = binary("Add", sum, lookUp("position_embeddings", kPositions, 0.5F, positions));
    return layerNorm(sum, scope + "LayerNorm", scope + "LayerNorm");
  }

  std::string layerNorm(const std::string &x, const std::string &name, const std::string &output) {
    auto mean = [&](const std::string &data) {
      return net_.node("ReduceMean", {data}, fresh("ReduceMean"), {{"axes", Shape{-1}}});
    };
    std::string centred = binary("Sub", x, mean(x));
    std::string variance = mean(binary("Pow", centred, number(2)));
    std::string deviation = unary("Sqrt", binary("Add", variance, number(1e-12F)));
    std::string scale = net_.weights(name + ".weight", {sizes_.hidden}, 1, 0.1F);
    std::string shift = net_.weights(name + ".bias", {sizes_.hidden}, 0, 0.1F);
    std::string scaled = binary("Mul", binary("Div", centred, deviation), scale);
    return net_.node("Add", {scaled, shift}, output);
  }

  /// \p gain is the output's deviation for inputs of mean square 1.
  std::string linear(const std::string &x, const std::string &name, int64_t from, int64_t to, float gain) {
    float deviation = gain / std::sqrt(static_cast<float>(from));
    std::string weight = net_.weights(name + ".weight", {from, to}, 0, deviation);
    std::string bias = net_.weights(name + ".bias", {to}, 0, 0.05F);
    return binary("Add", bias, binary("MatMul", x, weight));
  }

  std::string attention(const std::string &x, const std::string &mask, const std::string &scope) {
    int64_t hidden = sizes_.hidden, perHead = hidden / sizes_.heads;
    auto heads = [&](const char *name, float gain, const Shape &permutation) {
      std::string projected = linear(x, scope + ".self." + name, hidden, hidden, gain);
      return transpose(viewRows(projected, {sizes_.heads, perHead}), permutation);
    };
    // Scores of deviation 3 single out a few tokens: averages over all would make the rows alike, layer by layer.
    std::string query = heads("query", std::sqrt(3.0F), {0, 2, 1, 3});
    std::string key = heads("key", std::sqrt(3.0F), {0, 2, 3, 1});
    std::string value = heads("value", 1, {0, 2, 1, 3});
    std::string scores = binary("MatMul", query, key);
    scores = binary("Div", scores, number(std::sqrt(static_cast<float>(perHead))));
    scores = binary("Add", scores, mask);
    std::string weights = net_.node("Softmax", {scores}, fresh("Softmax"), {{"axis", -1}});
    std::string context = transpose(binary("MatMul", weights, value), {0, 2, 1, 3});
    context = linear(viewRows(context, {hidden}), scope + ".output.dense", hidden, hidden, 0.5F);
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

  NetworkWriter net_;
  TransformerSizes sizes_;
  int counter_ = 0;
};

}  // namespace

std::string bert(const std::string &name, const TransformerSizes &sizes, uint64_t seed) {
  return BertWriter(name, sizes, seed).write();
}

}  // namespace hone::samples
