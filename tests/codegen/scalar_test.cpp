// Every ScalarOp but vector math on every dtype, on values that are not ordinary.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "compiler/tensor/host_tensor.h"
#include "tests/codegen/harness.h"

namespace hone::test {
namespace {

template <typename T>
std::vector<T> specialValues() {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) {
    T big = std::ldexp(T(1), Limits::digits - 1);
    return {T(0),
            -T(0),
            T(1),
            T(-1),
            T(0.5),
            T(-0.5),
            T(1.5),
            T(2.5),
            T(-2.5),
            T(3.7),
            T(-3.7),
            T(7),
            T(-7),
            T(0.1),
            Limits::denorm_min(),
            -Limits::min() / 3,
            Limits::max(),
            Limits::lowest(),
            Limits::infinity(),
            -Limits::infinity(),
            Limits::quiet_NaN(),
            big,
            -big,
            big / 2 + T(0.5),
            big - T(0.5),
            T(1e30),
            T(-12345.67)};
  } else {
    return {T(0),
            T(1),
            T(2),
            T(3),
            T(5),
            T(7),
            T(-1),
            T(-2),
            T(-3),
            T(-7),
            T(100),
            T(-100),
            Limits::max(),
            Limits::min(),
            static_cast<T>(Limits::max() - 1),
            static_cast<T>(Limits::min() + 1),
            static_cast<T>(Limits::max() / 3)};
  }
}

constexpr ScalarOp kCommon[] = {ScalarOp::Neg,      ScalarOp::Abs,      ScalarOp::Sign, ScalarOp::Floor, ScalarOp::Ceil,
                                ScalarOp::Round,    ScalarOp::Add,      ScalarOp::Sub,  ScalarOp::Mul,   ScalarOp::Div,
                                ScalarOp::FloorMod, ScalarOp::TruncMod, ScalarOp::Min,  ScalarOp::Max};
constexpr ScalarOp kFloats[] = {ScalarOp::Sqrt};
constexpr ScalarOp kIntegers[] = {ScalarOp::BitNot,    ScalarOp::BitAnd,     ScalarOp::BitOr, ScalarOp::BitXor,
                                  ScalarOp::ShiftLeft, ScalarOp::ShiftRight, ScalarOp::Pow};
constexpr ScalarOp kPredicates[] = {ScalarOp::IsNan, ScalarOp::IsInf, ScalarOp::Equal, ScalarOp::Less,
                                    ScalarOp::LessEqual};

template <typename T>
T wrap(__int128 number) {
  return static_cast<T>(static_cast<uint64_t>(number));
}

template <typename T>
T integerReference(ScalarOp op, T a, T b) {
  __int128 x = a;
  __int128 y = b;
  constexpr int kBits = sizeof(T) * 8;
  bool isBeyond = static_cast<std::make_unsigned_t<T>>(b) >= kBits;
  switch (op) {
    case ScalarOp::Neg:
      return wrap<T>(-x);
    case ScalarOp::Abs:
      return wrap<T>(x < 0 ? -x : x);
    case ScalarOp::Sign:
      return static_cast<T>(x > 0 ? 1 : x < 0 ? -1 : 0);
    case ScalarOp::Add:
      return wrap<T>(x + y);
    case ScalarOp::Sub:
      return wrap<T>(x - y);
    case ScalarOp::Mul:
      return wrap<T>(static_cast<__int128>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)));
    case ScalarOp::Div:
      return y == 0 ? T(0) : wrap<T>(x / y);
    case ScalarOp::TruncMod:
      return y == 0 ? T(0) : wrap<T>(x % y);
    case ScalarOp::FloorMod:
      return y == 0 ? T(0) : wrap<T>(((x % y) + y) % y);
    case ScalarOp::Min:
      return a < b ? a : b;
    case ScalarOp::Max:
      return a > b ? a : b;
    case ScalarOp::BitNot:
      return static_cast<T>(~a);
    case ScalarOp::BitAnd:
      return static_cast<T>(a & b);
    case ScalarOp::BitOr:
      return static_cast<T>(a | b);
    case ScalarOp::BitXor:
      return static_cast<T>(a ^ b);
    case ScalarOp::ShiftLeft:
      return isBeyond ? T(0) : static_cast<T>(static_cast<uint64_t>(a) << b);
    case ScalarOp::ShiftRight:
      return isBeyond ? static_cast<T>(a < 0 ? -1 : 0) : static_cast<T>(a >> b);
    case ScalarOp::Pow: {
      if (y < 0) return static_cast<T>(x == 1 ? 1 : x == -1 ? (y % 2 == 0 ? 1 : -1) : 0);
      uint64_t result = 1;
      uint64_t square = static_cast<uint64_t>(a);
      for (uint64_t e = static_cast<uint64_t>(b); e > 0; e >>= 1, square *= square) result *= (e & 1) != 0 ? square : 1;
      return static_cast<T>(result);
    }
    default:
      return a;  // rounding
  }
}

template <typename T>
T floatReference(ScalarOp op, T a, T b) {
  switch (op) {
    case ScalarOp::Neg:
      return -a;
    case ScalarOp::Abs:
      return std::fabs(a);
    case ScalarOp::Sign:
      return a > 0 ? T(1) : a < 0 ? T(-1) : a;
    case ScalarOp::Floor:
      return std::floor(a);
    case ScalarOp::Ceil:
      return std::ceil(a);
    case ScalarOp::Round:
      return std::nearbyint(a);
    case ScalarOp::Sqrt:
      return std::sqrt(a);
    case ScalarOp::Add:
      return a + b;
    case ScalarOp::Sub:
      return a - b;
    case ScalarOp::Mul:
      return a * b;
    case ScalarOp::Div:
      return a / b;
    case ScalarOp::TruncMod:
      return std::fmod(a, b);
    case ScalarOp::FloorMod: {
      T r = std::fmod(a, b);
      if (r == 0) return std::copysign(T(0), b);
      return (r < 0) != (b < 0) ? r + b : r;
    }
    case ScalarOp::Min:
      return std::isnan(a) || a < b ? a : b;
    case ScalarOp::Max:
      return std::isnan(a) || a > b ? a : b;
    default:
      ADD_FAILURE() << "no reference";
      return a;
  }
}

template <typename T>
bool predicateReference(ScalarOp op, T a, T b) {
  switch (op) {
    case ScalarOp::IsNan:
      return a != a;
    case ScalarOp::IsInf:
      return std::is_floating_point_v<T> && std::isinf(static_cast<double>(a)) &&
             std::fabs(static_cast<double>(a)) > 1e308;
    case ScalarOp::Equal:
      return a == b;
    case ScalarOp::Less:
      return a < b;
    default:
      return a <= b;
  }
}

template <typename T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a || b != b) return a != a && b != b;
    return a == b && std::signbit(a) == std::signbit(b);
  } else {
    return a == b;
  }
}

// One kernel computes all operations into one output, operation by operation.
template <typename T>
class Operations {
 public:
  Operations() {
    ops_.assign(std::begin(kCommon), std::end(kCommon));
    std::copy_if(std::begin(kPredicates), std::end(kPredicates), std::back_inserter(predicates_),
                 [](ScalarOp op) { return accepts(op, tensor::dtypeOf<T>()); });
    if constexpr (std::is_floating_point_v<T>) {
      ops_.insert(ops_.end(), std::begin(kFloats), std::end(kFloats));
    } else {
      ops_.insert(ops_.end(), std::begin(kIntegers), std::end(kIntegers));
    }
    for (T a : specialValues<T>()) {
      for (T b : specialValues<T>()) {
        left_.push_back(a);
        right_.push_back(b);
      }
    }
    while (left_.size() % 16 != 0) {
      left_.push_back(T(3));
      right_.push_back(T(2));
    }
  }

  loop::Kernel kernel(int lanes) const {
    auto count = static_cast<int64_t>(left_.size());
    IntExpr p = var(0, "p", count / lanes), lane = var(1, "l", lanes);
    loop::Type type{tensor::dtypeOf<T>(), lanes};
    ValuePtr a = load(0, p * lanes + lane, type, 1);
    ValuePtr b = load(1, p * lanes + lane, type, 1);
    std::vector<StatementPtr> body;
    auto call = [&](ScalarOp op) { return arity(op) == 1 ? apply(op, {a}) : apply(op, {a, b}); };
    for (size_t i = 0; i < ops_.size(); ++i) {
      body.push_back(store(3, p * lanes + lane + static_cast<int64_t>(i) * count, call(ops_[i]), 1));
    }
    for (size_t i = 0; i < predicates_.size(); ++i) {
      body.push_back(store(2, p * lanes + lane + static_cast<int64_t>(i) * count, call(predicates_[i]), 1));
    }
    // Select by a predicate, for bools in registers.
    ValuePtr chosen = apply(ScalarOp::Select, {apply(ScalarOp::Less, {b, a}), a, b});
    body.push_back(store(3, p * lanes + lane + static_cast<int64_t>(ops_.size()) * count, chosen, 1));
    loop::Kernel kernel = kernelOf({{type.dtype, count},
                                    {type.dtype, count},
                                    {DType::Bool, count * static_cast<int64_t>(predicates_.size())},
                                    {type.dtype, count * static_cast<int64_t>(ops_.size() + 1)}},
                                   p, count / lanes, block(std::move(body)));
    kernel.buffers[2].written = true;
    return kernel;
  }

  void check(int lanes, const TargetDescription &target, const std::string &name) {
    Loaded module(kernel(lanes), target);
    size_t count = left_.size();
    Aligned<T> a(count), b(count), out(count * (ops_.size() + 1));
    Aligned<uint8_t> flags(count * predicates_.size(), 9);
    for (size_t i = 0; i < count; ++i) {
      a[i] = left_[i];
      b[i] = right_[i];
    }
    module.run({a.data(), b.data(), flags.data(), out.data()});
    for (size_t i = 0; i < count; ++i) {
      std::string where = name + ", " + std::string(hone::name(tensor::dtypeOf<T>())) + ", " + std::to_string(lanes) +
                          " lanes, of " + std::to_string(a[i]) + " and " + std::to_string(b[i]);
      for (size_t k = 0; k < ops_.size(); ++k) {
        T expected = T(0);
        if constexpr (std::is_floating_point_v<T>) {
          expected = floatReference(ops_[k], a[i], b[i]);
        } else {
          expected = integerReference(ops_[k], a[i], b[i]);
        }
        T got = out[k * count + i];
        ASSERT_TRUE(same(got, expected)) << hone::name(ops_[k]) << ": " << +got << ", not " << +expected << "; "
                                         << where;
      }
      for (size_t k = 0; k < predicates_.size(); ++k) {
        ASSERT_EQ(flags[k * count + i], predicateReference(predicates_[k], a[i], b[i]) ? 1 : 0)
            << hone::name(predicates_[k]) << "; " << where;
      }
      ASSERT_TRUE(same(out[ops_.size() * count + i], b[i] < a[i] ? a[i] : b[i])) << "select; " << where;
    }
  }

 private:
  std::vector<ScalarOp> ops_, predicates_;
  std::vector<T> left_, right_;
};

template <typename T>
class ScalarOps : public ::testing::Test {};
using AllTypes =
    ::testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double>;
TYPED_TEST_SUITE(ScalarOps, AllTypes);

TYPED_TEST(ScalarOps, SpecialValues) {
  for (const auto &[name, target] : runnableTargets()) {
    for (int lanes : {1, 8, 16}) Operations<TypeParam>().check(lanes, target, name);
  }
}

TEST(ScalarOpsOnBool, Tables) {
  constexpr ScalarOp kOps[] = {ScalarOp::And,  ScalarOp::Or,        ScalarOp::Xor, ScalarOp::Equal,
                               ScalarOp::Less, ScalarOp::LessEqual, ScalarOp::Min, ScalarOp::Max};
  constexpr uint8_t kExpected[][4] = {{0, 0, 0, 1}, {0, 1, 1, 1}, {0, 1, 1, 0}, {1, 0, 0, 1},
                                      {0, 1, 0, 0}, {1, 1, 0, 1}, {0, 0, 0, 1}, {0, 1, 1, 1}};
  constexpr int kCount = std::size(kOps);
  for (int lanes : {1, 4}) {
    IntExpr p = var(0, "p", 4 / lanes), lane = var(1, "l", lanes);
    loop::Type type{DType::Bool, lanes};
    ValuePtr a = load(0, p * lanes + lane, type, 1), b = load(1, p * lanes + lane, type, 1);
    std::vector<StatementPtr> body;
    for (int i = 0; i < kCount; ++i)
      body.push_back(store(2, p * lanes + lane + int64_t{4} * i, apply(kOps[i], {a, b}), 1));
    body.push_back(store(2, p * lanes + lane + int64_t{4} * kCount, apply(ScalarOp::Not, {a}), 1));
    Loaded module(
        kernelOf({{DType::Bool, 4}, {DType::Bool, 4}, {DType::Bool, 4 * (kCount + 1)}}, p, 4 / lanes, block(body)),
        codegen::hostTarget());
    Aligned<uint8_t> x(4), y(4), out(size_t{4} * (kCount + 1), 9);
    for (size_t i = 0; i < 4; ++i) {
      x[i] = i / 2 != 0 ? 5 : 0;  // any byte but 0 is true
      y[i] = static_cast<uint8_t>(i % 2);
    }
    module.run({x.data(), y.data(), out.data()});
    for (size_t k = 0; k < kCount; ++k) {
      for (size_t i = 0; i < 4; ++i) EXPECT_EQ(out[k * 4 + i], kExpected[k][i]) << hone::name(kOps[k]) << " " << i;
    }
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(out[size_t{4} * kCount + i], i < 2 ? 1 : 0);
  }
}

}  // namespace
}  // namespace hone::test
