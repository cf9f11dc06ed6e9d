// Every ScalarOp on every dtype, and casts between all dtypes, on values that are not ordinary.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "tests/codegen/harness.h"

namespace hone::test {
namespace {

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<int8_t> {
  static constexpr DType kValue = DType::I8;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr DType kValue = DType::I16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType kValue = DType::I32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType kValue = DType::I64;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType kValue = DType::U8;
};
template <>
struct DTypeOf<uint16_t> {
  static constexpr DType kValue = DType::U16;
};
template <>
struct DTypeOf<uint32_t> {
  static constexpr DType kValue = DType::U32;
};
template <>
struct DTypeOf<uint64_t> {
  static constexpr DType kValue = DType::U64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType kValue = DType::F32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType kValue = DType::F64;
};

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
      return a < b ? a : b;
    case ScalarOp::Max:
      return a > b ? a : b;
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
    return std::memcmp(&a, &b, sizeof(T)) == 0;
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
    loop::Type type{DTypeOf<T>::kValue, lanes};
    ValuePtr a = load(0, p * lanes + lane, type, 1);
    ValuePtr b = load(1, p * lanes + lane, type, 1);
    std::vector<StatementPtr> body;
    auto call = [&](ScalarOp op) { return arity(op) == 1 ? apply(op, {a}) : apply(op, {a, b}); };
    for (size_t i = 0; i < ops_.size(); ++i) {
      body.push_back(store(3, p * lanes + lane + static_cast<int64_t>(i) * count, call(ops_[i]), 1));
    }
    for (size_t i = 0; i < std::size(kPredicates); ++i) {
      body.push_back(store(2, p * lanes + lane + static_cast<int64_t>(i) * count, call(kPredicates[i]), 1));
    }
    // Select by a predicate, for bools in registers.
    ValuePtr chosen = apply(ScalarOp::Select, {apply(ScalarOp::Less, {b, a}), a, b});
    body.push_back(store(3, p * lanes + lane + static_cast<int64_t>(ops_.size()) * count, chosen, 1));
    loop::Kernel kernel = kernelOf({{type.dtype, count},
                                    {type.dtype, count},
                                    {DType::Bool, count * static_cast<int64_t>(std::size(kPredicates))},
                                    {type.dtype, count * static_cast<int64_t>(ops_.size() + 1)}},
                                   p, count / lanes, block(std::move(body)));
    kernel.buffers[2].written = true;
    return kernel;
  }

  void check(int lanes, const TargetDescription &target, const std::string &name) {
    Loaded module(kernel(lanes), target);
    size_t count = left_.size();
    Aligned<T> a(count), b(count), out(count * (ops_.size() + 1));
    Aligned<uint8_t> flags(count * std::size(kPredicates), 9);
    for (size_t i = 0; i < count; ++i) {
      a[i] = left_[i];
      b[i] = right_[i];
    }
    module.run({a.data(), b.data(), flags.data(), out.data()});
    for (size_t i = 0; i < count; ++i) {
      std::string where = name + ", " + std::string(hone::name(DTypeOf<T>::kValue)) + ", " + std::to_string(lanes) +
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
      for (size_t k = 0; k < std::size(kPredicates); ++k) {
        ASSERT_EQ(flags[k * count + i], predicateReference(kPredicates[k], a[i], b[i]) ? 1 : 0)
            << hone::name(kPredicates[k]) << "; " << where;
      }
      ASSERT_TRUE(same(out[ops_.size() * count + i], b[i] < a[i] ? a[i] : b[i])) << "select; " << where;
    }
  }

 private:
  std::vector<ScalarOp> ops_;
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
  constexpr ScalarOp kOps[] = {ScalarOp::And,   ScalarOp::Or,   ScalarOp::Xor,
                               ScalarOp::Equal, ScalarOp::Less, ScalarOp::LessEqual};
  constexpr uint8_t kExpected[][4] = {{0, 0, 0, 1}, {0, 1, 1, 1}, {0, 1, 1, 0},
                                      {1, 0, 0, 1}, {0, 1, 0, 0}, {1, 1, 0, 1}};
  for (int lanes : {1, 4}) {
    IntExpr p = var(0, "p", 4 / lanes), lane = var(1, "l", lanes);
    loop::Type type{DType::Bool, lanes};
    ValuePtr a = load(0, p * lanes + lane, type, 1), b = load(1, p * lanes + lane, type, 1);
    std::vector<StatementPtr> body;
    for (int i = 0; i < 6; ++i) body.push_back(store(2, p * lanes + lane + i * 4, apply(kOps[i], {a, b}), 1));
    body.push_back(store(2, p * lanes + lane + 24, apply(ScalarOp::Not, {a}), 1));
    Loaded module(kernelOf({{DType::Bool, 4}, {DType::Bool, 4}, {DType::Bool, 28}}, p, 4 / lanes, block(body)),
                  codegen::hostTarget());
    Aligned<uint8_t> x(4), y(4), out(28, 9);
    for (size_t i = 0; i < 4; ++i) {
      x[i] = i / 2 != 0 ? 5 : 0;  // any byte but 0 is true
      y[i] = static_cast<uint8_t>(i % 2);
    }
    module.run({x.data(), y.data(), out.data()});
    for (size_t k = 0; k < 6; ++k) {
      for (size_t i = 0; i < 4; ++i) EXPECT_EQ(out[k * 4 + i], kExpected[k][i]) << hone::name(kOps[k]) << " " << i;
    }
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(out[24 + i], i < 2 ? 1 : 0);
  }
}

// ------------------------------------------------------------------------------------------------------- casts

struct Format {
  int mantissaBits, leastExponent, greatestExponent;
};

Format formatOf(DType dtype) {
  if (dtype == DType::F16) return {10, -14, 15};
  if (dtype == DType::BF16) return {7, -126, 127};
  if (dtype == DType::F32) return {23, -126, 127};
  return {52, -1022, 1023};
}

// Rounds half to even into a binary format, by its definition.
double rounded(long double x, Format format) {
  if (x == 0 || std::isnan(x) || std::isinf(x)) return static_cast<double>(x);
  int exponent = std::max(std::ilogb(x), format.leastExponent);
  long double unit = std::ldexp(1.0L, exponent - format.mantissaBits);
  long double result = std::nearbyint(x / unit) * unit;
  long double greatest = std::ldexp(2.0L - std::ldexp(1.0L, -format.mantissaBits), format.greatestExponent);
  return static_cast<double>(std::fabs(result) > greatest ? std::copysign(HUGE_VALL, x) : result);
}

uint64_t bitsOf(double x, DType dtype) {
  Format format = formatOf(dtype);
  auto total = static_cast<int>(sizeOf(dtype)) * 8;
  uint64_t sign = std::signbit(x) ? 1ULL << (total - 1) : 0;
  uint64_t exponentMask = ((1ULL << (total - 1 - format.mantissaBits)) - 1) << format.mantissaBits;
  x = std::fabs(x);
  if (std::isinf(x)) return sign | exponentMask;
  if (x == 0) return sign;
  int exponent = std::ilogb(x);
  if (exponent < format.leastExponent)
    return sign | static_cast<uint64_t>(std::ldexp(x, format.mantissaBits - format.leastExponent));
  auto mantissa = static_cast<uint64_t>(std::ldexp(x, format.mantissaBits - exponent));
  return sign | ((static_cast<uint64_t>(exponent - format.leastExponent) << format.mantissaBits) + mantissa);
}

constexpr DType kAllDTypes[] = {DType::Bool, DType::I8,  DType::I16, DType::I32,  DType::I64, DType::U8, DType::U16,
                                DType::U32,  DType::U64, DType::F16, DType::BF16, DType::F32, DType::F64};

// A number of the source type: its bits, and its value where that is a number.
struct Sample {
  uint64_t bits = 0;
  long double value = 0;
  bool isNan = false;
};

std::vector<Sample> samplesOf(DType dtype) {
  std::vector<Sample> samples;
  if (dtype == DType::Bool) return {{0, 0}, {1, 1}, {1, 1}, {0, 0}};
  if (isFloat(dtype)) {
    for (double x : {0.0,
                     -0.0,
                     1.0,
                     -1.0,
                     0.5,
                     0.49999,
                     1.5,
                     -1.5,
                     2.5,
                     3.999,
                     -3.999,
                     127.5,
                     128.0,
                     -128.9,
                     255.0,
                     256.5,
                     300.0,
                     -300.0,
                     32767.0,
                     65504.0,
                     65519.9,
                     65520.0,
                     70000.0,
                     1e-7,
                     6e-8,
                     2.9e-8,
                     3e-8,
                     1e-5,
                     1e-40,
                     2e9,
                     2147483648.0,
                     -2147483648.0,
                     4.3e9,
                     9.3e18,
                     1.9e19,
                     -1e19,
                     1e38,
                     3.5e38,
                     1e300,
                     1.00048828125,
                     1.00146484375,
                     1.000488281250001,
                     1.0004882812499,
                     0.333333333,
                     1.00390625,
                     1.01171875,
                     1.0039062500001}) {
      double value = rounded(x, formatOf(dtype));
      samples.push_back({bitsOf(value, dtype), value});
    }
    for (double x : {HUGE_VAL, -HUGE_VAL}) samples.push_back({bitsOf(x, dtype), x});
    samples.push_back({bitsOf(HUGE_VAL, dtype) | (1ULL << (formatOf(dtype).mantissaBits - 1)), 0, true});
    return samples;
  }
  int bits = static_cast<int>(sizeOf(dtype)) * 8;
  uint64_t mask = bits == 64 ? ~0ULL : (1ULL << bits) - 1;
  for (int shift : {0, 1, 4, 6, 7, 8, 11, 12, 15, 16, 17, 24, 25, 31, 32, 33, 40, 53, 54, 62, 63}) {
    for (int64_t delta : {-1, 0, 1, 3}) {
      for (int64_t sign : {1, -1}) {
        uint64_t pattern = ((1ULL << shift) + static_cast<uint64_t>(delta)) * static_cast<uint64_t>(sign) & mask;
        long double value = static_cast<long double>(pattern);
        if (isSigned(dtype) && (pattern >> (bits - 1)) != 0) value -= std::ldexp(1.0L, bits);
        samples.push_back({pattern, value});
      }
    }
  }
  return samples;
}

uint64_t castReference(const Sample &sample, DType from, DType to) {
  if (to == DType::Bool) return sample.isNan || sample.value != 0 ? 1 : 0;
  if (isFloat(to)) return bitsOf(rounded(sample.value, formatOf(to)), to);
  int bits = static_cast<int>(sizeOf(to)) * 8;
  uint64_t mask = bits == 64 ? ~0ULL : (1ULL << bits) - 1;
  if (!isFloat(from)) return static_cast<uint64_t>(static_cast<__int128>(sample.value)) & mask;
  if (sample.isNan) return 0;
  long double low = isSigned(to) ? -std::ldexp(1.0L, bits - 1) : 0;
  long double high = std::ldexp(1.0L, isSigned(to) ? bits - 1 : bits) - 1;
  long double number = std::fmin(std::fmax(std::trunc(sample.value), low), high);
  return static_cast<uint64_t>(static_cast<__int128>(number)) & mask;
}

bool isNanBits(uint64_t bits, DType dtype) {
  uint64_t infinity = bitsOf(HUGE_VAL, dtype);
  return (bits & (infinity | (infinity - 1))) > infinity;
}

void checkCasts(DType from, int lanes, const TargetDescription &target, const std::string &where) {
  std::vector<Sample> samples = samplesOf(from);
  while (samples.size() % static_cast<size_t>(lanes) != 0) samples.push_back(samples[0]);
  auto count = static_cast<int64_t>(samples.size());
  IntExpr p = var(0, "p", count / lanes), lane = var(1, "l", lanes);
  std::vector<std::pair<DType, int64_t>> buffers = {{from, count}};
  std::vector<StatementPtr> body;
  for (DType to : kAllDTypes) {
    body.push_back(store(static_cast<int>(buffers.size()), p * lanes + lane,
                         castTo(to, load(0, p * lanes + lane, {from, lanes}, 1)), 1));
    buffers.emplace_back(to, count);
  }
  loop::Kernel kernel = kernelOf(buffers, p, count / lanes, block(body));
  for (size_t i = 1; i < kernel.buffers.size(); ++i) kernel.buffers[i].written = true;
  Loaded module(kernel, target);
  std::vector<std::unique_ptr<Aligned<uint8_t>>> storage;
  std::vector<void *> pointers;
  for (auto [dtype, elements] : buffers) {
    storage.push_back(std::make_unique<Aligned<uint8_t>>(static_cast<size_t>(elements * sizeOf(dtype)), 0xee));
    pointers.push_back(storage.back()->data());
  }
  auto bytesOf = [](DType dtype) { return static_cast<size_t>(sizeOf(dtype)); };
  for (size_t i = 0; i < samples.size(); ++i)
    std::memcpy(storage[0]->data() + i * bytesOf(from), &samples[i].bits, bytesOf(from));
  module.run(pointers);
  for (size_t k = 1; k < buffers.size(); ++k) {
    DType to = buffers[k].first;
    for (size_t i = 0; i < samples.size(); ++i) {
      uint64_t got = 0;
      std::memcpy(&got, storage[k]->data() + i * bytesOf(to), bytesOf(to));
      if (samples[i].isNan && isFloat(to)) {
        ASSERT_TRUE(isNanBits(got, to)) << name(from) << " NaN to " << name(to) << " is " << std::hex << got << where;
        continue;
      }
      ASSERT_EQ(got, castReference(samples[i], from, to))
          << name(from) << " " << static_cast<double>(samples[i].value) << " to " << name(to) << where;
    }
  }
}

TEST(Casts, BetweenAllDTypes) {
  for (const auto &[name, target] : runnableTargets()) {
    for (DType from : kAllDTypes) {
      for (int lanes : {1, 4, 16})
        checkCasts(from, lanes, target, ", " + name + ", " + std::to_string(lanes) + " lanes");
    }
  }
}

TEST(Casts, HalfTypesComputeInFloat) {
  IntExpr p = var(0, "p", 2), lane = var(1, "l", 8);
  for (DType dtype : {DType::F16, DType::BF16}) {
    loop::Type type{dtype, 8};
    ValuePtr a = load(0, p * 8 + lane, type, 1);
    ValuePtr sum = apply(ScalarOp::Add, {a, apply(ScalarOp::Mul, {a, constantValue(2, type)})});
    for (const auto &[name, target] : runnableTargets()) {
      Loaded module(kernelOf({{dtype, 16}, {dtype, 16}}, p, 2, store(1, p * 8 + lane, sum, 1)), target);
      Aligned<uint16_t> in(16), out(16);
      for (size_t i = 0; i < 16; ++i) in[i] = static_cast<uint16_t>(bitsOf(static_cast<double>(i) - 4, dtype));
      module.run({in.data(), out.data()});
      for (size_t i = 0; i < 16; ++i)
        EXPECT_EQ(out[i], bitsOf(i == 4 ? 0 : 3 * (static_cast<double>(i) - 4), dtype)) << name << i;
    }
  }
}

}  // namespace
}  // namespace hone::test
