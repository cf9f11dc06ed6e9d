// ONNX Runtime's attention operators (domain com.microsoft): imported, planned, compiled and run, against plain loops
// over their definitions.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/frontend/compiled_node.h"
#include "tests/frontend/evaluated_node.h"
#include "tests/frontend/microsoft_node.h"
#include "tests/frontend/plain_attention.h"
#include "tests/frontend/random_arrays.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using test::EvaluatedNode;
using test::forEachIndex;
using test::lastPart;
using test::microsoft;
using test::omitted;
using test::PlainAttention;
using test::projection;
using Shape = std::vector<int64_t>;

constexpr double kHidden = -std::numeric_limits<double>::infinity();
constexpr double kMasked = -10000;

class MicrosoftAttention : public test::RandomArrays {};

/// Attention over two heads of 4 elements, with a projection in front of it, for all forms of its mask.
TEST_F(MicrosoftAttention, AttentionWithEveryMask) {
  const int64_t batch = 2, length = 3, heads = 2, hidden = 8;
  const Array data = array({batch, length, 6}), weights = array({6, 3 * hidden}), bias = array({3 * hidden});
  const Array projected = projection(data, weights, bias);
  PlainAttention a;
  a.query = withHeads(lastPart(projected, 0, hidden), heads);
  a.key = withHeads(lastPart(projected, hidden, hidden), heads);
  a.value = withHeads(lastPart(projected, 2 * hidden, hidden), heads);
  a.scale = 0.5;
  struct Form {
    Array mask;
    std::function<bool(int64_t b, int64_t i, int64_t j)> sees;
  };
  const Array keys({batch, length}, {1, 1, 0, 0, 1, 0}, DType::I32), each = integers({batch, length, length}, 0, 1);
  const Form forms[] = {
      {omitted(), [](int64_t, int64_t, int64_t) { return true; }},
      {keys, [&](int64_t b, int64_t, int64_t j) { return keys.at({b, j}) != 0; }},
      {each, [&](int64_t b, int64_t i, int64_t j) { return each.at({b, i, j}) != 0; }},
      {Array({2}, {2, 1}, DType::I32), [](int64_t b, int64_t, int64_t j) { return j < (b == 0 ? 2 : 1); }},
      {Array({4}, {3, 2, 1, 0}, DType::I32), [](int64_t b, int64_t, int64_t j) { return b == 0 ? j >= 1 : j < 2; }},
  };
  for (size_t form = 0; form < std::size(forms); ++form) {
    SCOPED_TRACE(form);
    const bool isCausal = form % 2 != 0;
    a.bias = [&](int64_t b, int64_t, int64_t i, int64_t j) {
      return (forms[form].sees(b, i, j) ? 0 : kMasked) + (isCausal && j > i ? kHidden : 0);
    };
    microsoft("Attention", {data, weights, bias, forms[form].mask})
        .with("num_heads", heads)
        .with("unidirectional", isCausal ? 1 : 0)
        .gives({withoutHeads(plainAttention(a).output)}, 1e-4);
  }
  microsoft<EvaluatedNode>("Attention", {data, weights, bias, Array({2, 1, 3, 3}, DType::I32)})
      .with("num_heads", heads)
      .isRefused("a mask of shape [2,1,3,3]");
}

TEST_F(MicrosoftAttention, AttentionWithPastAndBias) {
  const int64_t batch = 2, length = 3, heads = 2, size = 4, past = 2;
  const Array data = array({batch, length, 6}), weights = array({6, 24}), bias = array({24});
  const Array before = array({2, batch, heads, past, size}), added = array({1, heads, length, past + length});
  const Array projected = projection(data, weights, bias);
  const auto joinedWith = [&](int64_t which) {
    const Array fresh = withHeads(lastPart(projected, (which + 1) * 8, 8), heads);
    Array old({batch, heads, past, size});
    forEachIndex(old.shape, [&](const Shape &at) { old.at(at) = before.at({which, at[0], at[1], at[2], at[3]}); });
    return joined(old, fresh, 2);
  };
  PlainAttention a;
  a.query = withHeads(lastPart(projected, 0, 8), heads);
  a.key = joinedWith(0);
  a.value = joinedWith(1);
  a.scale = 0.25;
  a.bias = [&](int64_t, int64_t h, int64_t i, int64_t j) {
    return added.at({0, h, i, j}) + (j > past + i ? kHidden : 0);
  };
  Array present({2, batch, heads, past + length, size});
  forEachIndex(present.shape, [&](const Shape &at) {
    present.at(at) = (at[0] == 0 ? a.key : a.value).at({at[1], at[2], at[3], at[4]});
  });
  microsoft("Attention", {data, weights, bias, omitted(), before, added}, 2)
      .with("num_heads", heads)
      .with("unidirectional", 1)
      .with("scale", 0.25F)
      .gives({withoutHeads(plainAttention(a).output), present}, 1e-4);
}

TEST_F(MicrosoftAttention, QAttentionMultipliesIntegers) {
  const int64_t batch = 2, length = 3, heads = 2;
  const Array data = integers({batch, length, 6}, 0, 255, DType::U8), weights = integers({6, 24}, -128, 127, DType::I8);
  const Array bias = array({24}), dataScale({}, {0.015625}), dataZero({}, {120}, DType::U8);
  Array weightScale({24}), scaledData(data.shape), scaledWeights(weights.shape);
  for (double &scale : weightScale.values) scale = random.real(0.005, 0.02);
  for (double &scale : weightScale.values) scale = static_cast<float>(scale);
  forEachIndex(data.shape, [&](const Shape &at) { scaledData.at(at) = (data.at(at) - 120) * 0.015625; });
  forEachIndex(weights.shape,
               [&](const Shape &at) { scaledWeights.at(at) = weights.at(at) * weightScale.at({at[1]}); });
  const Array projected = projection(scaledData, scaledWeights, bias);
  PlainAttention a;
  a.query = withHeads(lastPart(projected, 0, 8), heads);
  a.key = withHeads(lastPart(projected, 8, 8), heads);
  a.value = withHeads(lastPart(projected, 16, 8), heads);
  a.scale = 0.5;
  microsoft("QAttention", {data, weights, bias, dataScale, weightScale, omitted(), dataZero})
      .with("num_heads", heads)
      .gives({withoutHeads(plainAttention(a).output)}, 1e-4);
}

TEST_F(MicrosoftAttention, MultiHeadAttentionInEveryPacking) {
  const int64_t batch = 2, queries = 3, keys = 5, heads = 2, size = 4, hidden = heads * size;
  const Array query = array({batch, queries, hidden}), key = array({batch, keys, hidden});
  const Array value = array({batch, keys, hidden}), bias = array({3 * hidden});
  const Array mask({batch, keys}, {1, 1, 0, 1, 0, 1, 0, 0, 0, 0}, DType::I32);
  const auto biased = [&](const Array &data, int64_t start) {
    Array result = data;
    forEachIndex(data.shape, [&](const Shape &at) { result.at(at) += bias.at({start + at[2]}); });
    return withHeads(result, heads);
  };
  PlainAttention a;
  a.query = biased(query, 0);
  a.key = biased(key, hidden);
  a.value = biased(value, 2 * hidden);
  a.scale = 0.5;
  a.bias = [&](int64_t b, int64_t, int64_t, int64_t j) { return mask.at({b, j}) != 0 ? 0 : kMasked; };
  microsoft("MultiHeadAttention", {query, key, value, bias, mask})
      .with("num_heads", heads)
      .gives({withoutHeads(plainAttention(a).output)});
  // Without bias: keys and values in one, and as an encoder leaves them.
  a.query = withHeads(query, heads);
  a.key = withHeads(key, heads);
  a.value = withHeads(value, heads);
  a.bias = nullptr;
  Array both({batch, keys, heads, 2, size});
  forEachIndex(both.shape,
               [&](const Shape &at) { both.at(at) = (at[3] == 0 ? a.key : a.value).at({at[0], at[2], at[1], at[4]}); });
  const Array expected = withoutHeads(plainAttention(a).output);
  microsoft("MultiHeadAttention", {query, both}).with("num_heads", heads).gives({expected});
  microsoft("MultiHeadAttention", {query, a.key, a.value}).with("num_heads", heads).gives({expected});
  microsoft<EvaluatedNode>("MultiHeadAttention", {query, key})
      .with("num_heads", heads)
      .isRefused("keys without values");
}

TEST_F(MicrosoftAttention, MultiHeadAttentionWithPast) {
  const int64_t batch = 2, queries = 3, heads = 2, size = 4, past = 2;
  const Array query = array({batch, queries, 8}), key = array({batch, queries, 8}), value = array({batch, queries, 8});
  const Array pastKey = array({batch, heads, past, size}), pastValue = array({batch, heads, past, size});
  PlainAttention a;
  a.query = withHeads(query, heads);
  a.key = joined(pastKey, withHeads(key, heads), 2);
  a.value = joined(pastValue, withHeads(value, heads), 2);
  a.scale = 0.5;
  a.bias = [&](int64_t, int64_t, int64_t i, int64_t j) { return j > past + i ? kHidden : 0; };
  microsoft("MultiHeadAttention", {query, key, value, omitted(), omitted(), omitted(), pastKey, pastValue}, 3)
      .with("num_heads", heads)
      .with("unidirectional", 1)
      .gives({withoutHeads(plainAttention(a).output), a.key, a.value});
}

// ------------------------------------------------------------------------------------------------- grouped queries

/// A step of GroupQueryAttention: samples of different lengths, rotary positions, a window.
class GroupQuery : public MicrosoftAttention {
 protected:
  /// The cosines or sines of 12 places.
  Array table(double (*function)(double)) const {
    Array result({12, kSize / 2});
    forEachIndex(result.shape, [&](const Shape &at) { result.at(at) = function(angle(at[0], at[1])); });
    return result;
  }
  static double angle(int64_t place, int64_t pair) { return 0.25 * static_cast<double>(place * (pair + 1)); }

  static constexpr int64_t kHeads = 4, kKeyHeads = 2, kSize = 8;
};

TEST_F(GroupQuery, StepsWithSamplesOfDifferentLengths) {
  const int64_t batch = 2, fresh = 2, past = 4, total = 6;
  for (const int64_t window : {int64_t{-1}, int64_t{3}}) {
    SCOPED_TRACE(window);
    const Array query = array({batch, fresh, kHeads * kSize}), key = array({batch, fresh, kKeyHeads * kSize});
    const Array value = array({batch, fresh, kKeyHeads * kSize}), pastKey = array({batch, kKeyHeads, past, kSize});
    const Array pastValue = array({batch, kKeyHeads, past, kSize});
    const Array last({batch}, {5, 3}, DType::I32);  // sample 0 has 6 keys, sample 1 has 4
    const auto before = [&](int64_t b) { return static_cast<int64_t>(last.at({b})) + 1 - fresh; };
    const auto turned = [&](const Array &data, int64_t heads) {
      return plainRotation(withHeads(data, heads), kSize, false,
                           [&](int64_t b, int64_t i, int64_t pair) { return angle(before(b) + i, pair); });
    };
    const auto cache = [&](const Array &old, const Array &added) {
      Array result({batch, kKeyHeads, total, kSize});
      forEachIndex(result.shape, [&](const Shape &at) {
        const int64_t place = at[2] - before(at[0]);
        if (place < 0) result.at(at) = old.at(at);
        if (place >= 0 && place < fresh) result.at(at) = added.at({at[0], at[1], place, at[3]});
      });
      return result;
    };
    PlainAttention a;
    a.query = turned(query, kHeads);
    a.key = cache(pastKey, turned(key, kKeyHeads));
    a.value = cache(pastValue, withHeads(value, kKeyHeads));
    a.scale = 1 / std::sqrt(8.0);
    a.bias = [&](int64_t b, int64_t, int64_t i, int64_t j) {
      const int64_t place = before(b) + i;
      return j > place || (window > 0 && j <= place - window) ? kHidden : 0;
    };
    CompiledNode node = microsoft("GroupQueryAttention", {query, key, value, pastKey, pastValue, last}, 3);
    node.constant("total", std::vector<int64_t>{total});
    for (const auto &[name, values] : {std::pair("cosines", table(std::cos)), std::pair("sines", table(std::sin))}) {
      node.model.floats(name, values.shape, {values.values.begin(), values.values.end()});
      node.operand(name);
    }
    node.with("num_heads", kHeads)
        .with("kv_num_heads", kKeyHeads)
        .with("do_rotary", 1)
        .with("local_window_size", window)
        .gives({withoutHeads(plainAttention(a).output), a.key, a.value});
  }
}

TEST_F(GroupQuery, BeginsWithAllInOneOperand) {
  const int64_t batch = 2, length = 3;
  const Array packed = array({batch, length, (kHeads + 2 * kKeyHeads) * kSize});
  PlainAttention a;
  a.query = withHeads(lastPart(packed, 0, kHeads * kSize), kHeads);
  a.key = withHeads(lastPart(packed, kHeads * kSize, kKeyHeads * kSize), kKeyHeads);
  a.value = withHeads(lastPart(packed, (kHeads + kKeyHeads) * kSize, kKeyHeads * kSize), kKeyHeads);
  a.scale = 0.75;
  a.softcap = 0.5;
  a.bias = [](int64_t, int64_t, int64_t i, int64_t j) { return j > i ? kHidden : 0; };
  const Array last({batch}, {2, 2}, DType::I32);
  const auto node = [&](std::vector<int64_t> total) {
    CompiledNode result =
        microsoft("GroupQueryAttention", {packed, omitted(), omitted(), omitted(), omitted(), last}, 3);
    result.constant("total", total).with("num_heads", kHeads).with("kv_num_heads", kKeyHeads);
    return result;
  };
  node({length})
      .with("scale", 0.75F)
      .with("softcap", 0.5F)
      .gives({withoutHeads(plainAttention(a).output), a.key, a.value});
  const auto refused = node({length + 1}).run();
  EXPECT_EQ(refused.status().message(),
            "node 'node_y0' (GroupQueryAttention): 4 keys, but only the 3 new ones are given");
}

TEST_F(MicrosoftAttention, RotaryEmbeddingTakesPlaces) {
  const int64_t batch = 2, heads = 2, length = 3, size = 8;
  const Array data = array({batch, length, heads * size});
  Array cosines({12, size / 2}), sines({12, size / 2});
  const auto angle = [](int64_t place, int64_t pair) { return 0.25 * static_cast<double>(place * (pair + 1)); };
  forEachIndex(cosines.shape, [&](const Shape &at) {
    cosines.at(at) = std::cos(angle(at[0], at[1]));
    sines.at(at) = std::sin(angle(at[0], at[1]));
  });
  const Array places({batch, length}, {0, 1, 2, 5, 3, 9}, DType::I64), start({1}, {4}, DType::I64);
  const auto turned = [&](bool isInterleaved, const std::function<int64_t(int64_t b, int64_t i)> &place) {
    return withoutHeads(plainRotation(withHeads(data, heads), size, isInterleaved,
                                      [&](int64_t b, int64_t i, int64_t pair) { return angle(place(b, i), pair); }));
  };
  microsoft("RotaryEmbedding", {data, places, cosines, sines})
      .with("interleaved", 1)
      .gives({turned(true, [&](int64_t b, int64_t i) { return static_cast<int64_t>(places.at({b, i})); })});
  microsoft("RotaryEmbedding", {data, start, cosines, sines}).gives({turned(false, [](int64_t, int64_t i) {
    return 4 + i;
  })});
}

}  // namespace
}  // namespace hone
