#include "tests/frontend/plain_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hone::test {
namespace {

/// exp(row) / sum, or zeros where everything is hidden.
std::vector<double> softmax(const std::vector<double> &row) {
  const double highest = *std::max_element(row.begin(), row.end());
  std::vector<double> result(row.size(), 0.0);
  if (std::isinf(highest)) return result;
  double sum = 0;
  for (size_t j = 0; j < row.size(); ++j) sum += result[j] = std::exp(row[j] - highest);
  for (double &value : result) value /= sum;
  return result;
}

}  // namespace

PlainAttentionValues plainAttention(const PlainAttention &a) {
  const int64_t keys = a.key.shape[2], size = a.query.shape[3], group = a.query.shape[1] / a.key.shape[1];
  const std::vector<int64_t> shape = {a.query.shape[0], a.query.shape[1], a.query.shape[2], keys};
  PlainAttentionValues values;
  for (Array *array : {&values.scores, &values.capped, &values.masked, &values.probabilities}) {
    *array = Array(shape, a.query.dtype);
  }
  values.output = Array({shape[0], shape[1], shape[2], a.value.shape[3]}, a.query.dtype);
  forEachIndex({shape[0], shape[1], shape[2]}, [&](const std::vector<int64_t> &at) {
    const int64_t b = at[0], h = at[1], i = at[2];
    std::vector<double> row;
    for (int64_t j = 0; j < keys; ++j) {
      double score = 0;
      for (int64_t d = 0; d < size; ++d) score += a.query.at({b, h, i, d}) * a.key.at({b, h / group, j, d});
      score *= a.scale;
      values.scores.at({b, h, i, j}) = score;
      if (a.softcap > 0) score = a.softcap * std::tanh(score / a.softcap);
      values.capped.at({b, h, i, j}) = score;
      row.push_back(a.bias ? score + a.bias(b, h, i, j) : score);
      values.masked.at({b, h, i, j}) = row.back();
    }
    row = softmax(row);
    for (int64_t j = 0; j < keys; ++j) {
      const double weight = row[static_cast<size_t>(j)];
      values.probabilities.at({b, h, i, j}) = weight;
      for (int64_t d = 0; d < a.value.shape[3]; ++d) {
        values.output.at({b, h, i, d}) += weight * a.value.at({b, h / group, j, d});
      }
    }
  });
  return values;
}

Array withHeads(const Array &data, int64_t heads) {
  const int64_t size = data.shape[2] / heads;
  Array result({data.shape[0], heads, data.shape[1], size}, data.dtype);
  forEachIndex(result.shape,
               [&](const std::vector<int64_t> &at) { result.at(at) = data.at({at[0], at[2], at[1] * size + at[3]}); });
  return result;
}

Array withoutHeads(const Array &data) {
  const int64_t size = data.shape[3];
  Array result({data.shape[0], data.shape[2], data.shape[1] * size}, data.dtype);
  forEachIndex(data.shape,
               [&](const std::vector<int64_t> &at) { result.at({at[0], at[2], at[1] * size + at[3]}) = data.at(at); });
  return result;
}

Array joined(const Array &first, const Array &second, size_t axis) {
  std::vector<int64_t> shape = first.shape;
  shape[axis] += second.shape[axis];
  Array result(shape, first.dtype);
  forEachIndex(shape, [&](const std::vector<int64_t> &at) {
    std::vector<int64_t> place = at;
    const bool isFirst = at[axis] < first.shape[axis];
    if (!isFirst) place[axis] -= first.shape[axis];
    result.at(at) = (isFirst ? first : second).at(place);
  });
  return result;
}

Array plainRotation(const Array &data, int64_t size, bool isInterleaved,
                    const std::function<double(int64_t b, int64_t i, int64_t pair)> &angle) {
  Array result = data;
  forEachIndex({data.shape[0], data.shape[1], data.shape[2], size / 2}, [&](const std::vector<int64_t> &at) {
    const int64_t pair = at[3];
    std::vector<int64_t> x = at, y = at;
    x[3] = isInterleaved ? 2 * pair : pair;
    y[3] = isInterleaved ? 2 * pair + 1 : pair + size / 2;
    const double turn = angle(at[0], at[2], pair);
    result.at(x) = data.at(x) * std::cos(turn) - data.at(y) * std::sin(turn);
    result.at(y) = data.at(x) * std::sin(turn) + data.at(y) * std::cos(turn);
  });
  return result;
}

}  // namespace hone::test
