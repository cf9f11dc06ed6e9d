// The parts of evaluate(), by kind of op, and what they share. Internal to the folder's evaluation; pure functions.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/graph.h"

namespace hone::graph {

/// Calls \p function with a zero of the type that \p dtype is computed in: double, int64_t or uint64_t.
template <typename Function>
auto withComputeType(DType dtype, Function function) {
  if (isFloat(dtype)) return function(double{});
  if (dtype == DType::U64) return function(uint64_t{});
  return function(int64_t{});
}

// u64 travels as its bits.
inline void readElements(const ConstantData &constant, int64_t begin, int64_t stride, int64_t count, uint64_t *to) {
  readElements(constant, begin, stride, count, reinterpret_cast<int64_t *>(to));
}
inline void writeElements(std::span<char> bytes, DType dtype, int64_t begin, int64_t count, const uint64_t *from) {
  writeElements(bytes, dtype, begin, count, reinterpret_cast<const int64_t *>(from));
}

template <typename T>
std::vector<T> elementsOf(const ConstantData &constant) {
  std::vector<T> elements(static_cast<size_t>(constant.type.elements()));
  readElements(constant, 0, 1, constant.type.elements(), elements.data());
  return elements;
}

inline std::shared_ptr<ConstantData> makeResult(const TensorType &type) {
  auto result = std::make_shared<ConstantData>();
  result->type = type;
  result->bytes.resize(static_cast<size_t>(type.elements() * sizeOf(type.dtype)));
  return result;
}

template <typename T>
Constant resultOf(const TensorType &type, const std::vector<T> &elements) {
  std::shared_ptr<ConstantData> result = makeResult(type);
  writeElements(result->bytes, type.dtype, 0, type.elements(), elements.data());
  return result;
}

/// Row-major strides in elements.
Shape stridesOf(const Shape &shape);
/// Strides of an operand of shape \p from read at the indices of \p to: 0 where it is broadcast.
Shape broadcastStrides(const Shape &from, const Shape &to);

/// Moves \p index to the next position of \p shape in row-major order; false after the last one.
bool advance(Shape &index, const Shape &shape);

Constant evaluateElementwise(ScalarOp op, const std::vector<Constant> &inputs, const TensorType &type);
Constant evaluateConv(const ConvAttributes &conv, const std::vector<Constant> &inputs, const TensorType &type);
Constant evaluatePool(const PoolAttributes &pool, const ConstantData &data, const TensorType &type);
Constant evaluateMatMul(const MatMulAttributes &matmul, const ConstantData &a, const ConstantData &b,
                        const TensorType &type);
Constant evaluateReduce(const ReduceAttributes &reduce, const ConstantData &data, const TensorType &type);
Constant evaluateSoftmax(int64_t axis, bool logarithm, const ConstantData &data);
Constant evaluateLayerNorm(const LayerNormAttributes &norm, const std::vector<Constant> &inputs);
absl::StatusOr<Constant> evaluateCompute(const ComputeAttributes &compute, const std::vector<Constant> &inputs);
/// What evaluateCompute() takes in the steps of evaluationSteps().
double interpretationSteps(const ComputeAttributes &compute);

}  // namespace hone::graph
