// Scalar semantics, and tolerances that are wide enough for other orders and precisions but no wider than needed.
#include "compiler/tensor/approximate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/tensor/interpreter.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"
#include "tests/support/rounds.h"

namespace hone::tensor {
namespace {

using namespace testing;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

int64_t integers(ScalarOp op, DType dtype, int64_t a, int64_t b = 0) {
  return applyScalarOp(op, dtype, {{.integer = a}, {.integer = b}}).integer;
}

double floats(ScalarOp op, double a, double b = 0) {
  return applyScalarOp(op, DType::F64, {{.real = a}, {.real = b}}).real;
}

TEST(ScalarSemantics, Integers) {
  EXPECT_EQ(integers(ScalarOp::Add, DType::U8, 200, 100), 44);
  EXPECT_EQ(integers(ScalarOp::Mul, DType::I8, 16, 8), -128);
  EXPECT_EQ(integers(ScalarOp::Neg, DType::I32, INT32_MIN), INT32_MIN);
  EXPECT_EQ(integers(ScalarOp::Abs, DType::I64, INT64_MIN), INT64_MIN);
  EXPECT_EQ(integers(ScalarOp::Div, DType::I32, -7, 2), -3);
  EXPECT_EQ(integers(ScalarOp::Div, DType::I32, 7, 0), 0);
  EXPECT_EQ(integers(ScalarOp::Div, DType::I32, INT32_MIN, -1), INT32_MIN);
  EXPECT_EQ(integers(ScalarOp::Div, DType::I64, INT64_MIN, -1), INT64_MIN);
  EXPECT_EQ(integers(ScalarOp::Div, DType::U64, -1, 2), INT64_MAX);
  EXPECT_EQ(integers(ScalarOp::FloorMod, DType::I32, -7, 3), 2);
  EXPECT_EQ(integers(ScalarOp::FloorMod, DType::I32, 7, -3), -2);
  EXPECT_EQ(integers(ScalarOp::FloorMod, DType::I32, 7, 0), 0);
  EXPECT_EQ(integers(ScalarOp::TruncMod, DType::I32, -7, 3), -1);
  EXPECT_EQ(integers(ScalarOp::TruncMod, DType::I64, INT64_MIN, -1), 0);
  EXPECT_EQ(integers(ScalarOp::Less, DType::U64, 1, -1), 1);
  EXPECT_EQ(integers(ScalarOp::Max, DType::U64, 1, -1), -1);
  EXPECT_EQ(integers(ScalarOp::Min, DType::I64, 1, -1), -1);
  EXPECT_EQ(integers(ScalarOp::BitNot, DType::U8, 0x0f), 0xf0);
  EXPECT_EQ(integers(ScalarOp::ShiftRight, DType::I32, -8, 1), -4);
  EXPECT_EQ(integers(ScalarOp::ShiftRight, DType::U64, -1, 63), 1);
  EXPECT_EQ(integers(ScalarOp::ShiftLeft, DType::U8, 0x81, 1), 2);
  EXPECT_EQ(integers(ScalarOp::Pow, DType::I32, -3, 3), -27);
  EXPECT_EQ(integers(ScalarOp::Sign, DType::I32, -3), -1);
  EXPECT_EQ(integers(ScalarOp::Round, DType::I32, 5), 5);
  EXPECT_EQ(integers(ScalarOp::Xor, DType::Bool, 1, 1), 0);
  EXPECT_EQ(integers(ScalarOp::Not, DType::Bool, 1), 0);
}

TEST(ScalarSemantics, Floats) {
  EXPECT_EQ(floats(ScalarOp::Round, 2.5), 2);
  EXPECT_EQ(floats(ScalarOp::Round, -3.5), -4);
  EXPECT_EQ(floats(ScalarOp::FloorMod, -7, 3), 2);
  EXPECT_EQ(floats(ScalarOp::FloorMod, 7, -3), -2);
  EXPECT_EQ(floats(ScalarOp::TruncMod, -7, 3), -1);
  EXPECT_EQ(floats(ScalarOp::Div, 1, 0), kInfinity);
  EXPECT_EQ(floats(ScalarOp::Sign, -0.5), -1);
  // NaN when either operand is.
  EXPECT_TRUE(std::isnan(floats(ScalarOp::Max, kNan, 1)));
  EXPECT_TRUE(std::isnan(floats(ScalarOp::Max, 1, kNan)));
  EXPECT_TRUE(std::isnan(floats(ScalarOp::Min, kNan, 1)));
  EXPECT_EQ(applyScalarOp(ScalarOp::IsNan, DType::F32, {{.real = kNan}}).integer, 1);
  EXPECT_EQ(applyScalarOp(ScalarOp::LessEqual, DType::F32, {{.real = 1}, {.real = kNan}}).integer, 0);
  EXPECT_NEAR(floats(ScalarOp::Erf, 0.5), 0.5204998778130465, 1e-15);
}

TEST(ScalarSemantics, Casts) {
  EXPECT_EQ(castTo(DType::I32, DType::F32, {.real = -2.9}).integer, -2);
  EXPECT_EQ(castTo(DType::U8, DType::F32, {.real = 300}).integer, 255);
  EXPECT_EQ(castTo(DType::I64, DType::F64, {.real = 1e300}).integer, 0x7ffffffffffffc00);
  EXPECT_EQ(castTo(DType::U8, DType::I32, {.integer = 258}).integer, 2);
  EXPECT_EQ(castTo(DType::Bool, DType::F32, {.real = 0.25}).integer, 1);
  EXPECT_EQ(castTo(DType::Bool, DType::I32, {.integer = 256}).integer, 1);
  EXPECT_EQ(castTo(DType::F64, DType::U64, {.integer = -1}).real, 0x1p64);
  EXPECT_EQ(castTo(DType::F16, DType::F32, {.real = 1.0001}).real, 1);
}

TEST(ScalarSemantics, Bits) {
  EXPECT_EQ(bitsAs(DType::I32, DType::F32, {.real = -0.0}).integer, std::numeric_limits<int32_t>::min());
  EXPECT_EQ(bitsAs(DType::U16, DType::BF16, {.real = 1}).integer, 0x3f80);
  EXPECT_EQ(bitsAs(DType::F64, DType::I64, {.integer = int64_t{1023} << 52}).real, 1);
  EXPECT_EQ(bitsAs(DType::I32, DType::F32, {.real = 1, .error = 1e-9}).error, kInfinity);
}

TEST(ScalarSemantics, RemaindersOfZeroHaveTheDivisorsSign) {
  EXPECT_TRUE(std::signbit(floats(ScalarOp::FloorMod, 6, -3)));
  EXPECT_FALSE(std::signbit(floats(ScalarOp::FloorMod, -6, 3)));
  EXPECT_FALSE(std::signbit(floats(ScalarOp::FloorMod, -0.0, 3)));
  EXPECT_EQ(floats(ScalarOp::FloorMod, -5, kInfinity), kInfinity);
  EXPECT_EQ(floats(ScalarOp::FloorMod, 5, kInfinity), 5);
}

TEST(Error, IsCarriedThroughOperations) {
  const auto error = [](ScalarOp op, const Approximate &a, const Approximate &b) {
    return applyScalarOp(op, DType::F32, {a, b}).error;
  };
  // Exact numbers that fit stay exact.
  EXPECT_EQ(error(ScalarOp::Add, {.real = 1}, {.real = 2}), 0);
  EXPECT_GT(error(ScalarOp::Add, {.real = 1}, {.real = 1e-9}), 0);
  EXPECT_NEAR(error(ScalarOp::Mul, {.real = 10, .error = 0.1}, {.real = 3}), 0.3, 1e-5);
  EXPECT_NEAR(error(ScalarOp::Sub, {.real = 10, .error = 0.1}, {.real = 10, .error = 0.2}), 0.3, 1e-5);
  EXPECT_EQ(error(ScalarOp::Div, {.real = 1}, {.real = 0.1, .error = 0.1}), kInfinity);
  // Comparisons are certain only away from the border.
  EXPECT_EQ(error(ScalarOp::Less, {.real = 1, .error = 0.1}, {.real = 2}), 0);
  EXPECT_EQ(error(ScalarOp::Less, {.real = 1.95, .error = 0.1}, {.real = 2}), 1);
  const auto chosen = [](double conditionError) {
    return applyScalarOp(ScalarOp::Select, DType::F32,
                         {{.integer = 1, .error = conditionError}, {.real = 5}, {.real = 7, .error = 0.5}});
  };
  EXPECT_EQ(chosen(0).error, 0);
  EXPECT_NEAR(chosen(1).error, 2.5, 1e-6);
}

TEST(Tolerance, HoldsForEveryOrderAndFindsOneLostTerm) {
  const int64_t length = 4608;
  const Kernel kernel = splitReduction(1, length, 1);
  hone::testing::inRounds(20, 400, [&](hone::testing::Random &random) {
    const std::vector<HostTensor> arguments = randomArguments(kernel, random.next());
    const auto expected = interpretWithTolerance(kernel, arguments);
    ASSERT_TRUE(expected.ok()) << expected.status();
    float forwards = 0, backwards = 0, lanes[8] = {};
    for (int64_t i = 0; i < length; ++i) {
      const auto x = static_cast<float>(arguments[0].real(i));
      forwards += x;
      backwards += static_cast<float>(arguments[0].real(length - 1 - i));
      lanes[i % 8] += x;
    }
    float together = 0;
    for (float lane : lanes) together += lane;
    for (float sum : {forwards, backwards, together}) {
      EXPECT_EQ(compare(expected->outputs[0], hostTensor<float>({1}, {sum}), expected->tolerances[0]), "");
    }
    const float wrong = forwards + 0.05F;  // one small term more or less
    EXPECT_NE(compare(expected->outputs[0], hostTensor<float>({1}, {wrong}), expected->tolerances[0]), "");
  });
}

TEST(Compare, TellsWhereAndHowMuch) {
  const HostTensor a = hostTensor<float>({2, 2}, {1, 2, 3, 4});
  HostTensor b = a;
  EXPECT_EQ(compare(a, b, {0, 0, 0, 0}), "");
  b.setReal(2, 3.5);
  EXPECT_EQ(compare(a, b, {0, 0, 0.25, 0}), "element [1, 0]: expected 3, got 3.5, tolerance 0.25");
  EXPECT_EQ(compare(a, b, {0, 0, 0.5, 0}), "");
  EXPECT_EQ(compare(a, b, {0, 0, kInfinity, 0}), "");
  b.setReal(0, kNan);
  EXPECT_NE(compare(a, b, {1, 1, 1, 1}), "");
  EXPECT_EQ(compare(b, b, {0, 0, 0, 0}), "");
  EXPECT_NE(compare(a, a, {kInfinity, kInfinity, kInfinity, kInfinity}), "");
  EXPECT_NE(compare(a, hostTensor<double>({2, 2}, {1, 2, 3, 4}), {0, 0, 0, 0}), "");
  const HostTensor large = hostTensor<int64_t>({1}, {(int64_t{1} << 60) + 1});
  EXPECT_NE(compare(large, hostTensor<int64_t>({1}, {int64_t{1} << 60}), {0}), "");
}

TEST(Tolerance, WhatNobodyWroteSaysNothing) {
  KernelBuilder b("holes");
  const int x = b.input("x", {3}), out = b.output("out", {6});
  b.begin("s", {parallel("p", 3)});
  b.put(b.get(x, {dim(0)}), out, {dim(0) * 2 + 1});
  const auto result = interpretWithTolerance(b.finish(), {hostTensor<float>({3}, {1, 2, 3})});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->tolerances[0], (Tolerance{kInfinity, 0, kInfinity, 0, kInfinity, 0}));
  EXPECT_TRUE(std::isnan(result->outputs[0].real(0)));
  EXPECT_EQ(result->outputs[0].real(3), 2);
}

TEST(Tolerance, AnIndexThatHangsOnRoundingSaysNothing) {
  // exp(x) of two nearly equal numbers: which is larger cannot be known in float.
  KernelBuilder b("chooser");
  const int x = b.input("x", {2}), out = b.output("out", {1}, DType::I32);
  b.begin("s", {parallel("p", 1)});
  const Scalar first = exponential(b.get(x, {constant(0)})), second = exponential(b.get(x, {constant(1)}));
  b.put(cast(DType::I32, less(first, second)), out, {dim(0)});
  const Kernel kernel = b.finish();
  const auto close = interpretWithTolerance(kernel, {hostTensor<float>({2}, {1.0F, std::nextafterf(1, 2)})});
  const auto apart = interpretWithTolerance(kernel, {hostTensor<float>({2}, {1.0F, 1.01F})});
  ASSERT_TRUE(close.ok() && apart.ok());
  EXPECT_GE(close->tolerances[0][0], 1);
  EXPECT_EQ(apart->tolerances[0][0], 0);
}

}  // namespace
}  // namespace hone::tensor
