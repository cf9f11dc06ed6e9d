#include "compiler/base/half.h"

#include <algorithm>
#include <cmath>

namespace hone {
namespace {

/// A 16-bit float with \p mantissaBits stored bits, the rest but the sign being exponent.
uint16_t encode(double value, int mantissaBits) {
  const int exponentBits = 15 - mantissaBits;
  const int bias = (1 << (exponentBits - 1)) - 1;
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const auto infinity = static_cast<uint16_t>(((1 << exponentBits) - 1) << mantissaBits);
  if (std::isnan(value)) return static_cast<uint16_t>(infinity | (1 << (mantissaBits - 1)));
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return sign | infinity;
  if (magnitude == 0) return sign;
  // Below the smallest normal exponent the distance between neighbours stays the same (subnormals).
  const int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  // A whole number of units in the last place; nearbyint rounds half to even and is exact otherwise.
  const double units = std::nearbyint(std::ldexp(magnitude, mantissaBits - exponent));
  if (exponent > bias) return sign | infinity;
  // Adding (rather than masking) lets a mantissa that rounded up carry into the exponent, up to infinity.
  const auto code = static_cast<int64_t>(units) + (static_cast<int64_t>(exponent + bias - 1) << mantissaBits);
  return static_cast<uint16_t>(sign | (code > infinity ? infinity : code));
}

double decode(uint16_t bits, int mantissaBits) {
  const int exponentBits = 15 - mantissaBits;
  const int bias = (1 << (exponentBits - 1)) - 1;
  const int exponent = (bits & 0x7fff) >> mantissaBits;
  const int mantissa = bits & ((1 << mantissaBits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponentBits) - 1) return mantissa != 0 ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign * std::ldexp((1 << mantissaBits) + mantissa, exponent - bias - mantissaBits);
}

}  // namespace

uint16_t doubleToHalf(double value) { return encode(value, 10); }
double halfToDouble(uint16_t bits) { return decode(bits, 10); }
uint16_t doubleToBFloat(double value) { return encode(value, 7); }
double bfloatToDouble(uint16_t bits) { return decode(bits, 7); }

}  // namespace hone
