// The operators that ONNX Runtime's optimiser writes (domain com.microsoft), but for its attention's: imported,
// planned, compiled and run, against plain loops over their definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "tests/frontend/compiled_node.h"
#include "tests/frontend/evaluated_node.h"
#include "tests/frontend/microsoft_node.h"
#include "tests/frontend/random_arrays.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using test::EvaluatedNode;
using test::forEachIndex;
using test::microsoft;
using test::omitted;
using test::projection;
using Shape = std::vector<int64_t>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double gelu(double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); }

Array mapped(const Array &data, const std::function<double(double)> &function) {
  Array result = data;
  std::transform(data.values.begin(), data.values.end(), result.values.begin(), function);
  return result;
}

/// (x - mean) / deviation along the last dim, or x / root of the mean square, times \p scale, plus \p shift.
Array normalised(const Array &data, const Array &scale, const Array &shift, bool isCentred, double epsilon) {
  Array result(data.shape);
  const auto size = static_cast<double>(data.shape.back());
  forEachIndex(data.shape, [&](const Shape &at) {
    double mean = 0, squares = 0;
    Shape other = at;
    for (other.back() = 0; other.back() < data.shape.back(); ++other.back()) {
      mean += isCentred ? data.at(other) / size : 0;
      squares += data.at(other) * data.at(other) / size;
    }
    const double deviation = std::sqrt(squares - mean * mean + epsilon);
    const int64_t i = at.back();
    result.at(at) = (data.at(at) - mean) / deviation * scale.at({i}) + (isCentred ? shift.at({i}) : 0);
  });
  return result;
}

class Microsoft : public test::RandomArrays {};

// ------------------------------------------------------------------------------------------------------- products

TEST_F(Microsoft, FusedMatMulTransposesMatricesAndBatches) {
  const int64_t batch = 2, rows = 3, depth = 4, columns = 5;
  for (int form = 0; form < 4; ++form) {
    SCOPED_TRACE(form);
    const bool turnsBatch = form % 2 != 0, turnsMatrix = form / 2 != 0;
    // Element [batch, row, depth] lies where the transposes take it from: the matrix's after the batch's.
    const auto place = [&](int64_t b, int64_t row, int64_t column) {
      if (turnsMatrix) std::swap(row, column);
      return turnsBatch ? Shape{row, b, column} : Shape{b, row, column};
    };
    const auto extents = [&](int64_t r, int64_t c) { return place(batch, r, c); };
    const Array a = array(extents(rows, depth)), b = array(extents(depth, columns));
    Array expected({batch, rows, columns});
    forEachIndex(expected.shape, [&](const Shape &at) {
      for (int64_t k = 0; k < depth; ++k) {
        expected.at(at) += 0.5 * a.at(place(at[0], at[1], k)) * b.at(place(at[0], k, at[2]));
      }
    });
    microsoft("FusedMatMul", {a, b})
        .with("transA", turnsMatrix ? 1 : 0)
        .with("transB", turnsMatrix ? 1 : 0)
        .with("transBatchA", turnsBatch ? 1 : 0)
        .with("transBatchB", turnsBatch ? 1 : 0)
        .with("alpha", 0.5F)
        .gives({expected});
  }
}

TEST_F(Microsoft, FusedGemmAndItsActivations) {
  const Array a = array({3, 4}), b = array({4, 5}), c = array({5});
  const Array sum = projection(a, b, c);
  microsoft("FusedGemm", {a, b, c}).with("activation", "Relu").gives({mapped(sum, [](double x) {
    return std::max(x, 0.0);
  })});
  microsoft("FusedGemm", {a, b, c})
      .with("activation", "LeakyRelu")
      .with("activation_alpha", 0.25F)
      .gives({mapped(sum, [](double x) { return x < 0 ? 0.25 * x : x; })});
  microsoft("FusedGemm", {a, b, c}).with("activation", "Tanh").gives({mapped(sum, [](double x) {
    return std::tanh(x);
  })});
  microsoft<EvaluatedNode>("FusedGemm", {a, b, c}).with("activation", "Selu").isRefused("activation 'Selu'");
}

/// A 3 x 3 convolution of [batch, channels, height, width] with a border of zeros.
Array convolution(const Array &data, const Array &weight, const Array &bias) {
  Array result({data.shape[0], weight.shape[0], data.shape[2], data.shape[3]});
  forEachIndex(result.shape, [&](const Shape &at) {
    result.at(at) = bias.at({at[1]});
    forEachIndex({weight.shape[1], 3, 3}, [&](const Shape &tap) {
      const int64_t y = at[2] + tap[1] - 1, x = at[3] + tap[2] - 1;
      if (y < 0 || x < 0 || y >= data.shape[2] || x >= data.shape[3]) return;
      result.at(at) += data.at({at[0], tap[0], y, x}) * weight.at({at[1], tap[0], tap[1], tap[2]});
    });
  });
  return result;
}

Array channelsLast(const Array &data) {
  Array result({data.shape[0], data.shape[2], data.shape[3], data.shape[1]});
  forEachIndex(data.shape, [&](const Shape &at) { result.at({at[0], at[2], at[3], at[1]}) = data.at(at); });
  return result;
}

TEST_F(Microsoft, FusedConvAddsInFrontOfTheActivation) {
  const Array data = array({1, 2, 5, 4}), weight = array({3, 2, 3, 3}), bias = array({3}), added = array({1, 3, 5, 4});
  const Shape pads = {1, 1, 1, 1};
  const Array plain = convolution(data, weight, bias);
  Array sum = plain;
  for (size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += added.values[i];
  const auto clip = [](double x) { return std::clamp(x, -0.25, 0.5); };
  microsoft("FusedConv", {data, weight, bias, added})
      .with("pads", pads)
      .with("activation", "Clip")
      .with("activation_params", std::vector<float>{-0.25F, 0.5F})
      .gives({mapped(sum, clip)});
  microsoft("NhwcConv", {channelsLast(data), weight, bias}).with("pads", pads).gives({channelsLast(plain)});
  microsoft("NhwcFusedConv", {channelsLast(data), weight, bias, channelsLast(added)})
      .with("pads", pads)
      .with("activation", "Sigmoid")
      .gives({mapped(channelsLast(sum), sigmoid)});
}

// ------------------------------------------------------------------------------------- activations and normalisations

TEST_F(Microsoft, Gelus) {
  const Array data({2, 4}, {-9, -2, -0.5, 0, 0.25, 1, 3, 12}), bias({4}, {0.5, -1, 0, 2});
  Array sum = data;
  for (size_t i = 0; i < 8; ++i) sum.values[i] += bias.values[i % 4];
  const auto byTanh = [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  };
  microsoft("Gelu", {data}).gives({mapped(data, gelu)});
  microsoft("BiasGelu", {data, bias}).gives({mapped(sum, gelu)});
  microsoft("FastGelu", {data}).gives({mapped(data, byTanh)});
  microsoft("FastGelu", {data, bias}).gives({mapped(sum, byTanh)});
  microsoft("QuickGelu", {data}).gives({mapped(data, [](double x) { return x * sigmoid(1.702 * x); })});
  Array halves({2, 2});
  forEachIndex(halves.shape, [&](const Shape &at) { halves.at(at) = sum.at(at) * gelu(sum.at({at[0], at[1] + 2})); });
  microsoft("BiasSplitGelu", {data, bias}).gives({halves});
}

TEST_F(Microsoft, SkipLayerNormalizations) {
  const Array data = array({2, 3, 8}), skip = array({3, 8}), scale = array({8}), shift = array({8}), bias = array({8});
  Array sum = data;
  forEachIndex(sum.shape, [&](const Shape &at) { sum.at(at) += skip.at({at[1], at[2]}) + bias.at({at[2]}); });
  const auto unread = [](CompiledNode node) {  // outputs 1 and 2 have no names
    onnx::GraphProto &graph = *node.model.model.mutable_graph();
    for (int i : {1, 2}) node.node().set_output(i, "");
    graph.mutable_output()->DeleteSubrange(1, 2);
    return node;
  };
  unread(microsoft("SkipLayerNormalization", {data, skip, scale, shift, bias}, 4))
      .with("epsilon", 0.125F)
      .gives({normalised(sum, scale, shift, true, 0.125), sum});
  unread(microsoft("SkipSimplifiedLayerNormalization", {data, skip, scale, bias}, 4))
      .with("epsilon", 0.125F)
      .gives({normalised(sum, scale, shift, false, 0.125), sum});
  microsoft<EvaluatedNode>("SkipLayerNormalization", {data, data, scale}, 2).isRefused("which only training reads");
}

// The optimiser writes these two into ONNX's own domain, in opsets that do not have them.
TEST_F(Microsoft, NormalizationsInOnnxsOwnDomain) {
  const Array data = array({2, 3, 8}), scale = array({8}), shift = array({8});
  CompiledNode(13, "LayerNormalization", {data, scale, shift}).gives({normalised(data, scale, shift, true, 1e-5)});
  CompiledNode(17, "SimplifiedLayerNormalization", {data, scale})
      .with("epsilon", 0.125F)
      .gives({normalised(data, scale, shift, false, 0.125)});
}

TEST_F(Microsoft, EmbedLayerNormalizationAddsRowsAndCountsWords) {
  const int64_t batch = 2, length = 5, size = 8;
  const Array words = integers({batch, length}, 0, 8), segments = integers({batch, length}, 0, 1);
  const Array table = array({9, size}), places = array({7, size}), kinds = array({2, size});
  const Array scale = array({size}), shift = array({size});
  const Array mask({batch, length}, {1, 1, 1, 0, 0, 1, 0, 0, 0, 0}, DType::I32), counts({batch}, {3, 1}, DType::I32);
  Array sum({batch, length, size});
  forEachIndex(sum.shape, [&](const Shape &at) {
    const auto word = static_cast<int64_t>(words.at({at[0], at[1]}));
    const auto kind = static_cast<int64_t>(segments.at({at[0], at[1]}));
    sum.at(at) = table.at({word, at[2]}) + places.at({at[1], at[2]}) + kinds.at({kind, at[2]});
  });
  microsoft("EmbedLayerNormalization", {words, segments, table, places, kinds, scale, shift, mask}, 3)
      .with("epsilon", 0.125F)
      .gives({normalised(sum, scale, shift, true, 0.125), counts, sum});
  microsoft<EvaluatedNode>("EmbedLayerNormalization", {words, segments, table}).isRefused("operand 3 is missing");
}

// ----------------------------------------------------------------------------------------------------- block weights

/// Integer \p position of the packed ones in the row of bytes that begins at \p first.
int64_t unpacked(const Array &bytes, size_t first, int64_t position, int64_t bits) {
  const auto byte = static_cast<int64_t>(bytes.values[first + static_cast<size_t>(position * bits / 8)]);
  return byte >> (position * bits % 8) & ((1 << bits) - 1);
}

// With many rows of data the weights are made numbers first; packed, they lie in tiles of columns where those fit.
TEST_F(Microsoft, MatMulNBitsWithBlocksThatAreNotFull) {
  const int64_t depth = 40, size = 16, blocks = 3;
  for (const int64_t bits : {2, 4, 8}) {
    SCOPED_TRACE(bits);
    const int64_t columns = bits == 4 ? 128 : 5;
    const int64_t rowBytes = blocks * size * bits / 8, zeroBytes = (blocks * bits + 7) / 8;
    const Array few = array({2, 3, depth}), many = array({12, depth});
    const Array scales = array({columns * blocks}), bias = array({columns});
    const Array weights = integers({columns, blocks, size * bits / 8}, 0, 255, DType::U8);
    const Array zeros = integers({columns * zeroBytes}, 0, 255, DType::U8);
    for (const bool hasZeros : {false, true}) {
      Array real({depth, columns});
      forEachIndex(real.shape, [&](const Shape &at) {
        const int64_t block = at[0] / size;
        const int64_t weight = unpacked(weights, static_cast<size_t>(at[1] * rowBytes), at[0], bits);
        const int64_t zero =
            hasZeros ? unpacked(zeros, static_cast<size_t>(at[1] * zeroBytes), block, bits) : int64_t{1} << (bits - 1);
        real.at(at) = static_cast<double>(weight - zero) * scales.at({at[1] * blocks + block});
      });
      for (const Array *data : {&few, &many}) {
        microsoft("MatMulNBits", {*data, weights, scales, hasZeros ? zeros : omitted(), omitted(), bias})
            .with("K", depth)
            .with("N", columns)
            .with("bits", bits)
            .with("block_size", size)
            .gives({projection(*data, real, bias)}, 1e-4);
      }
    }
  }
  microsoft<EvaluatedNode>(
      "MatMulNBits", {Array({1, 16}), Array({4, 1, 8}, DType::U8), Array({4}), omitted(), Array({16}, DType::I32)})
      .with("K", 16)
      .with("N", 4)
      .with("block_size", 16)
      .isRefused("g_idx");
}

TEST_F(Microsoft, GatherBlockQuantizedReadsRows) {
  const int64_t columns = 32, size = 16;
  const Array table = integers({7, columns / 2}, 0, 255, DType::U8), scales = array({7, 2});
  const Array zeros = integers({7, 1}, 0, 255, DType::U8), rows({2, 2}, {1, 3, 6, 0}, DType::I64);
  Array expected({2, 2, columns});
  forEachIndex(expected.shape, [&](const Shape &at) {
    const auto row = static_cast<int64_t>(rows.at({at[0], at[1]}));
    const int64_t block = at[2] / size;
    const int64_t value = unpacked(table, static_cast<size_t>(row * columns / 2), at[2], 4);
    expected.at(at) =
        static_cast<double>(value - unpacked(zeros, static_cast<size_t>(row), block, 4)) * scales.at({row, block});
  });
  microsoft("GatherBlockQuantized", {table, rows, scales, zeros}).with("block_size", size).gives({expected});
}

// What is not supported says what to do.
TEST_F(Microsoft, OtherOperatorsNameTheWayOut) {
  microsoft<EvaluatedNode>("LongformerAttention", {Array({1})}).isRefused("in front of ONNX Runtime's optimiser");
  microsoft<EvaluatedNode>("GroupQueryAttention", {Array({1, 2, 8}), Array({1, 2, 8}), Array({1, 2, 8})})
      .isRefused("operand 5 is missing");
}

}  // namespace
}  // namespace hone
