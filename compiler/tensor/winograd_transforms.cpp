#include "compiler/tensor/winograd_transforms.h"

#include <cstdint>
#include <cstring>
#include <string_view>

#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/kernel_builder.h"
#include "compiler/tensor/winograd_match.h"

namespace hone::tensor {
namespace {

/// What F(m, 3) does to a line of m + 2 data: B^T. Lines of m = 4 share their even and odd parts.
std::vector<Scalar> dataLine(const std::vector<Scalar> &d) {
  const auto times = [&](double factor, const Scalar &x) { return number(factor, x->dtype) * x; };
  if (d.size() == 4) return {d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]};
  const Scalar even = d[4] - times(4, d[2]), odd = d[3] - times(4, d[1]);
  const Scalar far = d[4] - d[2], twice = times(2, d[3] - d[1]);
  return {times(4, d[0]) - times(5, d[2]) + d[4], even + odd, even - odd, far + twice, far - twice,
          times(4, d[1]) - times(5, d[3]) + d[5]};
}

/// What it does to a line of m + 2 products, giving m results: A^T.
std::vector<Scalar> resultLine(const std::vector<Scalar> &m) {
  const auto times = [&](double factor, const Scalar &x) { return number(factor, x->dtype) * x; };
  if (m.size() == 4) return {m[0] + m[1] + m[2], m[1] - m[2] - m[3]};
  const Scalar sum = m[1] + m[2], difference = m[1] - m[2], farSum = m[3] + m[4], farDifference = m[3] - m[4];
  return {m[0] + sum + farSum, difference + times(2, farDifference), sum + times(4, farSum),
          difference + times(8, farDifference) + m[5]};
}

/// \p line along the columns of \p values, then along the rows.
Grid inBothDirections(const Grid &values, std::vector<Scalar> (*line)(const std::vector<Scalar> &)) {
  Grid columns;
  for (size_t x = 0; x < values.size(); ++x) {
    std::vector<Scalar> column;
    for (const std::vector<Scalar> &row : values) column.push_back(row[x]);
    columns.push_back(line(column));
  }
  Grid result;
  for (size_t y = 0; y < columns[0].size(); ++y) {
    std::vector<Scalar> row;
    for (const std::vector<Scalar> &column : columns) row.push_back(column[y]);
    result.push_back(line(row));
  }
  return result;
}

}  // namespace

Grid transformedData(const Grid &data) { return inBothDirections(data, dataLine); }
Grid transformedBack(const Grid &products) { return inBothDirections(products, resultLine); }

std::vector<char> transformed(const WeightTransform &transform, std::string_view weights,
                              const std::vector<int64_t> &shape) {
  // G: taps to points, as in the paper with the points 0, 1, -1, 2, -2.
  static constexpr double kTwo[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  static constexpr double kFour[6][3] = {{1.0 / 4, 0, 0},
                                         {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                         {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                         {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                         {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                         {0, 0, 1}};
  const auto *const g = transform.tile == 2 ? kTwo : kFour;
  const int64_t points = transform.tile + kWinogradTaps - 1;
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t k = shape.size() - 1; k-- > 0;) strides[k] = strides[k + 1] * shape[k + 1];
  // Offsets of the weights' first taps, in row-major order of the other dims.
  std::vector<int64_t> bases = {0};
  for (size_t k = 0; k < shape.size(); ++k) {
    if (k == transform.y || k == transform.x) continue;
    std::vector<int64_t> next;
    next.reserve(bases.size() * static_cast<size_t>(shape[k]));
    for (const int64_t base : bases)
      for (int64_t i = 0; i < shape[k]; ++i) next.push_back(base + i * strides[k]);
    bases = std::move(next);
  }
  const size_t count = bases.size();
  std::vector<char> result(static_cast<size_t>(points * points) * count * sizeof(float));
  const auto weight = [&](int64_t offset) {
    float value = 0;
    memcpy(&value, weights.data() + static_cast<size_t>(offset) * sizeof value, sizeof value);
    return static_cast<double>(value);
  };
  for (size_t w = 0; w < count; ++w) {
    double rows[6][kWinogradTaps];
    for (int64_t a = 0; a < points; ++a) {
      for (int64_t j = 0; j < kWinogradTaps; ++j) {
        rows[a][j] = 0;
        for (int64_t i = 0; i < kWinogradTaps; ++i)
          rows[a][j] += g[a][i] * weight(bases[w] + i * strides[transform.y] + j * strides[transform.x]);
      }
    }
    for (int64_t a = 0; a < points; ++a) {
      for (int64_t b = 0; b < points; ++b) {
        double sum = 0;
        for (int64_t j = 0; j < kWinogradTaps; ++j) sum += g[b][j] * rows[a][j];
        const auto rounded = static_cast<float>(sum);
        memcpy(result.data() + (static_cast<size_t>(a * points + b) * count + w) * sizeof rounded, &rounded,
               sizeof rounded);
      }
    }
  }
  return result;
}

}  // namespace hone::tensor
