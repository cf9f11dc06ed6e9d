// Builder: graphs in few characters, for tests; and what tests do with them. One thread; owns its graph.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate_graph.h"
#include "compiler/graph/graph.h"
#include "gtest/gtest.h"

namespace hone::graph {

struct Builder {
  Graph graph;

  Builder() { graph.name = "test"; }

  ValueId input(const std::string &name, Shape shape, DType dtype = DType::F32) {
    ValueId value = graph.addValue(name, {dtype, std::move(shape)});
    graph.inputs.push_back({name, value});
    return value;
  }
  ValueId constant(const std::string &name, Shape shape, const std::vector<double> &elements,
                   DType dtype = DType::F32) {
    return graph.addConstant(name, makeConstant({dtype, std::move(shape)}, elements));
  }
  ValueId number(double number, DType dtype = DType::F32) {
    return graph.addConstant("", makeFilled({dtype, {}}, number));
  }
  /// Elements that mostly differ, also from those of other names, and are not 0.
  ValueId weights(const std::string &name, Shape shape) {
    TensorType type{DType::F32, std::move(shape)};
    std::vector<double> elements;
    for (int64_t i = 0; i < type.elements(); ++i)
      elements.push_back(0.5 + 0.25 * static_cast<double>((i * 7 + name.back()) % 11));
    return graph.addConstant(name, makeConstant(type, elements));
  }

  ValueId apply(ScalarOp op, std::vector<ValueId> inputs) {
    return graph.add(Op::Elementwise, std::move(inputs), ElementwiseAttributes{op}, "");
  }
  ValueId add(ValueId a, ValueId b) { return apply(ScalarOp::Add, {a, b}); }
  ValueId sub(ValueId a, ValueId b) { return apply(ScalarOp::Sub, {a, b}); }
  ValueId mul(ValueId a, ValueId b) { return apply(ScalarOp::Mul, {a, b}); }
  ValueId div(ValueId a, ValueId b) { return apply(ScalarOp::Div, {a, b}); }
  ValueId cast(ValueId a, DType dtype) { return graph.add(Op::Cast, {a}, {}, "", TensorType{dtype, shape(a)}); }
  ValueId reshape(ValueId a, Shape to) {
    return graph.add(Op::Reshape, {a}, {}, "", TensorType{dtype(a), std::move(to)});
  }
  ValueId broadcast(ValueId a, Shape to) {
    return graph.add(Op::Broadcast, {a}, {}, "", TensorType{dtype(a), std::move(to)});
  }
  ValueId transpose(ValueId a, std::vector<int64_t> permutation) {
    return graph.add(Op::Transpose, {a}, TransposeAttributes{std::move(permutation)}, "");
  }
  ValueId reduce(ReduceKind kind, ValueId a, std::vector<int64_t> axes, bool keepDims = true) {
    return graph.add(Op::Reduce, {a}, ReduceAttributes{kind, std::move(axes), keepDims}, "");
  }
  ValueId conv(ValueId data, ValueId weight, int64_t pad = 0, int64_t groups = 1) {
    return graph.add(Op::Conv, {data, weight}, ConvAttributes{{1, 1}, {1, 1}, {pad, pad, pad, pad}, groups}, "");
  }
  ValueId matmul(ValueId a, ValueId b, MatMulAttributes attributes = {}) {
    return graph.add(Op::MatMul, {a, b}, attributes, "");
  }
  Graph &output(ValueId value) {
    graph.outputs.push_back({graph.outputs.empty() ? "out" : "out" + std::to_string(graph.outputs.size()), value});
    return graph;
  }

  const Shape &shape(ValueId value) const { return graph.values.at(static_cast<size_t>(value)).type.shape; }
  DType dtype(ValueId value) const { return graph.values.at(static_cast<size_t>(value)).type.dtype; }
};

/// Deterministic numbers of a few magnitudes for the inputs of \p graph; integers are small and not negative.
inline std::vector<Constant> sampleInputs(const Graph &graph) {
  std::vector<Constant> inputs;
  uint64_t state = 12345;
  for (const Port &port : graph.inputs) {
    const TensorType &type = graph.values.at(static_cast<size_t>(port.value)).type;
    std::vector<double> elements;
    for (int64_t i = 0; i < type.elements(); ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      double unit = static_cast<double>(state >> 33) / static_cast<double>(uint64_t{1} << 31);
      elements.push_back(isFloat(type.dtype) ? 4 * unit - 2 : std::floor(2 * unit));
    }
    inputs.push_back(makeConstant(type, elements));
  }
  return inputs;
}

/// Both compute the same on the same inputs, but for rounding.
inline void expectSameResults(const Graph &before, const Graph &after, double tolerance = 2e-5) {
  std::vector<Constant> inputs = sampleInputs(before);
  const absl::StatusOr<std::vector<Constant>> ofBefore = evaluateOutputs(before, inputs);
  const absl::StatusOr<std::vector<Constant>> ofAfter = evaluateOutputs(after, inputs);
  ASSERT_TRUE(ofBefore.ok() && ofAfter.ok()) << ofBefore.status() << ofAfter.status();
  const std::vector<Constant> &expected = *ofBefore, &found = *ofAfter;
  ASSERT_EQ(expected.size(), found.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(expected[i]->type, found[i]->type);
    double largest = 1;
    for (int64_t j = 0; j < expected[i]->type.elements(); ++j) {
      double element = std::fabs(elementAsDouble(*expected[i], j));
      if (std::isfinite(element)) largest = std::max(largest, element);
    }
    for (int64_t j = 0; j < expected[i]->type.elements(); ++j) {
      double a = elementAsDouble(*expected[i], j), b = elementAsDouble(*found[i], j);
      bool same = a == b || std::fabs(a - b) <= tolerance * largest || (std::isnan(a) && std::isnan(b));
      ASSERT_TRUE(same) << "output " << i << " element " << j << ": " << a << " became " << b;
    }
  }
}

/// The printed nodes, without the lines about inputs and constants.
inline std::string nodeLines(const Graph &graph) {
  std::string text = print(graph), lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    std::string line = text.substr(begin, end - begin);
    if (line[0] == '%' || line.rfind("output", 0) == 0) lines += line + "\n";
    begin = end + 1;
  }
  return lines;
}

}  // namespace hone::graph
