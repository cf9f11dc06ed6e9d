// Accuracy of vector math, in units in the last place of the exact result, and its limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "tests/codegen/harness.h"
#include "tests/support/effort.h"

namespace hone::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename T>
double ulps(T got, long double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : kInfinity;
  if (std::isnan(got)) return kInfinity;
  T nearest = static_cast<T>(exact);
  if (got == nearest) return 0;
  if (std::isinf(got) || std::isinf(nearest)) return kInfinity;
  int exponent = exact == 0 ? std::numeric_limits<T>::min_exponent : std::ilogb(exact) + 1;
  exponent = std::max(exponent, std::numeric_limits<T>::min_exponent);
  long double unit = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / unit);
}

struct Function {
  ScalarOp op;
  std::function<long double(long double)> exact;
  double low, high;         // of the samples
  double limit32, limit64;  // ULP
};

std::vector<Function> functions() {
  return {{ScalarOp::Exp, [](long double x) { return std::exp(x); }, -110, 95, 1.5, 2},
          {ScalarOp::Log, [](long double x) { return std::log(x); }, 0, 4, 1.5, 1.5},
          {ScalarOp::Tanh, [](long double x) { return std::tanh(x); }, -12, 12, 3, 4},
          {ScalarOp::Erf, [](long double x) { return std::erf(x); }, -5, 5, 6, 3},
          {ScalarOp::Expm1, [](long double x) { return std::expm1(x); }, -30, 95, 2, 2},
          {ScalarOp::Log1p, [](long double x) { return std::log1p(x); }, -1, 4, 2, 2},
          {ScalarOp::Atan, [](long double x) { return std::atan(x); }, -5, 5, 3, 2},
          {ScalarOp::Sin, [](long double x) { return std::sin(x); }, -100, 100, 1.5, 1.5},
          {ScalarOp::Cos, [](long double x) { return std::cos(x); }, -100, 100, 1.5, 1.5},
          {ScalarOp::Tan, [](long double x) { return std::tan(x); }, -100, 100, 3.5, 3}};
}

/// The day's, printed once.
uint64_t seed() {
  static const uint64_t seed = hone::testing::testSeed();
  return seed;
}

template <typename T>
std::vector<T> samples(const Function &function) {
  std::mt19937_64 random(seed());
  std::vector<T> list = {T(0),
                         -T(0),
                         T(kInfinity),
                         T(-kInfinity),
                         std::numeric_limits<T>::quiet_NaN(),
                         std::numeric_limits<T>::denorm_min(),
                         std::numeric_limits<T>::min(),
                         std::numeric_limits<T>::max(),
                         std::numeric_limits<T>::lowest(),
                         T(1),
                         T(-1)};
  std::uniform_real_distribution<double> uniform(function.low, function.high);
  for (int i = 0; i < 20000; ++i) list.push_back(static_cast<T>(uniform(random)));
  // All magnitudes up to where the function still has a value of interest.
  std::uniform_real_distribution<double> exponent(std::numeric_limits<T>::min_exponent, 20);
  for (int i = 0; i < 20000; ++i) {
    double magnitude = std::exp2(exponent(random));
    list.push_back(static_cast<T>((i & 1) != 0 ? magnitude : -magnitude));
  }
  while (list.size() % 16 != 0) list.push_back(T(1));
  return list;
}

loop::Kernel unaryKernel(ScalarOp op, DType dtype, int64_t count, int lanes) {
  IntExpr p = var(0, "p", count / lanes), lane = var(1, "l", lanes);
  ValuePtr x = load(0, p * lanes + lane, {dtype, lanes}, 1);
  return kernelOf({{dtype, count}, {dtype, count}}, p, count / lanes, store(1, p * lanes + lane, apply(op, {x}), 1));
}

template <typename T>
void checkAccuracy(DType dtype) {
  for (const auto &[name, target] : runnableTargets()) {
    for (const Function &function : functions()) {
      std::vector<T> list = samples<T>(function);
      double limit = sizeof(T) == 4 ? function.limit32 : function.limit64;
      double worst = 0;
      T worstAt = 0;
      for (int lanes : {1, 4, 8, 16}) {
        Loaded module(unaryKernel(function.op, dtype, static_cast<int64_t>(list.size()), lanes), target);
        Aligned<T> in(list.size()), out(list.size());
        for (size_t i = 0; i < list.size(); ++i) in[i] = list[i];
        module.run({in.data(), out.data()});
        for (size_t i = 0; i < list.size(); ++i) {
          // Sines of huge numbers are not asked for; they stay within [-1, 1].
          bool isPeriodic =
              function.op == ScalarOp::Sin || function.op == ScalarOp::Cos || function.op == ScalarOp::Tan;
          if (isPeriodic && std::isfinite(list[i]) && std::fabs(list[i]) > T(2e6)) continue;
          double error = ulps(out[i], function.exact(list[i]));
          if (list[i] == 0) {
            EXPECT_EQ(std::signbit(out[i]), std::signbit(static_cast<T>(function.exact(list[i]))))
                << hone::name(function.op);
          }
          if (error > worst) {
            worst = error;
            worstAt = list[i];
          }
        }
      }
      std::printf("%-8s %-4s %s: %.3f ULP at %.17g\n", name.c_str(), std::string(hone::name(function.op)).c_str(),
                  std::string(shortName(dtype)).c_str(), worst, static_cast<double>(worstAt));
      EXPECT_LE(worst, limit) << hone::name(function.op) << " at " << worstAt << " for " << name;
    }
  }
}

TEST(Math, AccuracyOfFloats) { checkAccuracy<float>(DType::F32); }
TEST(Math, AccuracyOfDoubles) { checkAccuracy<double>(DType::F64); }

template <typename T>
void checkPower(DType dtype, double limit) {
  std::vector<T> bases = {T(0),
                          -T(0),
                          T(1),
                          T(-1),
                          T(2),
                          T(-2),
                          T(0.5),
                          T(-0.5),
                          T(3),
                          T(-8),
                          T(10),
                          T(1e-30),
                          T(1e30),
                          T(kInfinity),
                          T(-kInfinity),
                          std::numeric_limits<T>::quiet_NaN(),
                          std::numeric_limits<T>::denorm_min(),
                          std::numeric_limits<T>::max(),
                          T(0.999999),
                          T(1.000001)};
  std::vector<T> exponents = {T(0),
                              -T(0),
                              T(1),
                              T(-1),
                              T(2),
                              T(3),
                              T(-3),
                              T(0.5),
                              T(-0.5),
                              T(1.0 / 3),
                              T(10),
                              T(11),
                              T(-40.25),
                              T(1e6),
                              T(16777217),
                              T(1e20),
                              T(kInfinity),
                              T(-kInfinity),
                              std::numeric_limits<T>::quiet_NaN()};
  std::vector<std::pair<T, T>> pairs;
  for (T x : bases) {
    for (T y : exponents) pairs.emplace_back(x, y);
  }
  std::mt19937_64 random(seed());
  std::uniform_real_distribution<double> logarithm(-30, 30), exponent(-20, 20);
  for (int i = 0; i < 20000; ++i)
    pairs.emplace_back(static_cast<T>(std::exp2(logarithm(random))), static_cast<T>(exponent(random)));
  while (pairs.size() % 16 != 0) pairs.emplace_back(T(1), T(1));
  auto count = static_cast<int64_t>(pairs.size());
  for (const auto &[name, target] : runnableTargets()) {
    double worst = 0;
    for (int lanes : {1, 8}) {
      IntExpr p = var(0, "p", count / lanes), lane = var(1, "l", lanes);
      loop::Type type{dtype, lanes};
      ValuePtr x = load(0, p * lanes + lane, type, 1), y = load(1, p * lanes + lane, type, 1);
      Loaded module(kernelOf({{dtype, count}, {dtype, count}, {dtype, count}}, p, count / lanes,
                             store(2, p * lanes + lane, apply(ScalarOp::Pow, {x, y}), 1)),
                    target);
      Aligned<T> a(pairs.size()), b(pairs.size()), out(pairs.size());
      for (size_t i = 0; i < pairs.size(); ++i) {
        a[i] = pairs[i].first;
        b[i] = pairs[i].second;
      }
      module.run({a.data(), b.data(), out.data()});
      for (size_t i = 0; i < pairs.size(); ++i) {
        long double exact = std::pow(static_cast<long double>(a[i]), static_cast<long double>(b[i]));
        double error = ulps(out[i], exact);
        EXPECT_LE(error, limit) << name << ": " << a[i] << " to the " << b[i] << " is " << out[i] << ", not "
                                << static_cast<double>(exact);
        worst = std::max(worst, error);
      }
    }
    std::printf("%-8s pow  %s: %.3f ULP\n", name.c_str(), std::string(shortName(dtype)).c_str(), worst);
  }
}

TEST(Math, PowerOfFloats) { checkPower<float>(DType::F32, 1); }
TEST(Math, PowerOfDoubles) { checkPower<double>(DType::F64, 2.5); }

TEST(Math, SinesOfHugeNumbersAreSines) {
  Loaded module(unaryKernel(ScalarOp::Sin, DType::F32, 16, 8), codegen::hostTarget());
  Aligned<float> in(16, 3e38f), out(16);
  for (size_t i = 0; i < 16; ++i) in[i] = std::ldexp(1.37f, static_cast<int>(i) * 8);
  module.run({in.data(), out.data()});
  for (size_t i = 0; i < 16; ++i) EXPECT_LE(std::fabs(out[i]), 1.0f) << in[i];
}

TEST(Math, ContractionIsOneRounding) {
  // (1 + 2^-12)² - (1 + 2^-11) is 2^-24 exactly, and 0 when the product is rounded.
  IntExpr p = var(0, "p", 8), lane = var(1, "l", 8);
  loop::Type type{DType::F32, 8};
  ValuePtr x = load(0, lane, type, 1);
  ValuePtr value = apply(ScalarOp::Add, {apply(ScalarOp::Mul, {x, x}), load(1, lane, type, 1)});
  for (const auto &[name, target] : runnableTargets()) {
    bool hasFma = std::count(target.features.begin(), target.features.end(), "fma") > 0;
    for (bool contract : {true, false}) {
      Loaded module(
          kernelOf({{DType::F32, 8}, {DType::F32, 8}, {DType::F32, 64}}, p, 8, store(2, p * 8 + lane, value, 1)),
          target, contract);
      Aligned<float> a(8, 1 + 0x1p-12f), c(8, -1 - 0x1p-11f), out(64);
      module.run({a.data(), c.data(), out.data()});
      EXPECT_EQ(out[0], contract && hasFma ? 0x1p-24f : 0.0f) << name;
    }
  }
}

}  // namespace
}  // namespace hone::test
