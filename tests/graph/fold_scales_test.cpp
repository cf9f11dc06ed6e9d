// Scales and shifts around convolutions and matrix products: where they go, and that the result stays.
#include <functional>
#include <string>

#include "compiler/graph/passes.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

struct Case {
  std::string name;
  std::function<ValueId(Builder &)> build;
  std::string expected;
};

void PrintTo(const Case &test, std::ostream *stream) { *stream << test.name; }

class FoldScales : public testing::TestWithParam<Case> {};

TEST_P(FoldScales, GivesTheExpectedText) {
  Builder builder;
  Graph before = builder.output(GetParam().build(builder));
  Graph after = before;
  ASSERT_TRUE(foldScales(after).ok());
  ASSERT_TRUE(verify(after).ok()) << verify(after);
  EXPECT_EQ(nodeLines(after), GetParam().expected) << "before:\n" << print(before) << "after:\n" << print(after);
  expectSameResults(before, after);
}

using B = Builder;

ValueId image(B &b) { return b.input("x", {1, 4, 5, 5}); }
std::string convLine(const std::string &operands, int pad, int groups = 1) {
  std::string p = std::to_string(pad), extent = std::to_string(3 + 2 * pad);
  return "%1 = conv(" + operands + ") {strides [1,1], pads [" + p + "," + p + "," + p + "," + p + "], groups " +
         std::to_string(groups) + "} : f32[1,2," + extent + "," + extent + "]\noutput \"out\" = %1\n";
}
std::string twoLines(const std::string &first, const std::string &second) {
  return "%1 = " + first + "\n%2 = " + second + "\noutput \"out\" = %2\n";
}
/// Weights that are integers: their products with integers are exact.
ValueId whole(B &b, const Shape &shape) {
  const auto count = static_cast<size_t>(TensorType{DType::F32, shape}.elements());
  return b.constant("whole", shape, std::vector<double>(count, 3));
}
const std::string kConv = "{strides [1,1], pads [0,0,0,0], groups 1} : f32[1,2,3,3]";
const std::string kPaddedConv = "{strides [1,1], pads [1,1,1,1], groups 1} : f32[1,2,5,5]";

const Case kConvolution[] = {
    {"ScaleAfterConv",
     [](B &b) { return b.mul(b.conv(image(b), b.weights("w", {2, 4, 3, 3})), b.weights("s", {2, 1, 1})); },
     convLine("%0, const@w", 0)},
    {"BatchNormAfterConv",
     [](B &b) {
       ValueId conv = b.conv(image(b), b.weights("w", {2, 4, 3, 3}), 1);
       return b.add(b.mul(conv, b.weights("s", {1, 2, 1, 1})), b.weights("t", {2, 1, 1}));
     },
     convLine("%0, const@w, const@#1", 1)},
    {"BatchNormAfterConvWithBias",
     [](B &b) {
       ConvAttributes attributes{{1, 1}, {1, 1}, {0, 0, 0, 0}, 2};
       ValueId data = image(b), weight = b.weights("w", {2, 2, 3, 3}), bias = b.weights("b", {2});
       ValueId conv = b.graph.add(Op::Conv, {data, weight, bias}, attributes, "");
       return b.add(b.mul(conv, b.weights("s", {2, 1, 1})), b.weights("t", {2, 1, 1}));
     },
     convLine("%0, const@w, const@b", 0, 2)},
    {"NumberAfterConv", [](B &b) { return b.add(b.conv(image(b), b.weights("w", {2, 4, 3, 3})), b.number(3)); },
     convLine("%0, const@w, const@#1", 0)},
    {"ScaleOfWholeNumbersStays",
     [](B &b) { return b.mul(b.conv(image(b), whole(b, {2, 4, 3, 3})), b.weights("s", {2, 1, 1})); },
     twoLines("conv(%0, const@whole) " + kConv, "mul(%1, const@s) : f32[1,2,3,3]")},
    {"ScalePerPixelStays",
     [](B &b) { return b.mul(b.conv(image(b), b.weights("w", {2, 4, 3, 3})), b.weights("s", {3})); },
     twoLines("conv(%0, const@w) " + kConv, "mul(%1, const@s) : f32[1,2,3,3]")},
    {"ScaleOfSharedConvStays",
     [](B &b) {
       ValueId conv = b.conv(image(b), b.weights("w", {2, 4, 3, 3}));
       b.output(conv);
       return b.mul(conv, b.weights("s", {2, 1, 1}));
     },
     "%1 = conv(%0, const@w) " + kConv + "\n%2 = mul(%1, const@s) : f32[1,2,3,3]\n" +
         "output \"out\" = %1\noutput \"out1\" = %2\n"},
    {"ScaleBeforeConv",
     [](B &b) { return b.conv(b.mul(image(b), b.weights("s", {4, 1, 1})), b.weights("w", {2, 4, 3, 3}), 1); },
     convLine("%0, const@w", 1)},
    {"ScaleBeforeGroupedConv",
     [](B &b) { return b.conv(b.mul(image(b), b.weights("s", {4, 1, 1})), b.weights("w", {2, 2, 3, 3}), 0, 2); },
     convLine("%0, const@w", 0, 2)},
    {"BatchNormBeforeConv",
     [](B &b) {
       ValueId scaled = b.mul(image(b), b.weights("s", {1, 4, 1, 1}));
       return b.conv(b.add(scaled, b.weights("t", {4, 1, 1})), b.weights("w", {2, 4, 3, 3}));
     },
     convLine("%0, const@w, const@#1", 0)},
    {"ShiftBeforeGroupedConv",
     [](B &b) { return b.conv(b.add(image(b), b.weights("t", {4, 1, 1})), b.weights("w", {2, 2, 3, 3}), 0, 2); },
     convLine("%0, const@w, const@#1", 0, 2)},
    {"ShiftBeforePaddedConvStays",
     [](B &b) { return b.conv(b.add(image(b), b.weights("t", {4, 1, 1})), b.weights("w", {2, 4, 3, 3}), 1); },
     twoLines("add(%0, const@t) : f32[1,4,5,5]", "conv(%1, const@w) " + kPaddedConv)},
    {"ScalePerPixelBeforeConvStays",
     [](B &b) { return b.conv(b.mul(image(b), b.weights("s", {5})), b.weights("w", {2, 4, 3, 3})); },
     twoLines("mul(%0, const@s) : f32[1,4,5,5]", "conv(%1, const@w) " + kConv)},
    {"ConvByInputStays",
     [](B &b) {
       ValueId data = image(b), weight = b.input("w", {2, 4, 3, 3});
       return b.mul(b.conv(data, weight), b.weights("s", {2, 1, 1}));
     },
     "%2 = conv(%0, %1) " + kConv + "\n%3 = mul(%2, const@s) : f32[1,2,3,3]\noutput \"out\" = %3\n"},
};

ValueId rows(B &b) { return b.input("x", {2, 3, 4}); }
MatMulAttributes transposed() { return {false, true}; }

const Case kMatMul[] = {
    {"ScaleAfterMatMul", [](B &b) { return b.mul(b.matmul(rows(b), b.weights("w", {4, 5})), b.weights("s", {5})); },
     "%1 = matmul(%0, const@w) : f32[2,3,5]\noutput \"out\" = %1\n"},
    {"ScaleAfterTransposedMatMul",
     [](B &b) { return b.mul(b.matmul(rows(b), b.weights("w", {5, 4}), transposed()), b.weights("s", {1, 5})); },
     "%1 = matmul(%0, const@w) {transpose b} : f32[2,3,5]\noutput \"out\" = %1\n"},
    {"BatchNormAfterBias",
     [](B &b) {
       ValueId sum = b.add(b.matmul(rows(b), b.weights("w", {4, 5})), b.weights("b", {5}));
       return b.mul(sum, b.weights("s", {5}));
     },
     "%1 = matmul(%0, const@w) : f32[2,3,5]\n%2 = add(%1, const@b) : f32[2,3,5]\noutput \"out\" = %2\n"},
    {"ScaleOfWholeRowsStays", [](B &b) { return b.mul(b.matmul(rows(b), whole(b, {4, 5})), b.weights("s", {5})); },
     twoLines("matmul(%0, const@whole) : f32[2,3,5]", "mul(%1, const@s) : f32[2,3,5]")},
    {"ScaleAfterBiasOfWholeRowsStays",
     [](B &b) { return b.mul(b.add(b.matmul(rows(b), whole(b, {4, 5})), b.weights("b", {5})), b.weights("s", {5})); },
     "%1 = matmul(%0, const@whole) : f32[2,3,5]\n%2 = add(%1, const@b) : f32[2,3,5]\n" +
         std::string("%3 = mul(%2, const@s) : f32[2,3,5]\noutput \"out\" = %3\n")},
    {"ScalePerRowStays", [](B &b) { return b.mul(b.matmul(rows(b), b.weights("w", {4, 5})), b.weights("s", {3, 1})); },
     twoLines("matmul(%0, const@w) : f32[2,3,5]", "mul(%1, const@s) : f32[2,3,5]")},
    {"ScaleBeforeMatMul", [](B &b) { return b.matmul(b.mul(rows(b), b.weights("s", {4})), b.weights("w", {4, 5})); },
     "%1 = matmul(%0, const@w) : f32[2,3,5]\noutput \"out\" = %1\n"},
    {"ScaleBeforeTransposedMatMul",
     [](B &b) { return b.matmul(b.mul(rows(b), b.weights("s", {4})), b.weights("w", {5, 4}), transposed()); },
     "%1 = matmul(%0, const@w) {transpose b} : f32[2,3,5]\noutput \"out\" = %1\n"},
    {"ScaleBeforeBatchOfMatMuls",
     [](B &b) { return b.matmul(b.mul(rows(b), b.weights("s", {4})), b.weights("w", {2, 4, 5})); },
     "%1 = matmul(%0, const@w) : f32[2,3,5]\noutput \"out\" = %1\n"},
    // Along the rows of the product, which have as many elements as it sums up.
    {"ScaleBeforeTransposedRowsStays",
     [](B &b) {
       return b.matmul(b.mul(b.input("x", {4, 4}), b.weights("s", {4})), b.weights("w", {4, 5}), {true, false});
     },
     twoLines("mul(%0, const@s) : f32[4,4]", "matmul(%1, const@w) {transpose a} : f32[4,5]")},
    {"ScalePerRowBeforeMatMulStays",
     [](B &b) { return b.matmul(b.mul(rows(b), b.weights("s", {3, 1})), b.weights("w", {4, 5})); },
     twoLines("mul(%0, const@s) : f32[2,3,4]", "matmul(%1, const@w) : f32[2,3,5]")},
    {"ScaleOfAttentionStays",
     [](B &b) {
       ValueId query = b.input("q", {2, 3, 4}), key = b.input("k", {2, 4, 3});
       return b.mul(b.matmul(query, key), b.number(0.125));
     },
     "%2 = matmul(%0, %1) : f32[2,3,3]\n%3 = mul(%2, const@#1) : f32[2,3,3]\noutput \"out\" = %3\n"},
};

std::string nameOf(const testing::TestParamInfo<Case> &info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Convolution, FoldScales, testing::ValuesIn(kConvolution), nameOf);
INSTANTIATE_TEST_SUITE_P(MatMul, FoldScales, testing::ValuesIn(kMatMul), nameOf);

TEST(FoldScales, NamesTheNodesThatWent) {
  Builder b;
  ValueId conv = b.conv(image(b), b.weights("w", {2, 4, 3, 3}));
  ValueId scaled = b.mul(conv, b.weights("s", {2, 1, 1}));
  Graph &graph = b.output(b.add(scaled, b.weights("t", {2, 1, 1})));
  graph.nodes[0].name = "conv1";
  graph.nodes[1].name = "bn1";
  graph.nodes[2].name = "bn1";
  ASSERT_TRUE(foldScales(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].name, "conv1, bn1");
}

TEST(FoldScales, HalfPrecisionWeights) {
  Builder b;
  ValueId data = b.input("x", {1, 1, 3, 3}, DType::F16), weight = b.constant("w", {2, 1, 1, 1}, {2, 3}, DType::F16);
  Graph before = b.output(b.mul(b.conv(data, weight), b.constant("s", {2, 1, 1}, {0.5, 4}, DType::F16)));
  Graph after = before;
  ASSERT_TRUE(foldScales(after).ok());
  ASSERT_EQ(after.nodes.size(), 1u);
  const ConstantData &folded = *after.values[static_cast<size_t>(after.nodes[0].inputs[1])].constant;
  EXPECT_EQ(elementAsDouble(folded, 0), 1);
  EXPECT_EQ(elementAsDouble(folded, 1), 12);
}

}  // namespace
}  // namespace hone::graph
