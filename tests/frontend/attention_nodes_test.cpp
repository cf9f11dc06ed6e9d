// The operators of transformers: random shapes, heads, masks and caches, imported, planned, compiled and run, against
// plain loops over the operators' definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "tests/frontend/compiled_node.h"
#include "tests/frontend/evaluated_node.h"
#include "tests/frontend/plain_attention.h"
#include "tests/support/random.h"
#include "tests/support/rounds.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using test::EvaluatedNode;
using test::forEachIndex;
using test::omitted;
using test::PlainAttention;
using test::PlainAttentionValues;
using testing::Random;
using Shape = std::vector<int64_t>;

constexpr double kHidden = -std::numeric_limits<double>::infinity();

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

class Attention : public ::testing::Test {
 protected:
  void repeat(const std::function<void()> &check) {
    testing::inRounds(4, 60, [&](const Random &ofRound) {
      random = ofRound;
      check();
    });
  }
  int64_t between(int64_t low, int64_t high) { return random.between(low, high); }
  Array array(const Shape &shape, DType dtype = DType::F32) { return Array::random(shape, random, dtype); }

  /// Queries, keys and values with heads; the first ones' heads share those of the others.
  PlainAttention attention() {
    const int64_t batch = between(1, 3), heads = between(1, 3), keys = between(1, 7), size = 2 * between(1, 4);
    PlainAttention a;
    a.query = array({batch, heads * between(1, 3), between(1, 5), size});
    a.key = array({batch, heads, keys, size});
    a.value = array({batch, heads, keys, between(1, 6)});
    a.scale = 1 / std::sqrt(static_cast<double>(size));
    return a;
  }

  Random random{0};
};

TEST_F(Attention, GroupsHeadsAndTakesBothForms) {
  repeat([&] {
    PlainAttention a = attention();
    const Array expected = plainAttention(a).output;
    CompiledNode(23, "Attention", {a.query, a.key, a.value}).gives({expected});
    CompiledNode(23, "Attention", {withoutHeads(a.query), withoutHeads(a.key), withoutHeads(a.value)})
        .with("q_num_heads", a.query.shape[1])
        .with("kv_num_heads", a.key.shape[1])
        .gives({withoutHeads(expected)});
  });
}

TEST_F(Attention, ShowsScoresInEveryMode) {
  PlainAttention a = attention();
  a.scale = 0.75;
  a.softcap = 0.5;
  const Array mask = array({a.query.shape[2], a.key.shape[2]});
  a.bias = [&](int64_t, int64_t, int64_t i, int64_t j) { return mask.at({i, j}); };
  const PlainAttentionValues values = plainAttention(a);
  const Array *shown[] = {&values.scores, &values.capped, &values.masked, &values.probabilities};
  for (int mode = 0; mode < 4; ++mode) {
    SCOPED_TRACE(mode);
    CompiledNode(23, "Attention", {a.query, a.key, a.value, mask}, 4)
        .with("scale", 0.75F)
        .with("softcap", 0.5F)
        .with("qk_matmul_output_mode", mode)
        .gives({values.output, a.key, a.value, *shown[mode]});
  }
}

// The window moves with the past: the first query stands behind it.
TEST_F(Attention, SeesThePastThroughItsWindow) {
  repeat([&] {
    PlainAttention a = attention();
    const int64_t past = between(1, 4), left = between(-1, 3), right = between(-1, 2), causal = between(0, 1);
    Shape pastShape = a.key.shape, pastValueShape = a.value.shape;
    pastShape[2] = pastValueShape[2] = past;
    const Array pastKey = array(pastShape), pastValue = array(pastValueShape), key = a.key, value = a.value;
    a.key = joined(pastKey, key, 2);
    a.value = joined(pastValue, value, 2);
    a.bias = [&](int64_t, int64_t, int64_t i, int64_t j) {
      const int64_t place = past + i;
      const bool isSeen =
          (left < 0 || place - left <= j) && (right < 0 || j <= place + right) && (causal == 0 || j <= place);
      return isSeen ? 0 : kHidden;
    };
    CompiledNode(25, "Attention", {a.query, key, value, omitted(), pastKey, pastValue}, 3)
        .with("left_window_size", left)
        .with("right_window_size", right)
        .with("is_causal", causal)
        .gives({plainAttention(a).output, a.key, a.value});
  });
}

// Rows that see nothing are zeros; shorter masks hide what is behind them.
TEST_F(Attention, HidesWithMasksOfEveryKind) {
  repeat([&] {
    PlainAttention a = attention();
    const int64_t keys = a.key.shape[2], given = between(1, keys), causal = between(0, 1);
    const bool isBool = random.chance(50);
    Array mask(
        {random.chance(50) ? 1 : a.query.shape[0], random.chance(50) ? 1 : a.query.shape[1], a.query.shape[2], given},
        isBool ? DType::Bool : DType::F32);
    for (double &element : mask.values) {
      const bool isSeen = random.chance(60);
      element = isBool ? static_cast<double>(isSeen) : isSeen ? random.between(-4, 4) / 8.0 : kHidden;
    }
    a.bias = [&](int64_t b, int64_t h, int64_t i, int64_t j) {
      if (j >= given || (causal != 0 && j > i)) return kHidden;
      const double element = mask.at({std::min(b, mask.shape[0] - 1), std::min(h, mask.shape[1] - 1), i, j});
      return !isBool ? element : element != 0 ? 0.0 : kHidden;
    };
    const PlainAttentionValues values = plainAttention(a);
    CompiledNode(24, "Attention", {a.query, a.key, a.value, mask}, 4)
        .with("is_causal", causal)
        .with("qk_matmul_output_mode", 3)
        .gives({values.output, a.key, a.value, values.probabilities});
  });
}

// Where the keys are a cache, the last query stands at its end, and more queries than keys see nothing at first.
TEST_F(Attention, CountsFromTheEndOfACache) {
  repeat([&] {
    PlainAttention a = attention();
    const int64_t queries = a.query.shape[2], left = between(-1, 2);
    Array lengths({a.query.shape[0]}, DType::I64);
    for (double &length : lengths.values) length = static_cast<double>(between(0, a.key.shape[2]));
    a.bias = [&](int64_t b, int64_t, int64_t i, int64_t j) {
      const auto length = static_cast<int64_t>(lengths.at({b}));
      const int64_t place = length - queries + i;
      return j < length && j <= place && (left < 0 || place - left <= j) ? 0 : kHidden;
    };
    CompiledNode(25, "Attention", {a.query, a.key, a.value, omitted(), omitted(), omitted(), lengths})
        .with("is_causal", 1)
        .with("left_window_size", left)
        .gives({plainAttention(a).output});
  });
}

TEST_F(Attention, TakesShortFloatsAndASoftmaxOfItsOwn) {
  for (const DType dtype : {DType::F16, DType::BF16, DType::F64}) {
    PlainAttention a;
    a.query = array({2, 4, 3, 8}, dtype);
    a.key = array({2, 2, 5, 8}, dtype);
    a.value = array({2, 2, 5, 6}, dtype);
    a.scale = 1 / std::sqrt(8.0);
    a.bias = [](int64_t, int64_t, int64_t i, int64_t j) { return j <= i ? 0 : kHidden; };
    CompiledNode(23, "Attention", {a.query, a.key, a.value})
        .with("is_causal", 1)
        .with("softmax_precision", 1)
        .gives({plainAttention(a).output});
  }
}

/// FlexAttention whose attribute \p change is a graph of one node \p op, which reads its input as often as \p reads
/// says.
template <typename Node>
Node flexAttention(const PlainAttention &a, const std::string &change, const std::string &op, int reads) {
  Node node(26, "FlexAttention", {a.query, a.key, a.value});
  node.node().set_domain("ai.onnx.preview");
  onnx::OperatorSetIdProto &opset = *node.model.model.add_opset_import();
  opset.set_domain("ai.onnx.preview");
  opset.set_version(1);
  onnx::AttributeProto &attribute = *node.node().add_attribute();
  attribute.set_name(change);
  attribute.set_type(onnx::AttributeProto::GRAPH);
  onnx::GraphProto &graph = *attribute.mutable_g();
  graph.set_name(change);
  graph.add_input()->set_name("rows");
  graph.add_output()->set_name("changed");
  onnx::NodeProto &inner = *graph.add_node();
  inner.set_op_type(op);
  for (int i = 0; i < reads; ++i) inner.add_input("rows");
  inner.add_output("changed");
  return node;
}

TEST_F(Attention, FlexAttentionChangesRows) {
  PlainAttention a = attention();
  const double scale = a.scale;
  a.scale = -scale;
  flexAttention<CompiledNode>(a, "score_mod", "Neg", 1).gives({plainAttention(a).output});
  a.scale = scale;
  Array twice = plainAttention(a).output;
  for (double &value : twice.values) value *= 2;
  flexAttention<CompiledNode>(a, "prob_mod", "Add", 2).gives({twice});
  flexAttention<EvaluatedNode>(a, "prob_mod", "Shape", 1).isRefused("the graph 'prob_mod' does not give one tensor");
}

TEST_F(Attention, RefusesWhatDoesNotFit) {
  const Array query({1, 4, 2, 8}), key({1, 3, 5, 8}), fitting({1, 2, 5, 8}), flat({1, 2, 30});
  EvaluatedNode(23, "Attention", {query, key, key}).isRefused("queries [1,4,2,8], keys [1,3,5,8] and values");
  EvaluatedNode(23, "Attention", {query, fitting, fitting, Array({3, 5})}).isRefused("a mask of shape [3,5]");
  EvaluatedNode(23, "Attention", {query, fitting, fitting, omitted(), fitting}).isRefused("are given together");
  EvaluatedNode(23, "Attention", {flat, flat, flat}).isRefused("attribute 'q_num_heads' is missing");
  EvaluatedNode(23, "Attention", {flat, flat, flat})
      .with("q_num_heads", 4)
      .with("kv_num_heads", 4)
      .isRefused("shape [1,2,30] does not divide into 4 heads");
}

TEST_F(Attention, RotaryEmbedding) {
  repeat([&] {
    const int64_t batch = between(1, 3), heads = between(1, 3), length = between(1, 4), pairs = between(1, 3);
    const int64_t size = 2 * (pairs + between(0, 2)), interleaved = between(0, 1), places = 7;
    const bool isWhole = size == 2 * pairs;
    const Array data = array({batch, heads, length, size});
    Array positions({batch, length}, DType::I64), cosine({places, pairs}), sine({places, pairs});
    for (double &position : positions.values) position = static_cast<double>(between(0, places - 1));
    const auto angle = [&](int64_t place, int64_t pair) { return 0.5 * static_cast<double>(place * (pair + 1)); };
    forEachIndex(cosine.shape, [&](const Shape &at) {
      cosine.at(at) = std::cos(angle(at[0], at[1]));
      sine.at(at) = std::sin(angle(at[0], at[1]));
    });
    const Array expected = plainRotation(data, 2 * pairs, interleaved != 0, [&](int64_t b, int64_t i, int64_t pair) {
      return angle(static_cast<int64_t>(positions.at({b, i})), pair);
    });
    CompiledNode node(23, "RotaryEmbedding", {data, cosine, sine, positions});
    if (!isWhole) node.with("rotary_embedding_dim", 2 * pairs);
    node.with("interleaved", interleaved).gives({expected});
    // Without positions each place has its own row; here data has its heads in the last dim.
    Array rows({batch, length, pairs}), otherRows({batch, length, pairs});
    forEachIndex(rows.shape, [&](const Shape &at) {
      rows.at(at) = std::cos(angle(static_cast<int64_t>(positions.at({at[0], at[1]})), at[2]));
      otherRows.at(at) = std::sin(angle(static_cast<int64_t>(positions.at({at[0], at[1]})), at[2]));
    });
    CompiledNode(23, "RotaryEmbedding", {withoutHeads(data), rows, otherRows})
        .with("num_heads", heads)
        .with("rotary_embedding_dim", 2 * pairs)
        .with("interleaved", interleaved)
        .gives({withoutHeads(expected)});
  });
}

TEST_F(Attention, RotaryEmbeddingRefusesOddHeads) {
  EvaluatedNode(23, "RotaryEmbedding", {Array({1, 2, 3, 5}), Array({1, 3, 2}), Array({1, 3, 2})})
      .isRefused("of the 5 elements of a head, 5 cannot be turned in pairs");
  EvaluatedNode(23, "RotaryEmbedding", {Array({1, 2, 3, 8}), Array({1, 3, 2}), Array({1, 3, 2})})
      .isRefused("are not those of 4 angles");
}

TEST_F(Attention, TensorScatter) {
  for (const bool isCircular : {false, true}) {
    const int64_t batch = 2, length = between(3, 6), fresh = between(2, length);
    const Shape shape = {batch, between(1, 2), length, between(1, 4)};
    Shape updateShape = shape;
    updateShape[2] = fresh;
    const Array cache = array(shape), update = array(updateShape);
    // The first sample goes on at the start, where that is allowed.
    const double first = static_cast<double>(isCircular ? length - 1 : length - fresh);
    const Array places({batch}, {first, 0}, DType::I64);
    Array expected = cache;
    forEachIndex(updateShape, [&](const Shape &at) {
      Shape place = at;
      place[2] = (static_cast<int64_t>(places.at({at[0]})) + at[2]) % length;
      expected.at(place) = update.at(at);
    });
    CompiledNode(24, "TensorScatter", {cache, update, places})
        .with("mode", isCircular ? "circular" : "linear")
        .gives({expected});
  }
  EvaluatedNode(24, "TensorScatter", {Array({2, 3, 4}), Array({2, 5, 4})}).isRefused("does not fit into axis 1");
}

TEST_F(Attention, LinearAttentionFollowsEveryRule) {
  repeat([&] {
    const int64_t batch = between(1, 2), steps = between(1, 4), heads = between(1, 2), group = between(1, 2);
    const int64_t keySize = between(1, 4), valueSize = between(1, 4);
    const bool decays = random.chance(50), corrects = random.chance(50), hasState = random.chance(50);
    const bool isPerKey = random.chance(50), isShared = random.chance(50);
    const Array query = array({batch, steps, heads * group * keySize}), key = array({batch, steps, heads * keySize});
    const Array value = array({batch, steps, heads * valueSize});
    const Array decay = decays ? array({batch, steps, heads * (isPerKey ? keySize : 1)}) : omitted();
    const Array rate = corrects ? array({batch, steps, isShared ? 1 : heads}) : omitted();
    const Array first = hasState ? array({batch, heads, keySize, valueSize}) : omitted();
    Array state = hasState ? first : Array({batch, heads, keySize, valueSize});
    Array output({batch, steps, heads * group * valueSize});
    for (int64_t t = 0; t < steps; ++t) {
      forEachIndex({batch, heads}, [&](const Shape &at) {
        const int64_t b = at[0], h = at[1];
        if (decays) {
          forEachIndex({keySize, valueSize}, [&](const Shape &dm) {
            state.at({b, h, dm[0], dm[1]}) *= std::exp(decay.at({b, t, isPerKey ? h * keySize + dm[0] : h}));
          });
        }
        for (int64_t m = 0; m < valueSize; ++m) {
          double written = value.at({b, t, h * valueSize + m});
          if (corrects) {
            for (int64_t d = 0; d < keySize; ++d) written -= state.at({b, h, d, m}) * key.at({b, t, h * keySize + d});
            written *= rate.at({b, t, isShared ? 0 : h});
          }
          for (int64_t d = 0; d < keySize; ++d) state.at({b, h, d, m}) += key.at({b, t, h * keySize + d}) * written;
          for (int64_t g = 0; g < group; ++g) {
            double sum = 0;
            for (int64_t d = 0; d < keySize; ++d) {
              sum += query.at({b, t, ((h * group + g) * keySize) + d}) * state.at({b, h, d, m});
            }
            output.at({b, t, (h * group + g) * valueSize + m}) = sum / std::sqrt(static_cast<double>(keySize));
          }
        }
      });
    }
    CompiledNode(27, "LinearAttention", {query, key, value, first, decay, rate}, 2)
        .with("q_num_heads", heads * group)
        .with("kv_num_heads", heads)
        .with("update_rule", decays     ? corrects ? "gated_delta" : "gated"
                             : corrects ? "delta"
                                        : "linear")
        .gives({output, state}, 1e-4);
  });
  const Array data({1, 2, 4});
  EvaluatedNode(27, "LinearAttention", {data, data, data})
      .with("q_num_heads", 2)
      .with("kv_num_heads", 2)
      .isRefused("takes decay and beta");
}

TEST_F(Attention, CausalConvolutionKeepsItsPast) {
  repeat([&] {
    const int64_t batch = between(1, 2), channels = between(1, 3), length = between(1, 5), taps = between(2, 4);
    const bool hasPast = random.chance(50), isSwish = random.chance(50);
    const Array data = array({batch, channels, length}), weight = array({channels, 1, taps}), bias = array({channels});
    const Array past = hasPast ? array({batch, channels, taps - 1}) : omitted();
    const Array whole = joined(hasPast ? past : Array({batch, channels, taps - 1}), data, 2);
    Array expected(data.shape), state({batch, channels, taps - 1});
    forEachIndex(data.shape, [&](const Shape &at) {
      double sum = bias.at({at[1]});
      for (int64_t k = 0; k < taps; ++k) sum += whole.at({at[0], at[1], at[2] + k}) * weight.at({at[1], 0, k});
      expected.at(at) = isSwish ? sum * sigmoid(sum) : sum;
    });
    forEachIndex(state.shape, [&](const Shape &at) { state.at(at) = whole.at({at[0], at[1], length + at[2]}); });
    CompiledNode(27, "CausalConvWithState", {data, weight, bias, past}, 2)
        .with("activation", isSwish ? "silu" : "none")
        .gives({expected, state});
  });
}

TEST_F(Attention, RmsNormalization) {
  repeat([&] {
    const Array data = array({between(1, 3), between(1, 4), between(1, 9)});
    const int64_t axis = between(1, 2);
    const Array scale = array(Shape(data.shape.begin() + axis, data.shape.end()));
    Array expected(data.shape);
    forEachIndex(data.shape, [&](const Shape &at) {
      double squares = 0, count = 0;
      forEachIndex(data.shape, [&](const Shape &other) {
        if (!std::equal(at.begin(), at.begin() + axis, other.begin())) return;
        squares += data.at(other) * data.at(other);
        ++count;
      });
      expected.at(at) = data.at(at) / std::sqrt(squares / count + 0.25) * scale.at(Shape(at.begin() + axis, at.end()));
    });
    CompiledNode(23, "RMSNormalization", {data, scale}).with("axis", axis).with("epsilon", 0.25F).gives({expected});
  });
}

// The squares of float16 are not of its range.
TEST_F(Attention, RmsNormalizationOfLargeShortFloats) {
  const Array data({1, 4}, {1000, -2000, 3000, 4000}, DType::F16), scale({4}, {1, 1, 1, 1}, DType::F16);
  const double root = std::sqrt((1e6 + 4e6 + 9e6 + 16e6) / 4);
  const Array expected({1, 4}, {1000 / root, -2000 / root, 3000 / root, 4000 / root}, DType::F16);
  CompiledNode(23, "RMSNormalization", {data, scale}).gives({expected});
}

// Before version 21 each group has a factor, from then on each channel.
TEST_F(Attention, GroupNormalizationPerGroupAndPerChannel) {
  const int64_t channels = 6, groups = 3, plane = 4;
  const Array data = array({2, channels, plane});
  for (const int64_t opset : {18, 21}) {
    const int64_t factors = opset == 18 ? groups : channels;
    const Array scale = array({factors}), bias = array({factors});
    Array expected(data.shape);
    forEachIndex(data.shape, [&](const Shape &at) {
      const int64_t each = channels / groups, group = at[1] / each;
      double mean = 0, squares = 0;
      forEachIndex({each, plane}, [&](const Shape &cp) {
        const double value = data.at({at[0], group * each + cp[0], cp[1]});
        mean += value / static_cast<double>(each * plane);
        squares += value * value / static_cast<double>(each * plane);
      });
      const int64_t factor = opset == 18 ? group : at[1];
      expected.at(at) =
          (data.at(at) - mean) / std::sqrt(squares - mean * mean + 1e-5) * scale.at({factor}) + bias.at({factor});
    });
    CompiledNode(opset, "GroupNormalization", {data, scale, bias}).with("num_groups", groups).gives({expected});
  }
}

TEST_F(Attention, Activations) {
  const Array x({7}, {-20, -3, -0.5, 0, 0.25, 2, 30}), other = array({7});
  Array exact = x, byTanh = x, swish = x, gated = x;
  for (size_t i = 0; i < 7; ++i) {
    const double v = x.values[i];
    exact.values[i] = 0.5 * v * std::erfc(-v / std::numbers::sqrt2);
    byTanh.values[i] = 0.5 * v * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v)));
    swish.values[i] = v * sigmoid(1.5 * v);
    gated.values[i] = v * sigmoid(1.5 * v) * other.values[i];
  }
  CompiledNode(20, "Gelu", {x}).gives({exact}, 1e-6);
  CompiledNode(20, "Gelu", {x}).with("approximate", "tanh").gives({byTanh}, 1e-6);
  CompiledNode(24, "Swish", {x}).with("alpha", 1.5F).gives({swish}, 1e-6);
  CompiledNode(28, "SwiGLU", {x, other}).with("alpha", 1.5F).gives({gated}, 1e-6);
  EvaluatedNode(20, "Gelu", {x}).with("approximate", "sigmoid").isRefused("is 'sigmoid', not none or tanh");
  EvaluatedNode(28, "SwiGLU", {x, Array({1})}).isRefused("the gate [7] and the data [1] differ");
}

}  // namespace
}  // namespace hone
