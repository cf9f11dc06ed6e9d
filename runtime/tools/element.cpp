#include "runtime/tools/element.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <sstream>

namespace hone::runtime {
namespace {

double fromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

template <typename Element>
double load(const void *data, size_t index) {
  Element element;
  std::memcpy(&element, static_cast<const char *>(data) + index * sizeof(Element), sizeof(Element));
  return static_cast<double>(element);
}

}  // namespace

double elementAsDouble(hone_dtype dtype, const void *data, size_t index) {
  switch (dtype) {
    case HONE_BOOL:
    case HONE_UINT8:
      return load<uint8_t>(data, index);
    case HONE_INT8:
      return load<int8_t>(data, index);
    case HONE_INT16:
      return load<int16_t>(data, index);
    case HONE_INT32:
      return load<int32_t>(data, index);
    case HONE_INT64:
      return load<int64_t>(data, index);
    case HONE_UINT16:
      return load<uint16_t>(data, index);
    case HONE_UINT32:
      return load<uint32_t>(data, index);
    case HONE_UINT64:
      return load<uint64_t>(data, index);
    case HONE_FLOAT16:
      return fromHalf(static_cast<uint16_t>(load<uint16_t>(data, index)));
    case HONE_BFLOAT16:
      return std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(data, index)) << 16);
    case HONE_FLOAT32:
      return load<float>(data, index);
    case HONE_FLOAT64:
      return load<double>(data, index);
  }
  return 0;
}

std::string typeText(hone_dtype dtype, const std::vector<int64_t> &shape) {
  std::ostringstream text;
  text << hone_dtype_name(dtype) << '[';
  for (size_t i = 0; i < shape.size(); ++i) text << (i ? "," : "") << shape[i];
  text << ']';
  return text.str();
}

}  // namespace hone::runtime
