// RandomArrays: a fixture whose tests draw their operands from one seed. One thread at a time.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/frontend/node_model.h"
#include "tests/support/random.h"

namespace hone::test {

class RandomArrays : public ::testing::Test {
 protected:
  Array array(const std::vector<int64_t> &shape) { return Array::random(shape, random); }
  /// Whole numbers from \p low to \p high.
  Array integers(const std::vector<int64_t> &shape, int64_t low, int64_t high, DType dtype = DType::I32) {
    Array result(shape, dtype);
    for (double &value : result.values) value = static_cast<double>(random.between(low, high));
    return result;
  }

  testing::Random random{7};
};

}  // namespace hone::test
