#include "tests/frontend/node_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::test {

namespace {

size_t elements(const std::vector<int64_t> &shape) {
  size_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
  return count;
}

}  // namespace

Array::Array(std::vector<int64_t> extents, DType type)
    : shape(std::move(extents)), values(elements(shape)), dtype(type) {}

Array Array::random(std::vector<int64_t> extents, testing::Random &random, DType type) {
  Array result(std::move(extents), type);
  for (double &value : result.values) value = static_cast<double>(random.between(-64, 64)) / 64;
  return result;
}

double &Array::at(const std::vector<int64_t> &index) {
  int64_t position = 0;
  for (size_t d = 0; d < shape.size(); ++d) position = position * shape[d] + index[d];
  return values.at(static_cast<size_t>(position));
}

void forEachIndex(const std::vector<int64_t> &shape, const std::function<void(const std::vector<int64_t> &)> &visit) {
  std::vector<int64_t> index(shape.size(), 0);
  for (size_t left = elements(shape); left > 0; --left) {
    visit(index);
    for (size_t d = shape.size(); d > 0; --d) {
      if (++index[d - 1] < shape[d - 1]) break;
      index[d - 1] = 0;
    }
  }
}

void expectArray(const Array &actual, const Array &expected, double tolerance) {
  EXPECT_EQ(actual.dtype, expected.dtype);
  ASSERT_EQ(actual.shape, expected.shape);
  ASSERT_EQ(actual.values.size(), expected.values.size());
  for (size_t i = 0; i < actual.values.size(); ++i) {
    const double e = expected.values[i], a = actual.values[i];
    if (a == e || (std::isnan(e) && std::isnan(a))) continue;  // infinities too
    ASSERT_NEAR(a, e, isFloat(actual.dtype) ? tolerance * (1 + std::fabs(e)) : 0) << "element " << i;
  }
}

}  // namespace hone::test
