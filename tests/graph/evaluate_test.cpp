// Evaluation on constants against values worked out by hand, and what must not overflow.
#include "compiler/graph/evaluate.h"

#include <limits>

#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

using Numbers = std::vector<double>;

Numbers numbers(const Constant &constant) {
  Numbers result;
  for (int64_t i = 0; i < constant->type.elements(); ++i) result.push_back(elementAsDouble(*constant, i));
  return result;
}

Numbers evaluated(Op op, Attributes attributes, const std::vector<Constant> &inputs,
                  std::optional<TensorType> type = std::nullopt) {
  Builder b;
  std::vector<ValueId> values;
  for (const Constant &input : inputs) values.push_back(b.graph.addConstant("", input));
  b.graph.add(op, values, std::move(attributes), "", std::move(type));
  auto result = evaluate(b.graph.nodes[0], inputs, b.graph.values.back().type);
  EXPECT_TRUE(result.ok()) << result.status();
  return numbers(*result);
}

Constant f32(Shape shape, const Numbers &elements) { return makeConstant({DType::F32, std::move(shape)}, elements); }
Constant typed(DType dtype, const std::vector<int64_t> &elements) {
  return makeConstant({dtype, {static_cast<int64_t>(elements.size())}}, elements);
}
Numbers scalar(ScalarOp op, const std::vector<Constant> &inputs) {
  return evaluated(Op::Elementwise, ElementwiseAttributes{op}, inputs);
}

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

TEST(Evaluate, ElementwiseBroadcasts) {
  EXPECT_EQ(scalar(ScalarOp::Sub, {f32({2, 1}, {10, 20}), f32({3}, {1, 2, 3})}), (Numbers{9, 8, 7, 19, 18, 17}));
  EXPECT_EQ(scalar(ScalarOp::Select, {typed(DType::Bool, {1, 0}), f32({2}, {1, 2}), f32({}, {9})}), (Numbers{1, 9}));
}

TEST(Evaluate, FloatsRoundOnce) {
  EXPECT_EQ(scalar(ScalarOp::Div, {f32({1}, {1}), f32({1}, {3})})[0], static_cast<double>(1.0f / 3.0f));
  EXPECT_EQ(scalar(ScalarOp::Round, {f32({4}, {0.5, 1.5, 2.5, -0.5})}), (Numbers{0, 2, 2, -0.0}));
  EXPECT_EQ(scalar(ScalarOp::FloorMod, {f32({2}, {-7, 7}), f32({2}, {3, -3})}), (Numbers{2, -2}));
  EXPECT_EQ(scalar(ScalarOp::TruncMod, {f32({2}, {-7, 7}), f32({2}, {3, -3})}), (Numbers{-1, 1}));
}

TEST(Evaluate, IntegersWrapAndDivideSafely) {
  Constant least = typed(DType::I64, {kLeast}), minusOne = typed(DType::I64, {-1}), zero = typed(DType::I64, {0});
  EXPECT_EQ(scalar(ScalarOp::Div, {least, minusOne})[0], static_cast<double>(kLeast));
  EXPECT_EQ(scalar(ScalarOp::Div, {least, zero})[0], 0);
  EXPECT_EQ(scalar(ScalarOp::TruncMod, {least, minusOne})[0], 0);
  EXPECT_EQ(scalar(ScalarOp::FloorMod, {typed(DType::I64, {-7, 7}), typed(DType::I64, {3, -3})}), (Numbers{2, -2}));
  EXPECT_EQ(scalar(ScalarOp::Neg, {least})[0], static_cast<double>(kLeast));
  EXPECT_EQ(scalar(ScalarOp::Abs, {least})[0], static_cast<double>(kLeast));
  EXPECT_EQ(scalar(ScalarOp::Add, {typed(DType::I32, {2147483647}), typed(DType::I32, {1})})[0], -2147483648.0);
  EXPECT_EQ(scalar(ScalarOp::Mul, {typed(DType::U8, {200}), typed(DType::U8, {2})})[0], 144);
  EXPECT_EQ(scalar(ScalarOp::Pow, {typed(DType::I64, {3, 2, -1}), typed(DType::I64, {4, -1, -3})}),
            (Numbers{81, 0, -1}));
  EXPECT_EQ(scalar(ScalarOp::ShiftLeft, {typed(DType::U32, {1}), typed(DType::U32, {99})})[0], 0);
  Constant most = typed(DType::U64, {-1});
  EXPECT_EQ(scalar(ScalarOp::Less, {typed(DType::U64, {1}), most})[0], 1);
}

TEST(Evaluate, Casts) {
  auto cast = [](const Constant &from, DType to) {
    return evaluated(Op::Cast, {}, {from}, TensorType{to, from->type.shape});
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(cast(f32({5}, {2.9, -2.9, 1e30, -1e30, kNan}), DType::I32), (Numbers{2, -2, 2147483647, -2147483648.0, 0}));
  EXPECT_EQ(cast(f32({3}, {0, 0.25, kNan}), DType::Bool), (Numbers{0, 1, 1}));
  EXPECT_EQ(cast(typed(DType::I64, {257, -1}), DType::U8), (Numbers{1, 255}));
  EXPECT_EQ(cast(typed(DType::U64, {-1}), DType::F64)[0], 18446744073709551616.0);
  // 2049 lies between 2048 and 2050 in half precision: half to even.
  EXPECT_EQ(cast(f32({2}, {2049, 70000}), DType::F16), (Numbers{2048, std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(cast(f32({1}, {1.00390625}), DType::BF16), (Numbers{1}));
}

TEST(Evaluate, Convolution) {
  ConvAttributes attributes{{2, 1}, {1, 1}, {1, 0, 0, 0}, 1};
  // Rows -1..0 and 1..2 of a 3 x 2 image, kernel 2 x 2.
  EXPECT_EQ(evaluated(Op::Conv, attributes,
                      {f32({1, 1, 3, 2}, {1, 2, 3, 4, 5, 6}), f32({1, 1, 2, 2}, {1, 10, 100, 1000}), f32({1}, {0.5})}),
            (Numbers{2100.5, 3 + 40 + 500 + 6000 + 0.5}));
  ConvAttributes grouped{{1}, {2}, {0, 0}, 2};
  EXPECT_EQ(evaluated(Op::Conv, grouped, {f32({1, 2, 3}, {1, 2, 3, 4, 5, 6}), f32({2, 1, 2}, {1, 10, 100, 1000})}),
            (Numbers{31, 6400}));
}

TEST(Evaluate, Pooling) {
  Constant data = f32({1, 1, 4}, {-1, -2, -3, -5});
  PoolAttributes pool{PoolKind::Max, {2}, {2}, {1}, {1, 1}, false};
  EXPECT_EQ(evaluated(Op::Pool, pool, {data}), (Numbers{-1, -2, -5}));
  pool.kind = PoolKind::Average;
  EXPECT_EQ(evaluated(Op::Pool, pool, {data}), (Numbers{-1, -2.5, -5}));
  pool.countPadding = true;
  EXPECT_EQ(evaluated(Op::Pool, pool, {data}), (Numbers{-0.5, -2.5, -2.5}));
}

TEST(Evaluate, MatrixProducts) {
  Constant a = f32({2, 2}, {1, 2, 3, 4}), b = f32({2, 2}, {10, 20, 30, 40});
  EXPECT_EQ(evaluated(Op::MatMul, MatMulAttributes{}, {a, b}), (Numbers{70, 100, 150, 220}));
  EXPECT_EQ(evaluated(Op::MatMul, MatMulAttributes{true, false}, {a, b}), (Numbers{100, 140, 140, 200}));
  EXPECT_EQ(evaluated(Op::MatMul, MatMulAttributes{false, true}, {a, b}), (Numbers{50, 110, 110, 250}));
  EXPECT_EQ(evaluated(Op::MatMul, MatMulAttributes{}, {f32({2, 1, 1}, {2, 3}), f32({1, 2}, {5, 7})}),
            (Numbers{10, 14, 15, 21}));
}

TEST(Evaluate, Reductions) {
  Constant data = f32({2, 3}, {1, 2, 3, 4, 5, 9});
  auto reduce = [&](ReduceKind kind, std::vector<int64_t> axes) {
    return evaluated(Op::Reduce, ReduceAttributes{kind, std::move(axes), false}, {data});
  };
  EXPECT_EQ(reduce(ReduceKind::Sum, {0}), (Numbers{5, 7, 12}));
  EXPECT_EQ(reduce(ReduceKind::Mean, {1}), (Numbers{2, 6}));
  EXPECT_EQ(reduce(ReduceKind::Max, {0, 1}), (Numbers{9}));
  EXPECT_EQ(reduce(ReduceKind::Min, {1}), (Numbers{1, 4}));
  EXPECT_EQ(reduce(ReduceKind::Product, {1}), (Numbers{6, 180}));
}

TEST(Evaluate, SoftmaxAndLayerNorm) {
  Numbers softmax = evaluated(Op::Softmax, AxisAttributes{0}, {f32({2, 2}, {1000, 0, 1000, std::log(3)})});
  EXPECT_NEAR(softmax[0], 0.5, 1e-6);
  EXPECT_NEAR(softmax[1], 0.25, 1e-6);
  EXPECT_NEAR(softmax[3], 0.75, 1e-6);
  Numbers logarithm = evaluated(Op::LogSoftmax, AxisAttributes{1}, {f32({1, 2}, {0, std::log(3)})});
  EXPECT_NEAR(logarithm[0], std::log(0.25), 1e-6);
  // Mean 2, variance 1; scale 10, shift 0.5.
  Numbers norm =
      evaluated(Op::LayerNorm, LayerNormAttributes{1, 0}, {f32({1, 2}, {1, 3}), f32({2}, {10, 20}), f32({}, {0.5})});
  EXPECT_NEAR(norm[0], -9.5, 1e-5);
  EXPECT_NEAR(norm[1], 20.5, 1e-5);
}

TEST(Evaluate, Movement) {
  Constant data = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(evaluated(Op::Transpose, TransposeAttributes{{1, 0}}, {data}), (Numbers{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(evaluated(Op::Broadcast, {}, {f32({2, 1}, {1, 2})}, TensorType{DType::F32, {2, 2}}), (Numbers{1, 1, 2, 2}));
  EXPECT_EQ(evaluated(Op::Slice, SliceAttributes{{1, 2}, {1, -2}}, {data}, TensorType{DType::F32, {1, 2}}),
            (Numbers{6, 4}));
  EXPECT_EQ(evaluated(Op::Concat, AxisAttributes{1}, {f32({2, 1}, {7, 8}), data}), (Numbers{7, 1, 2, 3, 8, 4, 5, 6}));
  Constant row = f32({3}, {1, 2, 3});
  EXPECT_EQ(evaluated(Op::Pad, PadAttributes{{1, 2}, PadMode::Constant, 9}, {row}), (Numbers{9, 1, 2, 3, 9, 9}));
  EXPECT_EQ(evaluated(Op::Pad, PadAttributes{{1, 2}, PadMode::Edge}, {row}), (Numbers{1, 1, 2, 3, 3, 3}));
  EXPECT_EQ(evaluated(Op::Pad, PadAttributes{{1, 2}, PadMode::Reflect}, {row}), (Numbers{2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(evaluated(Op::Gather, AxisAttributes{1}, {data, typed(DType::I64, {-1, 0})}), (Numbers{3, 1, 6, 4}));
  EXPECT_EQ(evaluated(Op::Reshape, {}, {f32({}, {4})}, TensorType{DType::F32, {1, 1}}), (Numbers{4}));
}

TEST(Evaluate, EmptyTensors) {
  Constant empty = f32({0, 3}, {});
  EXPECT_EQ(evaluated(Op::Reduce, ReduceAttributes{ReduceKind::Sum, {0}, false}, {empty}), (Numbers{0, 0, 0}));
  EXPECT_EQ(evaluated(Op::Transpose, TransposeAttributes{{1, 0}}, {empty}), Numbers{});
  EXPECT_EQ(evaluated(Op::MatMul, MatMulAttributes{}, {f32({2, 0}, {}), empty}), (Numbers{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(evaluated(Op::Softmax, AxisAttributes{0}, {empty}), Numbers{});
  EXPECT_EQ(evaluated(Op::Concat, AxisAttributes{0}, {empty, empty}), Numbers{});
}

TEST(Evaluate, GatherOutsideIsAnError) {
  Node node{Op::Gather, {0, 1}, 2, AxisAttributes{0}, "pick"};
  auto result = evaluate(node, {f32({3}, {1, 2, 3}), typed(DType::I64, {3})}, {DType::F32, {1}});
  EXPECT_EQ(result.status().message(), "gather 'pick': index 3 is outside an extent of 3");
}

}  // namespace
}  // namespace hone::graph
