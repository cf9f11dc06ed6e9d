// Type inference and the verifier: what they accept, and every sentence with which they refuse.
#include "compiler/graph/infer.h"

#include <functional>
#include <string>

#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

TensorType f32(Shape shape) { return {DType::F32, std::move(shape)}; }
TensorType i64(Shape shape) { return {DType::I64, std::move(shape)}; }
TensorType boolean(Shape shape) { return {DType::Bool, std::move(shape)}; }

struct Case {
  std::string name;
  Op op;
  Attributes attributes;
  std::vector<TensorType> inputs;
  std::string expected;  ///< the type, or the error
  std::optional<TensorType> given = std::nullopt;
};

void PrintTo(const Case &test, std::ostream *stream) { *stream << test.name; }

class Infer : public testing::TestWithParam<Case> {};

TEST_P(Infer, GivesTypeOrSentence) {
  const Case &test = GetParam();
  absl::StatusOr<TensorType> type = inferType(test.op, test.attributes, test.inputs, test.given);
  Builder b;
  std::string text;
  if (type.ok()) {
    b.graph.outputs = {{"out", b.graph.addValue("", *type)}};
    b.graph.inputs = {{"in", b.graph.outputs[0].value}};
    std::string printed = print(b.graph);
    text = printed.substr(printed.find(" : ") + 3);
    text = text.substr(0, text.find('\n'));
  } else {
    text = std::string(type.status().message());
  }
  EXPECT_EQ(text, test.expected);
}

ElementwiseAttributes scalar(ScalarOp op) { return {op}; }

const Case kElementwise[] = {
    {"Broadcast", Op::Elementwise, scalar(ScalarOp::Add), {f32({2, 1, 4}), f32({3, 1})}, "f32[2,3,4]"},
    {"Scalar", Op::Elementwise, scalar(ScalarOp::Mul), {f32({}), f32({0, 2})}, "f32[0,2]"},
    {"Predicate", Op::Elementwise, scalar(ScalarOp::Less), {i64({2}), i64({})}, "bool[2]"},
    {"IsNan", Op::Elementwise, scalar(ScalarOp::IsNan), {f32({2})}, "bool[2]"},
    {"Select", Op::Elementwise, scalar(ScalarOp::Select), {boolean({2, 1}), i64({3}), i64({})}, "i64[2,3]"},
    {"SelectByNumber",
     Op::Elementwise,
     scalar(ScalarOp::Select),
     {f32({2}), f32({2}), f32({2})},
     "select: condition has to be bool, is f32[2]"},
    {"Shapes",
     Op::Elementwise,
     scalar(ScalarOp::Add),
     {f32({2}), f32({3})},
     "add: shapes [2] and [3] do not broadcast"},
    {"Dtypes", Op::Elementwise, scalar(ScalarOp::Add), {f32({2}), i64({2})}, "add: operands have dtypes f32 and i64"},
    {"Arity", Op::Elementwise, scalar(ScalarOp::Sqrt), {f32({2}), f32({2})}, "sqrt: takes 1 operands, has 2"},
    {"RootOfIntegers", Op::Elementwise, scalar(ScalarOp::Sqrt), {i64({2})}, "sqrt: does not take i64"},
    {"SumOfBools", Op::Elementwise, scalar(ScalarOp::Add), {boolean({2}), boolean({2})}, "add: does not take bool"},
    {"AndOfNumbers", Op::Elementwise, scalar(ScalarOp::And), {i64({2}), i64({2})}, "and: does not take i64"},
    {"BitsOfFloats", Op::Elementwise, scalar(ScalarOp::BitAnd), {f32({2}), f32({2})}, "bitand: does not take f32"},
    {"NoAttributes", Op::Conv, {}, {f32({1, 1, 1}), f32({1, 1, 1})}, "conv: attributes of the op are missing"},
    {"TooBig",
     Op::Elementwise,
     scalar(ScalarOp::Add),
     {f32({1 << 30, 1}), f32({1, 1 << 30})},
     "add: tensor f32[1073741824,1073741824] has more than 1099511627776 elements"},
    {"Negative", Op::Elementwise, scalar(ScalarOp::Abs), {f32({-1})}, "abs: extent -1 of f32[-1] is negative"},
};

ConvAttributes conv(Shape strides, Shape dilations, Shape pads, int64_t groups) {
  return {std::move(strides), std::move(dilations), std::move(pads), groups};
}
const ConvAttributes kPlain = conv({1, 1}, {1, 1}, {0, 0, 0, 0}, 1);
const ConvAttributes kStride = conv({2, 1}, {1, 2}, {1, 0, 1, 3}, 2);

const Case kWindows[] = {
    // (5+1+1-3)/2+1 = 3; (6+3-(2*2+1))/1+1 = 5
    {"Conv", Op::Conv, kStride, {f32({1, 4, 5, 6}), f32({8, 2, 3, 3}), f32({8})}, "f32[1,8,3,5]"},
    {"Conv1d", Op::Conv, conv({1}, {1}, {2, 2}, 1), {f32({1, 4, 5}), f32({8, 4, 5})}, "f32[1,8,5]"},
    {"ConvChannels",
     Op::Conv,
     kPlain,
     {f32({1, 4, 5, 6}), f32({8, 2, 3, 3})},
     "conv: weight f32[8,2,3,3] in 1 groups does not fit 4 channels"},
    {"ConvGroups",
     Op::Conv,
     conv({1, 1}, {1, 1}, {0, 0, 0, 0}, 3),
     {f32({1, 6, 5, 6}), f32({8, 2, 3, 3})},
     "conv: 8 output channels do not divide into 3 groups"},
    {"ConvRank",
     Op::Conv,
     kPlain,
     {f32({1, 4, 5}), f32({8, 4, 3, 3})},
     "conv: data f32[1,4,5] and weight f32[8,4,3,3] differ in rank"},
    {"ConvBias",
     Op::Conv,
     kPlain,
     {f32({1, 4, 5, 6}), f32({8, 4, 3, 3}), f32({1, 8})},
     "conv: bias f32[1,8] does not have one entry for each of 8 channels"},
    {"ConvKernel",
     Op::Conv,
     kPlain,
     {f32({1, 4, 5, 2}), f32({8, 4, 3, 3})},
     "conv: kernel reaches over 3 of only 2 padded elements"},
    {"ConvBools", Op::Conv, kPlain, {boolean({1, 4, 5, 6}), boolean({8, 4, 3, 3})}, "conv: does not take bool"},
    {"ConvStride",
     Op::Conv,
     conv({0, 1}, {1, 1}, {0, 0, 0, 0}, 1),
     {f32({1, 4, 5, 6}), f32({8, 4, 3, 3})},
     "conv: strides [0,1] is not within 1 to 1073741824"},
    {"ConvPads",
     Op::Conv,
     conv({1, 1}, {1, 1}, {0, 0}, 1),
     {f32({1, 4, 5, 6}), f32({8, 4, 3, 3})},
     "conv: pads has 2 entries instead of 4"},
    {"Pool",
     Op::Pool,
     PoolAttributes{PoolKind::Max, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, false},
     {f32({1, 4, 7, 8})},
     "f32[1,4,4,4]"},
    {"AverageOfIntegers",
     Op::Pool,
     PoolAttributes{PoolKind::Average, {1}, {1}, {1}, {0, 0}, false},
     {i64({1, 4, 7})},
     "pool: takes floats, not i64"},
};

const Case kProducts[] = {
    {"MatMul", Op::MatMul, MatMulAttributes{}, {f32({5, 1, 2, 3}), f32({4, 3, 6})}, "f32[5,4,2,6]"},
    {"MatMulTransposed", Op::MatMul, MatMulAttributes{true, true}, {f32({3, 2}), f32({6, 3})}, "f32[2,6]"},
    {"MatMulInner", Op::MatMul, MatMulAttributes{}, {f32({2, 3}), f32({4, 6})}, "matmul: inner extents 3 and 4 differ"},
    {"MatMulBatch",
     Op::MatMul,
     MatMulAttributes{},
     {f32({2, 2, 3}), f32({3, 3, 6})},
     "matmul: batch dims of [2,2,3] and [3,3,6] do not broadcast"},
    {"MatMulRank",
     Op::MatMul,
     MatMulAttributes{},
     {f32({3}), f32({3, 6})},
     "matmul: operands f32[3] and f32[3,6] need 2 dims or more"},
    {"ReduceKeep", Op::Reduce, ReduceAttributes{ReduceKind::Mean, {0, 2}, true}, {f32({2, 3, 4})}, "f32[1,3,1]"},
    {"ReduceDrop", Op::Reduce, ReduceAttributes{ReduceKind::Mean, {0, 2}, false}, {f32({2, 3, 4})}, "f32[3]"},
    {"ReduceOrder",
     Op::Reduce,
     ReduceAttributes{ReduceKind::Mean, {2, 0}, true},
     {f32({2, 3, 4})},
     "reduce: axes [2,0] are not sorted and unique"},
    {"ReduceAxis",
     Op::Reduce,
     ReduceAttributes{ReduceKind::Mean, {3}, true},
     {f32({2, 3, 4})},
     "reduce: axis 3 is not an axis of f32[2,3,4]"},
    {"Softmax", Op::Softmax, AxisAttributes{1}, {f32({2, 3})}, "f32[2,3]"},
    {"SoftmaxAxis", Op::Softmax, AxisAttributes{-1}, {f32({2, 3})}, "softmax: axis -1 is not an axis of f32[2,3]"},
    {"LayerNorm", Op::LayerNorm, LayerNormAttributes{1}, {f32({2, 3, 4}), f32({4}), f32({3, 1})}, "f32[2,3,4]"},
    {"LayerNormScale",
     Op::LayerNorm,
     LayerNormAttributes{2},
     {f32({2, 3, 4}), f32({3, 4}), f32({})},
     "layernorm: scale f32[3,4] does not broadcast to [4]"},
};

const Case kMovement[] = {
    {"Cast", Op::Cast, {}, {f32({2})}, "i64[2]", i64({2})},
    {"CastWithoutType", Op::Cast, {}, {f32({2})}, "cast: needs its result's type"},
    {"CastShape", Op::Cast, {}, {f32({2})}, "cast: shape [2] does not fit [3]", i64({3})},
    {"Reshape", Op::Reshape, {}, {f32({2, 3})}, "f32[6]", f32({6})},
    {"ReshapeCount", Op::Reshape, {}, {f32({2, 3})}, "reshape: shape [2,3] does not fit [5]", f32({5})},
    {"ReshapeDtype", Op::Reshape, {}, {f32({2, 3})}, "reshape: cannot change f32[2,3] to i64[6]", i64({6})},
    {"ReshapeAttributes", Op::Reshape, AxisAttributes{}, {f32({2})}, "reshape: takes no attributes", f32({2})},
    {"Broadcast", Op::Broadcast, {}, {f32({3, 1})}, "f32[2,3,4]", f32({2, 3, 4})},
    {"BroadcastDown", Op::Broadcast, {}, {f32({3, 4})}, "broadcast: shape [3,4] does not fit [3,1]", f32({3, 1})},
    {"Transpose", Op::Transpose, TransposeAttributes{{2, 0, 1}}, {f32({2, 3, 4})}, "f32[4,2,3]"},
    {"TransposeTwice",
     Op::Transpose,
     TransposeAttributes{{0, 0, 1}},
     {f32({2, 3, 4})},
     "transpose: [0,0,1] is not a permutation of the dims of f32[2,3,4]"},
    {"Concat", Op::Concat, AxisAttributes{1}, {f32({2, 3}), f32({2, 0}), f32({2, 4})}, "f32[2,7]"},
    {"ConcatShapes",
     Op::Concat,
     AxisAttributes{1},
     {f32({2, 3}), f32({3, 3})},
     "concat: operands f32[2,3] and f32[3,3] differ outside axis 1"},
    {"ConcatNothing", Op::Concat, AxisAttributes{1}, {}, "concat: takes 1 operand or more, has 0"},
    {"Slice", Op::Slice, SliceAttributes{{1, 5}, {1, -2}}, {f32({4, 6})}, "f32[3,3]", f32({3, 3})},
    {"SlicePastEnd",
     Op::Slice,
     SliceAttributes{{1}, {1}},
     {f32({4})},
     "slice: 4 elements from 1 in steps of 1 leave dim 0 of f32[4]",
     f32({4})},
    {"SlicePastBegin",
     Op::Slice,
     SliceAttributes{{3}, {-2}},
     {f32({4})},
     "slice: 3 elements from 3 in steps of -2 leave dim 0 of f32[4]",
     f32({3})},
    {"SliceStep", Op::Slice, SliceAttributes{{0}, {0}}, {f32({4})}, "slice: step of dim 0 is 0", f32({2})},
    {"SliceLeastStep",
     Op::Slice,
     SliceAttributes{{3}, {INT64_MIN}},
     {f32({4})},
     "slice: 2 elements from 3 in steps of -9223372036854775808 leave dim 0 of f32[4]",
     f32({2})},
    {"Pad", Op::Pad, PadAttributes{{1, 0, 2, 3}}, {f32({4, 6})}, "f32[7,9]"},
    {"PadNegative", Op::Pad, PadAttributes{{-1, 0}}, {f32({4})}, "pad: pads [-1,0] is not within 0 to 1073741824"},
    {"PadReflect",
     Op::Pad,
     PadAttributes{{4, 0}, PadMode::Reflect},
     {f32({4})},
     "pad: cannot reflect 4 elements of an extent of 4"},
    {"Gather", Op::Gather, AxisAttributes{1}, {f32({2, 9, 4}), i64({5, 6})}, "f32[2,5,6,4]"},
    {"GatherByFloats",
     Op::Gather,
     AxisAttributes{1},
     {f32({2, 9}), f32({5})},
     "gather: indices f32[5] are not integers"},
    {"GatherFromNothing",
     Op::Gather,
     AxisAttributes{0},
     {f32({0, 2}), i64({5})},
     "gather: axis 0 of f32[0,2] is empty"},
    {"OtherTypeGiven",
     Op::Transpose,
     TransposeAttributes{{0}},
     {f32({2})},
     "transpose: gives f32[2], not f32[3]",
     f32({3})},
};

std::string nameOf(const testing::TestParamInfo<Case> &info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Elementwise, Infer, testing::ValuesIn(kElementwise), nameOf);
INSTANTIATE_TEST_SUITE_P(Windows, Infer, testing::ValuesIn(kWindows), nameOf);
INSTANTIATE_TEST_SUITE_P(Products, Infer, testing::ValuesIn(kProducts), nameOf);
INSTANTIATE_TEST_SUITE_P(Movement, Infer, testing::ValuesIn(kMovement), nameOf);

// -------------------------------------------------------------------------------------------------- verifier

/// A graph that is well-formed, for each test to break in one place.
Graph wellFormed() {
  Builder b;
  ValueId x = b.input("x", {2}), product = b.mul(x, b.constant("c", {2}, {1, 2}));
  Graph &graph = b.output(b.apply(ScalarOp::Neg, {product}));
  graph.nodes[1].name = "negate";
  return graph;
}

std::string messageAfter(const std::function<void(Graph &)> &damage) {
  Graph graph = wellFormed();
  EXPECT_TRUE(verify(graph).ok());
  damage(graph);
  return std::string(verify(graph).message());
}

TEST(Verify, RefusesWhatIsNotWellFormed) {
  const std::string head = "graph is not well-formed: ";
  EXPECT_EQ(messageAfter([](Graph &g) { std::swap(g.nodes[0], g.nodes[1]); }),
            head + "neg 'negate' reads value 2 before it is defined");
  EXPECT_EQ(messageAfter([](Graph &g) { g.nodes[0].inputs[1] = 7; }),
            head + "node 0 (mul) reads value 7, which does not exist");
  EXPECT_EQ(messageAfter([](Graph &g) { g.nodes[0].output = -1; }),
            head + "node 0 (mul) writes value -1, which does not exist");
  EXPECT_EQ(messageAfter([](Graph &g) { g.nodes[1].output = 2; }),
            head + "neg 'negate' writes value 2, which is defined already");
  EXPECT_EQ(messageAfter([](Graph &g) { g.nodes[0].output = 1; }),
            head + "node 0 (mul) writes value 1, which is defined already");
  EXPECT_EQ(messageAfter([](Graph &g) { g.values[2].type.shape = {3}; }),
            head + "node 0 (mul): mul: gives f32[2], not f32[3]");
  EXPECT_EQ(messageAfter([](Graph &g) { g.nodes[1].attributes = {}; }).substr(0, head.size()), head);
  EXPECT_EQ(messageAfter([](Graph &g) { g.nodes.pop_back(); }), head + "output 'out' is never computed");
  EXPECT_EQ(messageAfter([](Graph &g) { g.outputs[0].value = 99; }), head + "output 'out' is never computed");
  EXPECT_EQ(messageAfter([](Graph &g) { g.outputs.push_back(g.outputs[0]); }),
            head + "output name 'out' is empty or not unique");
  EXPECT_EQ(messageAfter([](Graph &g) { g.inputs[0].name.clear(); }), head + "input name '' is empty or not unique");
  EXPECT_EQ(messageAfter([](Graph &g) { g.inputs.push_back({"y", 1}); }), head + "input 'y' is defined twice");
  EXPECT_EQ(messageAfter([](Graph &g) { g.values[2].name = g.values[0].name; }), head + "two values are named 'x'");
  EXPECT_EQ(messageAfter([](Graph &g) { g.values[1].type.dtype = DType::I32; }),
            head + "constant 'c' holds f32[2], not i32[2]");
  EXPECT_EQ(messageAfter([](Graph &g) {
              auto data = std::make_shared<ConstantData>(*g.values[1].constant);
              data->bytes.pop_back();
              g.values[1].constant = data;
            }),
            head + "constant 'c' has 7 bytes instead of 8");
}

// ----------------------------------------------------------------------------------------------------- print

TEST(Print, IsCanonical) {
  Builder b;
  b.graph.name = "tiny";
  ValueId x = b.input("x", {1, 2, 4, 4});
  ValueId conv = b.conv(x, b.weights("w", {2, 2, 3, 3}), 1);
  ValueId relu = b.apply(ScalarOp::Max, {conv, b.number(0)});
  PoolAttributes pool{PoolKind::Average, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, true};
  ValueId pooled = b.graph.add(Op::Pool, {relu}, pool, "");
  b.graph.addValue("unused", {DType::F32, {7}});
  b.output(b.add(pooled, b.constant("shift", {2, 1, 1}, {0.1, -2})));
  EXPECT_EQ(print(b.graph),
            "graph tiny\n"
            "input %0 \"x\" : f32[1,2,4,4]\n"
            "const@w : f32[2,2,3,3]\n"
            "const@#1 : f32[] = 0\n"
            "const@shift : f32[2,1,1] = [0.1, -2]\n"
            "%1 = conv(%0, const@w) {strides [1,1], pads [1,1,1,1], groups 1} : f32[1,2,4,4]\n"
            "%2 = max(%1, const@#1) : f32[1,2,4,4]\n"
            "%3 = pool(%2) {average, kernel [2,2], strides [2,2], pads [0,0,0,0], count padding} : f32[1,2,2,2]\n"
            "%4 = add(%3, const@shift) : f32[1,2,2,2]\n"
            "output \"out\" = %4\n");
}

}  // namespace
}  // namespace hone::graph
