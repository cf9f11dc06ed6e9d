// Convolution, pooling, matrix product, reductions, softmax and layer norm.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/graph/evaluate_parts.h"

namespace hone::graph {
namespace {

/// Offset of the tap of a window inside one channel's plane; -1 in the padding.
template <typename WindowAttributes>
int64_t tapOffset(const WindowAttributes &window, const Shape &data, const Shape &at, const Shape &tap) {
  int64_t offset = 0;
  for (size_t d = 0; d < at.size(); ++d) {
    int64_t position = at[d] * window.strides[d] + tap[d] * window.dilations[d] - window.pads[d];
    if (position < 0 || position >= data[d + 2]) return -1;
    offset = offset * data[d + 2] + position;
  }
  return offset;
}

int64_t product(const Shape &shape, size_t begin, size_t end) {
  int64_t result = 1;
  for (size_t i = begin; i < end; ++i) result *= shape[i];
  return result;
}

template <typename T>
T startOf(ReduceKind kind) {
  using Limits = std::numeric_limits<T>;
  switch (kind) {
    case ReduceKind::Max:
      return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    case ReduceKind::Min:
      return Limits::has_infinity ? Limits::infinity() : Limits::max();
    case ReduceKind::Product:
      return 1;
    default:
      return 0;
  }
}

template <typename T>
T combine(ReduceKind kind, T a, T b) {
  if (kind == ReduceKind::Max) return a > b ? a : b;
  if (kind == ReduceKind::Min) return a < b ? a : b;
  if constexpr (std::is_same_v<T, double>) {
    return kind == ReduceKind::Product ? a * b : a + b;
  } else {
    auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
    return static_cast<T>(kind == ReduceKind::Product ? ua * ub : ua + ub);
  }
}

template <typename T>
T multiplyAdd(T sum, T a, T b) {
  return combine(ReduceKind::Sum, sum, combine(ReduceKind::Product, a, b));
}

template <typename T>
Constant matmulAs(const MatMulAttributes &matmul, const ConstantData &a, const ConstantData &b,
                  const TensorType &type) {
  std::vector<T> as = elementsOf<T>(a), bs = elementsOf<T>(b), result(static_cast<size_t>(type.elements()));
  size_t rank = type.shape.size();
  int64_t rows = type.shape[rank - 2], columns = type.shape[rank - 1];
  int64_t inner = a.type.shape[a.type.shape.size() - (matmul.transposeA ? 2 : 1)];
  Shape batch(type.shape.begin(), type.shape.end() - 2), index(batch.size(), 0);
  Shape aStrides = broadcastStrides(Shape(a.type.shape.begin(), a.type.shape.end() - 2), batch);
  Shape bStrides = broadcastStrides(Shape(b.type.shape.begin(), b.type.shape.end() - 2), batch);
  auto at = [](int64_t position) { return static_cast<size_t>(position); };
  int64_t next = 0;
  if (type.elements() == 0) return resultOf(type, result);
  do {
    int64_t aOffset = 0, bOffset = 0;
    for (size_t d = 0; d < batch.size(); ++d) {
      aOffset += index[d] * aStrides[d] * rows * inner;
      bOffset += index[d] * bStrides[d] * inner * columns;
    }
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        T sum{};
        for (int64_t k = 0; k < inner; ++k) {
          int64_t aAt = matmul.transposeA ? k * rows + i : i * inner + k;
          int64_t bAt = matmul.transposeB ? j * inner + k : k * columns + j;
          sum = multiplyAdd(sum, as[at(aOffset + aAt)], bs[at(bOffset + bAt)]);
        }
        result[at(next++)] = sum;
      }
    }
  } while (advance(index, batch));
  return resultOf(type, result);
}

template <typename T>
Constant poolAs(const PoolAttributes &pool, const ConstantData &data, const TensorType &type) {
  std::vector<T> from = elementsOf<T>(data), result(static_cast<size_t>(type.elements()));
  if (type.elements() == 0) return resultOf(type, result);
  size_t rank = type.shape.size();
  int64_t plane = product(data.type.shape, 2, rank), taps = product(pool.kernel, 0, pool.kernel.size());
  ReduceKind kind = pool.kind == PoolKind::Max ? ReduceKind::Max : ReduceKind::Sum;
  Shape spatial(type.shape.begin() + 2, type.shape.end());
  int64_t next = 0;
  for (int64_t channel = 0; channel < type.shape[0] * type.shape[1]; ++channel) {
    Shape at(spatial.size(), 0);
    do {
      T value = startOf<T>(kind);
      int64_t inside = 0;
      Shape tap(spatial.size(), 0);
      do {
        int64_t offset = tapOffset(pool, data.type.shape, at, tap);
        if (offset < 0) continue;
        value = combine(kind, value, from[static_cast<size_t>(channel * plane + offset)]);
        ++inside;
      } while (advance(tap, pool.kernel));
      // A window that lies in the padding altogether averages to 0.
      int64_t divisor = pool.countPadding ? taps : std::max<int64_t>(inside, 1);
      if (pool.kind == PoolKind::Average) value = value / static_cast<T>(divisor);
      result[static_cast<size_t>(next++)] = value;
    } while (advance(at, spatial));
  }
  return resultOf(type, result);
}

template <typename T>
Constant reduceAs(const ReduceAttributes &reduce, const ConstantData &data, const TensorType &type) {
  std::vector<T> from = elementsOf<T>(data);
  std::vector<T> result(static_cast<size_t>(type.elements()), startOf<T>(reduce.kind));
  // Where each element goes: the kept dims' strides in the result, 0 along the reduced ones.
  Shape kept = data.type.shape, strides;
  int64_t count = 1;
  for (int64_t axis : reduce.axes) count *= std::exchange(kept[static_cast<size_t>(axis)], 1);
  strides = broadcastStrides(kept, data.type.shape);
  Shape index(kept.size(), 0);
  if (!from.empty()) {
    size_t next = 0;
    do {
      int64_t offset = 0;
      for (size_t d = 0; d < index.size(); ++d) offset += index[d] * strides[d];
      T &to = result[static_cast<size_t>(offset)];
      to = combine(reduce.kind, to, from[next++]);
    } while (advance(index, data.type.shape));
  }
  if (reduce.kind == ReduceKind::Mean && count > 0) {
    for (T &value : result) value = value / static_cast<T>(count);
  }
  return resultOf(type, result);
}

}  // namespace

Constant evaluateConv(const ConvAttributes &conv, const std::vector<Constant> &inputs, const TensorType &type) {
  std::vector<double> data = elementsOf<double>(*inputs[0]), weight = elementsOf<double>(*inputs[1]), bias;
  if (inputs.size() == 3) bias = elementsOf<double>(*inputs[2]);
  const Shape &dataShape = inputs[0]->type.shape, &weightShape = inputs[1]->type.shape;
  Shape kernel(weightShape.begin() + 2, weightShape.end()), spatial(type.shape.begin() + 2, type.shape.end());
  int64_t plane = product(dataShape, 2, dataShape.size()), taps = product(kernel, 0, kernel.size());
  int64_t channels = weightShape[1], outputs = type.shape[1];
  std::vector<double> result(static_cast<size_t>(type.elements()));
  if (result.empty()) return resultOf(type, result);
  size_t next = 0;
  for (int64_t row = 0; row < type.shape[0] * outputs; ++row) {
    int64_t image = row / outputs, output = row % outputs, group = output / (outputs / conv.groups);
    Shape at(spatial.size(), 0);
    do {
      double sum = bias.empty() ? 0 : bias[static_cast<size_t>(output)];
      Shape tap(spatial.size(), 0);
      int64_t tapPosition = 0;
      do {
        int64_t offset = tapOffset(conv, dataShape, at, tap);
        int64_t weightAt = output * channels * taps + tapPosition++;
        if (offset < 0) continue;
        int64_t dataAt = (image * dataShape[1] + group * channels) * plane + offset;
        for (int64_t c = 0; c < channels; ++c) {
          sum += data[static_cast<size_t>(dataAt + c * plane)] * weight[static_cast<size_t>(weightAt + c * taps)];
        }
      } while (advance(tap, kernel));
      result[next++] = sum;
    } while (advance(at, spatial));
  }
  return resultOf(type, result);
}

Constant evaluatePool(const PoolAttributes &pool, const ConstantData &data, const TensorType &type) {
  return withComputeType(type.dtype, [&]<typename T>(T) { return poolAs<T>(pool, data, type); });
}

Constant evaluateMatMul(const MatMulAttributes &matmul, const ConstantData &a, const ConstantData &b,
                        const TensorType &type) {
  return withComputeType(type.dtype, [&]<typename T>(T) { return matmulAs<T>(matmul, a, b, type); });
}

Constant evaluateReduce(const ReduceAttributes &reduce, const ConstantData &data, const TensorType &type) {
  return withComputeType(type.dtype, [&]<typename T>(T) { return reduceAs<T>(reduce, data, type); });
}

Constant evaluateSoftmax(int64_t axis, bool logarithm, const ConstantData &data) {
  std::vector<double> values = elementsOf<double>(data);
  int64_t extent = data.type.shape[static_cast<size_t>(axis)];
  int64_t inner = product(data.type.shape, static_cast<size_t>(axis) + 1, data.type.shape.size());
  int64_t rows = values.empty() ? 0 : data.type.elements() / extent;
  for (int64_t row = 0; row < rows; ++row) {
    double *begin = values.data() + row / inner * inner * extent + row % inner;
    double maximum = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < extent; ++i) maximum = std::max(maximum, begin[i * inner]);
    for (int64_t i = 0; i < extent; ++i) sum += std::exp(begin[i * inner] - maximum);
    for (int64_t i = 0; i < extent; ++i) {
      double &value = begin[i * inner];
      value = logarithm ? value - maximum - std::log(sum) : std::exp(value - maximum) / sum;
    }
  }
  return resultOf(data.type, values);
}

Constant evaluateLayerNorm(const LayerNormAttributes &norm, const std::vector<Constant> &inputs) {
  const TensorType &type = inputs[0]->type;
  std::vector<double> values = elementsOf<double>(*inputs[0]);
  Shape row(type.shape.begin() + norm.axis, type.shape.end());
  std::vector<double> scale = elementsOf<double>(*inputs[1]), shift = elementsOf<double>(*inputs[2]);
  Shape scaleStrides = broadcastStrides(inputs[1]->type.shape, row);
  Shape shiftStrides = broadcastStrides(inputs[2]->type.shape, row);
  int64_t extent = product(row, 0, row.size());
  for (size_t begin = 0; begin < values.size(); begin += static_cast<size_t>(extent)) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < static_cast<size_t>(extent); ++i) sum += values[begin + i];
    double mean = sum / static_cast<double>(extent);
    for (size_t i = 0; i < static_cast<size_t>(extent); ++i) {
      squares += (values[begin + i] - mean) * (values[begin + i] - mean);
    }
    double factor = 1 / std::sqrt(squares / static_cast<double>(extent) + norm.epsilon);
    Shape index(row.size(), 0);
    size_t next = begin;
    do {
      int64_t scaleAt = 0, shiftAt = 0;
      for (size_t d = 0; d < index.size(); ++d) {
        scaleAt += index[d] * scaleStrides[d];
        shiftAt += index[d] * shiftStrides[d];
      }
      double normal = (values[next] - mean) * factor;
      values[next++] = normal * scale[static_cast<size_t>(scaleAt)] + shift[static_cast<size_t>(shiftAt)];
    } while (advance(index, row));
  }
  return resultOf(type, values);
}

}  // namespace hone::graph
