#include <cmath>

#include "compiler/samples/networks.h"
#include "compiler/samples/torch_writer.h"

namespace hone::samples {
namespace {

constexpr int64_t kSequence = 128;
constexpr int64_t kVocabulary = 50257;
constexpr int64_t kPositions = 1024;
constexpr int64_t kHidden = 768, kHeads = 12, kPerHead = kHidden / kHeads;

/// Writes GPT-2's embeddings, its first block and the last norm, as Hugging Face's code is traced: Conv1D is a Gemm
/// between two views, and the causal mask is cut out of a large one by arithmetic on the shapes of query and key.
class DecoderWriter : private TorchWriter {
 public:
  explicit DecoderWriter(uint64_t seed) : TorchWriter("gpt2-block", seed) {}

  std::string write() {
    net.input("input_ids", onnx::TensorProto::INT64, {1, kSequence});
    std::string x = block(embeddings(), "transformer.h.0");
    layerNorm(x, "transformer.ln_f", kHidden, 1e-5F, "last_hidden_state");
    net.output("last_hidden_state", {1, kSequence, kHidden});
    return net.bytes();
  }

 private:
  std::string embeddings() {
    std::string ids =
        binary("Reshape", "input_ids", concatenate({list({-1}), unsqueeze(extent("input_ids", 1), 0)}, 0));
    // torch.arange(0, length).view(-1, length)
    std::string positions = net.node("Range", {integer(0), extent("input_ids", 1), integer(1)}, fresh("Range"));
    positions =
        binary("Reshape", unsqueeze(positions, 0), concatenate({list({-1}), unsqueeze(extent("input_ids", 1), 0)}, 0));
    auto lookUp = [&](const std::string &table, int64_t rows, float deviation, const std::string &indices) {
      std::string weight = net.weights("transformer." + table + ".weight", {rows, kHidden}, 0, deviation);
      return net.node("Gather", {weight, indices}, fresh("Gather"));
    };
    return binary("Add", lookUp("wte", kVocabulary, 1, ids), lookUp("wpe", kPositions, 0.5F, positions));
  }

  /// Transformers' Conv1D: addmm over x.view(-1, x.size(-1)). \p gain is the output's deviation for inputs of mean
  /// square 1.
  std::string conv1d(const std::string &x, const std::string &name, int64_t from, int64_t to, float gain) {
    std::string weight = net.weights(name + ".weight", {from, to}, 0, gain / std::sqrt(static_cast<float>(from)));
    std::string bias = net.weights(name + ".bias", {to}, 0, 0.05F);
    std::string last = unsqueeze(extent(x, -1), 0);
    std::string rows = binary("Reshape", x, concatenate({list({-1}), last}, 0));
    std::string product = net.node("Gemm", {rows, weight, bias}, fresh("Gemm"), {{"alpha", 1.0F}, {"beta", 1.0F}});
    std::vector<std::string> shape = {unsqueeze(extent(x, 0), 0), unsqueeze(extent(x, 1), 0), list({to})};
    return binary("Reshape", product, concatenate(shape, 0));
  }

  /// mask[:, :, length of keys - length of queries : length of keys, : length of keys]
  std::string causalMask(const std::string &query, const std::string &key) {
    onnx::TensorProto table;
    table.set_data_type(onnx::TensorProto::BOOL);
    for (int64_t dim : {int64_t{1}, int64_t{1}, kPositions, kPositions}) table.add_dims(dim);
    std::string &data = *table.mutable_raw_data();
    data.resize(static_cast<size_t>(kPositions * kPositions));
    for (int64_t row = 0; row < kPositions; ++row) {
      for (int64_t column = 0; column <= row; ++column) data[static_cast<size_t>(row * kPositions + column)] = 1;
    }
    std::string mask = net.initializer("transformer.h.0.attn.bias", std::move(table));
    std::string queries = extent(query, -2), keys = extent(key, -2);
    std::string start = unsqueeze(binary("Sub", keys, queries), 0), end = unsqueeze(keys, 0);
    mask = slice(slice(mask, start, end, 2), list({0}), end, 3);
    return cast(mask, onnx::TensorProto::BOOL);
  }

  std::string attention(const std::string &x, const std::string &scope) {
    std::vector<std::string> parts =
        split(conv1d(x, scope + ".c_attn", kHidden, 3 * kHidden, 1.5F), {kHidden, kHidden, kHidden}, 2);
    auto heads = [&](const std::string &part) {
      std::vector<std::string> shape = {unsqueeze(extent(part, 0), 0), unsqueeze(extent(part, 1), 0), list({kHeads}),
                                        list({kPerHead})};
      return transpose(binary("Reshape", part, concatenate(shape, 0)), {0, 2, 1, 3});
    };
    std::string query = heads(parts[0]), key = heads(parts[1]), value = heads(parts[2]);
    std::string scores = binary("MatMul", query, transpose(key, {0, 1, 3, 2}));
    // The square root of the last extent, as the trace has it.
    std::string extentOfHead = cast(extent(value, -1), onnx::TensorProto::FLOAT);
    scores = binary("Div", scores, unary("Sqrt", extentOfHead));
    scores = net.node("Where", {causalMask(query, key), scores, number(-3.4028234663852886e+38F)}, fresh("Where"));
    std::string weights = net.node("Softmax", {scores}, fresh("Softmax"), {{"axis", -1}});
    std::string context = transpose(binary("MatMul", weights, value), {0, 2, 1, 3});
    return conv1d(view(context, 2, {kHidden}), scope + ".c_proj", kHidden, kHidden, 0.7F);
  }

  /// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
  std::string gelu(const std::string &x) {
    std::string cubic = binary("Mul", binary("Pow", x, number(3)), number(0.044715F));
    std::string angle = binary("Mul", binary("Add", x, cubic), number(0.7978845608028654F));
    std::string factor = binary("Add", unary("Tanh", angle), number(1));
    return binary("Mul", binary("Mul", x, number(0.5F)), factor);
  }

  std::string block(const std::string &x, const std::string &scope) {
    std::string normed = layerNorm(x, scope + ".ln_1", kHidden, 1e-5F, fresh("Add"));
    std::string y = binary("Add", attention(normed, scope + ".attn"), x);
    normed = layerNorm(y, scope + ".ln_2", kHidden, 1e-5F, fresh("Add"));
    std::string inner = gelu(conv1d(normed, scope + ".mlp.c_fc", kHidden, 4 * kHidden, 1));
    return binary("Add", y, conv1d(inner, scope + ".mlp.c_proj", 4 * kHidden, kHidden, 1));
  }
};

}  // namespace

std::string gpt2Block(uint64_t seed) { return DecoderWriter(seed).write(); }

}  // namespace hone::samples
