// The two 16-bit floating point formats as bits: conversions to and from double, rounding once, half to even.
// Pure functions; thread-safe.
#pragma once

#include <cstdint>

namespace hone {

/// IEEE 754 binary16. Overflow gives infinity; any NaN gives the quiet NaN.
uint16_t doubleToHalf(double value);
double halfToDouble(uint16_t bits);

/// The upper half of a binary32. Overflow gives infinity; any NaN gives the quiet NaN.
uint16_t doubleToBFloat(double value);
double bfloatToDouble(uint16_t bits);

}  // namespace hone
