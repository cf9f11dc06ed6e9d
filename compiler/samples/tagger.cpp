#include <cmath>

#include "compiler/samples/networks.h"
#include "compiler/samples/torch_writer.h"

namespace hone::samples {
namespace {

constexpr int64_t kSequence = 96;
constexpr int64_t kVocabulary = 20000, kEmbedding = 128, kHidden = 256, kTags = 32;

/// Writes nn.Embedding, a bidirectional nn.LSTM(batch_first=True) of two layers and nn.Linear, as PyTorch exports them:
/// time is brought to the front and back again, and the initial state is expanded from the input's shape.
class TaggerWriter : private TorchWriter {
 public:
  explicit TaggerWriter(uint64_t seed) : TorchWriter("lstm-tagger", seed) {}

  std::string write() {
    net.input("tokens", onnx::TensorProto::INT64, {1, kSequence});
    std::string table = net.weights("embedding.weight", {kVocabulary, kEmbedding}, 0, 1);
    std::string x = net.node("Gather", {table, "tokens"}, fresh("Gather"));
    std::string state = initialState(x);
    x = transpose(x, {1, 0, 2});
    x = layer(x, state, "lstm.0", kEmbedding);
    x = layer(x, state, "lstm.1", 2 * kHidden);
    x = transpose(x, {1, 0, 2});
    std::string weight = net.weights("linear.weight", {2 * kHidden, kTags}, 0, 0.6F);
    std::string bias = net.weights("linear.bias", {kTags}, 0, 0.05F);
    x = binary("Add", bias, binary("MatMul", x, weight));
    net.node("LogSoftmax", {x}, "scores", {{"axis", -1}});
    net.output("scores", {1, kSequence, kTags});
    return net.bytes();
  }

 private:
  /// torch.zeros(directions, x.size(0), hidden)
  std::string initialState(const std::string &x) {
    std::string shape = concatenate({list({2}), unsqueeze(extent(x, 0), 0), list({kHidden})}, 0);
    return binary("Expand", number(0), shape);
  }

  std::string layer(const std::string &x, const std::string &state, const std::string &name, int64_t from) {
    // Gates that move away from one half now and then, but remember.
    auto weights = [&](const char *part, int64_t inputs) {
      return net.weights(name + part, {2, 4 * kHidden, inputs}, 0, 1 / std::sqrt(static_cast<float>(inputs)));
    };
    std::string w = weights(".weight_ih", from), r = weights(".weight_hh", kHidden);
    std::string b = net.weights(name + ".bias", {2, 8 * kHidden}, 0, 0.1F);
    std::string output = fresh("LSTM"), last = fresh("LSTM"), cell = fresh("LSTM");
    net.nodeOfSeveral("LSTM", {x, w, r, b, "", state, state}, {output, last, cell},
                      {{"direction", "bidirectional"}, {"hidden_size", kHidden}});
    // time, direction, batch, hidden -> time, batch, both directions' hidden
    return binary("Reshape", transpose(output, {0, 2, 1, 3}), list({0, 0, -1}));
  }
};

}  // namespace

std::string lstmTagger(uint64_t seed) { return TaggerWriter(seed).write(); }

}  // namespace hone::samples
