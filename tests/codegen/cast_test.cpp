// Casts between all dtypes, on values at the limits of the formats.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/codegen/harness.h"

namespace hone::test {
namespace {

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

std::vector<Sample> floatSamples(DType dtype) {
  std::vector<Sample> samples;
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

std::vector<Sample> samplesOf(DType dtype) {
  if (dtype == DType::Bool) return {{0, 0}, {1, 1}, {1, 1}, {0, 0}};
  if (isFloat(dtype)) return floatSamples(dtype);
  std::vector<Sample> samples;
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
