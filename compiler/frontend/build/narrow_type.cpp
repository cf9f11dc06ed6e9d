#include "compiler/frontend/build/narrow_type.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hone::frontend {
namespace {

struct Row {
  std::string_view name;
  int bits;
  bool isFloat, isSigned;
  NarrowFloat format;
};

// In the order of NarrowType. Formats: mantissa, bias, largest, overflow, NaN, has infinity, has no -0.
constexpr Row kRows[] = {
    {"int2", 2, false, true, {}},
    {"int4", 4, false, true, {}},
    {"uint2", 2, false, false, {}},
    {"uint4", 4, false, false, {}},
    {"float4e2m1", 4, true, true, {1, 1, 0x7, 0x7, 0x8, false, false}},
    {"float6e2m3", 6, true, true, {3, 1, 0x1f, 0x1f, 0x20, false, false}},
    {"float6e3m2", 6, true, true, {2, 3, 0x1f, 0x1f, 0x20, false, false}},
    {"float8e4m3fn", 8, true, true, {3, 7, 0x7e, 0x7f, 0x7f, false, false}},
    {"float8e4m3fnuz", 8, true, true, {3, 8, 0x7f, 0x80, 0x80, false, true}},
    {"float8e5m2", 8, true, true, {2, 15, 0x7b, 0x7c, 0x7e, true, false}},
    {"float8e5m2fnuz", 8, true, true, {2, 16, 0x7f, 0x80, 0x80, false, true}},
    {"float8e8m0", 8, true, false, {0, 127, 0xfe, 0xff, 0xff, false, false}},
};

const Row &rowOf(NarrowType type) { return kRows[static_cast<size_t>(type)]; }

}  // namespace

std::string_view name(NarrowType type) { return rowOf(type).name; }
int bitsOf(NarrowType type) { return rowOf(type).bits; }
bool isFloat(NarrowType type) { return rowOf(type).isFloat; }
const NarrowFloat &formatOf(NarrowType type) { return rowOf(type).format; }

DType containerOf(NarrowType type) {
  const Row &row = rowOf(type);
  return row.isSigned && !row.isFloat ? DType::I8 : DType::U8;
}

double valueOf(NarrowType type, uint8_t bits) {
  const Row &row = rowOf(type);
  const NarrowFloat &format = row.format;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const int pattern = bits & ((1 << row.bits) - 1);
  if (!row.isSigned) return pattern > format.largest ? kNan : std::ldexp(1.0, pattern - format.bias);
  const int sign = 1 << (row.bits - 1), code = pattern & (sign - 1);
  if (pattern == sign && format.isZeroWithout) return kNan;
  double magnitude = 0;
  if (code > format.largest) {
    magnitude = format.hasInfinity && code == format.overflow ? std::numeric_limits<double>::infinity() : kNan;
  } else {
    const int exponent = code >> format.mantissaBits, mantissa = code & ((1 << format.mantissaBits) - 1);
    // Without an exponent the leading 1 is missing, and the last place is that of exponent 1.
    const int leading = exponent == 0 ? 0 : 1 << format.mantissaBits;
    magnitude = std::ldexp(leading + mantissa, std::max(exponent, 1) - format.bias - format.mantissaBits);
  }
  return pattern == code ? magnitude : -magnitude;
}

std::string_view name(ElementType type) { return type.narrow ? name(*type.narrow) : name(type.dtype); }
int bitsOf(ElementType type) { return type.narrow ? bitsOf(*type.narrow) : static_cast<int>(8 * sizeOf(type.dtype)); }
bool isFloat(ElementType type) { return type.narrow ? isFloat(*type.narrow) : isFloat(type.dtype); }

}  // namespace hone::frontend
