// Quantised operators on values where rounding, saturation and zero points show; expected values are written by hand
// from the operators' definitions.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/constants.h"
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/model_builder.h"

namespace hone {
namespace {

using test::ModelBuilder;
using test::setAttribute;
using Values = std::vector<double>;

struct Operand {
  DType dtype;
  graph::Shape shape;
  Values values;
};

/// A model of one node whose operands are inputs, called a, b, …
class OneNode {
 public:
  OneNode(const std::string &op, const std::vector<Operand> &operands, int64_t opset = 13, int outputs = 1)
      : model_(opset) {
    std::vector<std::string> names, results;
    for (const Operand &operand : operands) {
      const std::string name(1, static_cast<char>('a' + names.size()));
      names.push_back(name);
      model_.input(name, operand.dtype, operand.shape);
      inputs_[name] = graph::makeConstant({operand.dtype, operand.shape}, operand.values);
    }
    for (int i = 0; i < outputs; ++i) {
      results.push_back(absl::StrCat("y", i));
      model_.output(results.back());
    }
    node_ = &model_.node(op, names, results);
  }

  template <typename T>
  OneNode &with(const std::string &attribute, const T &value) {
    setAttribute(*node_, attribute, value);
    return *this;
  }

  void gives(const std::vector<Operand> &expected) {
    auto graph = frontend::importModel(model_.bytes(), {});
    ASSERT_TRUE(graph.ok()) << graph.status();
    ASSERT_TRUE(graph::verify(*graph).ok()) << graph::verify(*graph);
    auto outputs = test::evaluateGraph(*graph, inputs_);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (size_t i = 0; i < expected.size(); ++i) {
      const graph::ConstantData &actual = *outputs->at(absl::StrCat("y", i));
      EXPECT_EQ(actual.type, (graph::TensorType{expected[i].dtype, expected[i].shape}));
      Values values;
      for (int64_t k = 0; k < actual.type.elements(); ++k) values.push_back(graph::elementAsDouble(actual, k));
      EXPECT_EQ(values, expected[i].values) << "output " << i;
    }
  }

  void isRefused(const std::string &part) {
    auto graph = frontend::importModel(model_.bytes(), {});
    ASSERT_FALSE(graph.ok());
    EXPECT_TRUE(absl::StrContains(graph.status().message(), part)) << graph.status();
  }

 private:
  ModelBuilder model_;
  onnx::NodeProto *node_;
  std::map<std::string, graph::Constant> inputs_;
};

Operand floats(const graph::Shape &shape, const Values &values) { return {DType::F32, shape, values}; }
Operand bytes(const graph::Shape &shape, const Values &values) { return {DType::U8, shape, values}; }
Operand signedBytes(const graph::Shape &shape, const Values &values) { return {DType::I8, shape, values}; }
Operand words(const graph::Shape &shape, const Values &values) { return {DType::I32, shape, values}; }

TEST(Quantisation, RefusesWhatDoesNotFit) {
  OneNode("QuantizeLinear", {floats({2, 3}, Values(6)), floats({2}, {1, 1})})
      .isRefused("neither one element nor one for");
  OneNode("QuantizeLinear", {floats({2}, {0, 0}), floats({}, {1}), words({}, {0})}).isRefused("8- and 16-bit integers");
  OneNode("DequantizeLinear", {floats({2}, {0, 0}), floats({}, {1})}).isRefused("takes integers");
  OneNode("QLinearMatMul", {words({1, 1}, {0}), floats({}, {1}), bytes({}, {0}), bytes({1, 1}, {0}), floats({}, {1}),
                            bytes({}, {0}), floats({}, {1}), bytes({}, {0})})
      .isRefused("operand 0 is i32[1,1]");
}

TEST(Quantisation, RoundsHalfToEvenAndSaturates) {
  const Operand data = floats({8}, {0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 254.4});
  OneNode("QuantizeLinear", {data, floats({}, {1})}, 10).gives({bytes({8}, {0, 2, 2, 0, 0, 255, 0, 254})});
  // The zero point is added after the rounding: 0.5 + 1 is 1.5, but 0.5 rounds to 0 first.
  OneNode("QuantizeLinear", {data, floats({}, {1}), bytes({}, {1})}).gives({bytes({8}, {1, 3, 3, 1, 0, 255, 0, 255})});
  OneNode("QuantizeLinear", {data, floats({1}, {2}), signedBytes({1}, {-100})})
      .gives({signedBytes({8}, {-100, -99, -99, -100, -101, 50, -128, 27})});
}

TEST(Quantisation, HasScalesAlongAnAxis) {
  const Operand data = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  OneNode("QuantizeLinear", {data, floats({3}, {1, 2, 4}), bytes({3}, {0, 10, 20})})
      .gives({bytes({2, 3}, {1, 11, 21, 4, 12, 22})});  // 5 / 2 and 6 / 4 round to 2
  OneNode("QuantizeLinear", {data, floats({2}, {1, 2}), bytes({2}, {0, 10})})
      .with("axis", -2)
      .gives({bytes({2, 3}, {1, 2, 3, 12, 12, 13})});
  OneNode("DequantizeLinear", {bytes({2, 3}, {0, 1, 255, 3, 4, 5}), floats({2}, {0.5, 2}), bytes({2}, {1, 3})})
      .with("axis", 0)
      .gives({floats({2, 3}, {-0.5, 0, 127, 0, 2, 4})});
}

TEST(Quantisation, DequantisesEveryInteger) {
  OneNode("DequantizeLinear", {signedBytes({3}, {-128, 0, 127}), floats({}, {2}), signedBytes({}, {127})})
      .gives({floats({3}, {-510, -254, 0})});
  // The difference does not fit int32.
  OneNode("DequantizeLinear", {words({2}, {-2147483648.0, 5}), floats({}, {0.25}), words({}, {2147483647})})
      .gives({floats({2}, {-1073741824, -536870912})});
}

TEST(Quantisation, FindsTheScaleOfData) {
  OneNode("DynamicQuantizeLinear", {floats({4}, {-51, 0, 102, 204})}, 11, 3)
      .gives({bytes({4}, {0, 51, 153, 255}), floats({}, {1}), bytes({}, {51})});
  // The range includes 0, on either side.
  OneNode("DynamicQuantizeLinear", {floats({2}, {255, 510})}, 11, 3)
      .gives({bytes({2}, {128, 255}), floats({}, {2}), bytes({}, {0})});
  OneNode("DynamicQuantizeLinear", {floats({2}, {-255, -510})}, 11, 3)
      .gives({bytes({2}, {127, 0}), floats({}, {2}), bytes({}, {255})});
  OneNode("DynamicQuantizeLinear", {floats({2}, {0, 0})}, 11, 3)
      .gives({bytes({2}, {0, 0}), floats({}, {1}), bytes({}, {0})});
}

TEST(Quantisation, MultipliesIntegersOfBothKinds) {
  const Operand rows = bytes({2, 2}, {255, 0, 10, 20}), columns = signedBytes({2, 2}, {-128, 127, 1, -1});
  OneNode("MatMulInteger", {rows, columns}, 10).gives({words({2, 2}, {-32640, 32385, -1260, 1250})});
  // A zero point per row and one per column: [[245, -10], [-10, 0]] x [[-130, 126], [-1, -2]]
  OneNode("MatMulInteger", {rows, columns, bytes({2}, {10, 20}), signedBytes({2}, {2, 1})}, 10)
      .gives({words({2, 2}, {-31840, 30890, 1300, -1260})});
}

TEST(Quantisation, ConvolvesWithZeroPointsAsPadding) {
  const Operand data = bytes({1, 1, 3}, {11, 12, 13}), weight = bytes({2, 1, 2}, {1, 2, 3, 4});
  OneNode("ConvInteger", {data, weight, bytes({}, {10}), bytes({2}, {0, 3})}, 10)
      .with("pads", std::vector<int64_t>{1, 0})
      .gives({words({1, 2, 3}, {2, 5, 8, 1, 2, 3})});
}

TEST(Quantisation, ConvolvesWithAScaleForEachChannel) {
  // Sums 3, 5 and 2, 3; with the bias 4, 6 and -3, -2; scales 0.5 * {1, 4} / 2.
  OneNode("QLinearConv",
          {bytes({1, 1, 3}, {11, 12, 13}), floats({}, {0.5}), bytes({}, {10}), bytes({2, 1, 2}, {1, 1, 3, 4}),
           floats({2}, {1, 4}), bytes({2}, {0, 3}), floats({}, {2}), bytes({}, {7}), words({2}, {1, -5})},
          10)
      .gives({bytes({1, 2, 2}, {8, 9, 4, 5})});  // 1, 1.5 -> 2, -3, -2
}

TEST(Quantisation, MultipliesQuantisedMatrices) {
  OneNode("QLinearMatMul",
          {signedBytes({2, 2}, {1, 2, 3, 4}), floats({2}, {1, 2}), signedBytes({2}, {0, 1}),
           signedBytes({2, 2}, {5, 6, 7, 8}), floats({2}, {0.5, 0.25}), signedBytes({2}, {0, 0}), floats({1}, {4}),
           signedBytes({1}, {-1})},
          10)
      // Sums [[19, 22], [31, 36]]; scales [[1/8, 1/16], [1/4, 1/8]]
      .gives({signedBytes({2, 2}, {1, 0, 7, 3})});  // 2.375, 1.375, 7.75, 4.5 -> 4
}

}  // namespace
}  // namespace hone
