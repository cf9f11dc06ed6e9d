#include "compiler/frontend/onnx/exact_sums.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "compiler/graph/constants.h"

namespace hone::frontend {
namespace {

constexpr double kLargestExact = 0x1p24;
/// Sums of magnitudes of what is not known.
constexpr double kUnknown = std::numeric_limits<double>::infinity();

using Numbers = std::vector<double>;

/// The largest magnitude that an integer of \p dtype has, without its zero point.
double largest(DType dtype, bool hasZero) {
  const double values = std::ldexp(1.0, 8 * static_cast<int>(sizeOf(dtype)));
  return hasZero || !isSigned(dtype) ? values - 1 : values / 2;
}

/// One number for each of \p count sums: of \p value, a constant of as many elements or of one; 0 where there is none.
Numbers forEachSum(const Builder &build, const std::optional<ValueId> &value, int64_t count) {
  Numbers numbers(static_cast<size_t>(count), 0);
  if (!value) return numbers;
  const graph::ConstantData *constant = build.constant(*value);
  const int64_t elements = build.type(*value).elements();
  if (constant == nullptr || (elements != 1 && elements != count)) return Numbers(numbers.size(), kUnknown);
  graph::readElements(*constant, 0, elements == 1 ? 0 : 1, count, numbers.data());
  return numbers;
}

}  // namespace

bool isExactInFloat(const Builder &build, const IntegerProduct &product) {
  const graph::ConstantData *weight = build.constant(product.weight);
  const Shape &shape = build.shape(product.weight);
  if (weight == nullptr || shape.size() < 2 || weight->type.elements() == 0) return false;
  const int64_t count = product.isAlongFirst ? shape.front() : shape.back();
  const int64_t rows = product.isAlongFirst ? count : weight->type.elements() / count;
  const Numbers zeros = forEachSum(build, product.weightZero, count), bias = forEachSum(build, product.bias, count);
  Numbers sums(static_cast<size_t>(count), 0), row(static_cast<size_t>(weight->type.elements() / rows));
  for (int64_t i = 0; i < rows; ++i) {
    graph::readElements(*weight, i * static_cast<int64_t>(row.size()), 1, static_cast<int64_t>(row.size()), row.data());
    for (size_t k = 0; k < row.size(); ++k) {
      const size_t sum = product.isAlongFirst ? static_cast<size_t>(i) : k;
      sums[sum] += std::fabs(row[k] - zeros[sum]);
    }
  }
  weight->bytes.letGo();
  const double most = largest(build.dtype(product.data), product.dataZero.has_value());
  for (size_t i = 0; i < sums.size(); ++i) {
    // Also false for what is not known.
    if (!(sums[i] * most + std::fabs(bias[i]) <= kLargestExact)) return false;
  }
  return true;
}

}  // namespace hone::frontend
