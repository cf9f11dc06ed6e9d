// HostTensor: a tensor's elements in this process, row-major. What the interpreter takes and gives. A plain value.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "compiler/base/dtype.h"

namespace hone::tensor {

struct HostTensor {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<char> bytes;  ///< row-major, without padding

  bool operator==(const HostTensor &) const = default;

  static HostTensor zeros(DType dtype, std::vector<int64_t> shape);

  int64_t elements() const;
  /// Element \p position in row-major order: any dtype as double; integers and bool (0, 1) also exactly, U64 as its
  /// bits.
  double real(int64_t position) const;
  int64_t integer(int64_t position) const;
  /// Rounds to the dtype.
  void setReal(int64_t position, double value);
  /// Wraps in the dtype (bool: != 0).
  void setInteger(int64_t position, int64_t value);
};

/// The DType of a C++ type; bool's is Bool.
template <typename T>
constexpr DType dtypeOf() {
  if constexpr (std::is_same_v<T, bool>) return DType::Bool;
  if constexpr (std::is_same_v<T, float>) return DType::F32;
  if constexpr (std::is_same_v<T, double>) return DType::F64;
  if constexpr (std::is_same_v<T, int8_t>) return DType::I8;
  if constexpr (std::is_same_v<T, int16_t>) return DType::I16;
  if constexpr (std::is_same_v<T, int32_t>) return DType::I32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::I64;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::U8;
  if constexpr (std::is_same_v<T, uint16_t>) return DType::U16;
  if constexpr (std::is_same_v<T, uint32_t>) return DType::U32;
  if constexpr (std::is_same_v<T, uint64_t>) return DType::U64;
}

/// A tensor that holds \p values.
template <typename T>
HostTensor hostTensor(std::vector<int64_t> shape, const std::vector<T> &values) {
  HostTensor result = HostTensor::zeros(dtypeOf<T>(), std::move(shape));
  for (size_t i = 0; i < values.size(); ++i) {
    const T value = values[i];  // a bool of vector<bool> has no address
    std::memcpy(result.bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return result;
}

/// \p value as \p dtype holds it: floats rounded once, half to even; integers wrapped.
double roundTo(DType dtype, double value);
int64_t wrapTo(DType dtype, int64_t value);

/// Elements of \p shape.
int64_t elementsOf(const std::vector<int64_t> &shape);

}  // namespace hone::tensor
