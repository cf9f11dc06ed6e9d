#include "runtime/tools/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "runtime/tools/element.h"

namespace hone::runtime {
namespace {

bool isFloat(hone_dtype dtype) {
  return dtype == HONE_FLOAT16 || dtype == HONE_BFLOAT16 || dtype == HONE_FLOAT32 || dtype == HONE_FLOAT64;
}

/// "[1,0,3]" for the element at \p index of the flattened array.
std::string position(const std::vector<int64_t> &shape, size_t index) {
  std::vector<size_t> indices(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    indices[i] = index % static_cast<size_t>(shape[i]);
    index /= static_cast<size_t>(shape[i]);
  }
  std::ostringstream text;
  text << '[';
  for (size_t i = 0; i < indices.size(); ++i) text << (i ? "," : "") << indices[i];
  text << ']';
  return text.str();
}

bool isNear(double actual, double expected, const Tolerance &tolerance) {
  if (std::isnan(expected) || std::isnan(actual)) return std::isnan(expected) && std::isnan(actual);
  if (std::isinf(expected) || std::isinf(actual)) return actual == expected;
  return std::fabs(actual - expected) <= tolerance.absolute + tolerance.relative * std::fabs(expected);
}

void noteDistance(double actual, double expected, Difference &result) {
  if (!std::isfinite(actual) || !std::isfinite(expected)) return;
  const double distance = std::fabs(actual - expected);
  result.largestAbsolute = std::max(result.largestAbsolute, distance);
  if (expected != 0) result.largestRelative = std::max(result.largestRelative, distance / std::fabs(expected));
}

}  // namespace

Difference compareArrays(hone_dtype dtype, const std::vector<int64_t> &shape, const void *data, const Array &expected,
                         const Tolerance &tolerance) {
  Difference result;
  if (dtype != expected.dtype || shape != expected.shape) {
    result.agrees = false;
    result.sentence = typeText(dtype, shape) + " instead of " + typeText(expected.dtype, expected.shape);
    return result;
  }
  const size_t size = hone_dtype_size(dtype);
  const size_t count = expected.bytes.size() / size;
  size_t first = 0;
  for (size_t i = 0; i < count; ++i) {
    const double actual = elementAsDouble(dtype, data, i);
    const double wanted = elementAsDouble(dtype, expected.bytes.data(), i);
    noteDistance(actual, wanted, result);
    const bool agrees = isFloat(dtype) ? isNear(actual, wanted, tolerance)
                                       : std::memcmp(static_cast<const char *>(data) + i * size,
                                                     expected.bytes.data() + i * size, size) == 0;
    if (agrees) continue;
    if (result.elements++ == 0) first = i;
  }
  if (result.elements == 0) return result;
  result.agrees = false;
  std::ostringstream sentence;
  sentence.precision(9);
  sentence << result.elements << " of " << count << (count == 1 ? " element differs" : " elements differ")
           << ", the first at " << position(shape, first) << ": " << elementAsDouble(dtype, data, first)
           << " instead of " << elementAsDouble(dtype, expected.bytes.data(), first);
  result.sentence = sentence.str();
  return result;
}

}  // namespace hone::runtime
