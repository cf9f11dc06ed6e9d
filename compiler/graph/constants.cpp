#include "compiler/graph/constants.h"

#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "compiler/base/half.h"

namespace hone::graph {
namespace {

struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

double toDouble(Half half) { return halfToDouble(half.bits); }
double toDouble(Brain brain) { return bfloatToDouble(brain.bits); }

template <typename T>
int64_t saturate(double value) {
  if (std::isnan(value)) return 0;
  auto low = static_cast<double>(std::numeric_limits<T>::min());
  auto high = static_cast<double>(std::numeric_limits<T>::max());
  if (value <= low) return static_cast<int64_t>(std::numeric_limits<T>::min());
  if (value >= high) return static_cast<int64_t>(std::numeric_limits<T>::max());
  return static_cast<int64_t>(static_cast<T>(value));
}

/// Calls \p function with a value of the C++ type that stores \p dtype.
template <typename Function>
auto withStorage(DType dtype, Function function) {
  switch (dtype) {
    case DType::Bool:
      return function(bool{});
    case DType::I8:
      return function(int8_t{});
    case DType::I16:
      return function(int16_t{});
    case DType::I32:
      return function(int32_t{});
    case DType::I64:
      return function(int64_t{});
    case DType::U8:
      return function(uint8_t{});
    case DType::U16:
      return function(uint16_t{});
    case DType::U32:
      return function(uint32_t{});
    case DType::U64:
      return function(uint64_t{});
    case DType::F16:
      return function(Half{});
    case DType::BF16:
      return function(Brain{});
    case DType::F32:
      return function(float{});
    case DType::F64:
      break;
  }
  return function(double{});
}

template <typename T>
constexpr bool kSmallFloat = std::is_same_v<T, Half> || std::is_same_v<T, Brain>;

/// The stored bytes of a bool may be any: everything but 0 is true.
template <typename T>
T loadAs(const char *from) {
  if constexpr (std::is_same_v<T, bool>) {
    return *from != 0;
  } else {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }
}

template <typename To, typename T>
To convertTo(T stored) {
  if constexpr (kSmallFloat<T>) {
    return convertTo<To>(toDouble(stored));
  } else if constexpr (std::is_same_v<To, int64_t> && std::is_floating_point_v<T>) {
    return saturate<int64_t>(stored);
  } else {
    return static_cast<To>(stored);
  }
}

template <typename T, typename From>
T convertFrom(From value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_same_v<T, Half>) {
    return {doubleToHalf(static_cast<double>(value))};
  } else if constexpr (std::is_same_v<T, Brain>) {
    return {doubleToBFloat(static_cast<double>(value))};
  } else if constexpr (std::is_integral_v<T> && std::is_same_v<From, double>) {
    return static_cast<T>(saturate<T>(value));
  } else {
    return static_cast<T>(value);
  }
}

template <typename To>
void read(const ConstantData &constant, int64_t begin, int64_t stride, int64_t count, To *to) {
  withStorage(constant.type.dtype, [&]<typename T>(T) {
    const char *from = constant.bytes.data() + begin * static_cast<int64_t>(sizeof(T));
    int64_t step = stride * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < count; ++i) to[i] = convertTo<To>(loadAs<T>(from + i * step));
  });
}

template <typename From>
void write(std::span<char> bytes, DType dtype, int64_t begin, int64_t count, const From *from) {
  withStorage(dtype, [&]<typename T>(T) {
    char *to = bytes.data() + begin * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < count; ++i) {
      T value = convertFrom<T>(from[i]);
      std::memcpy(to + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
    }
  });
}

template <typename From>
Constant make(TensorType type, const std::vector<From> &elements) {
  assert(type.elements() == static_cast<int64_t>(elements.size()));
  auto data = std::make_shared<ConstantData>();
  data->bytes.resize(elements.size() * static_cast<size_t>(sizeOf(type.dtype)));
  write(data->bytes, type.dtype, 0, static_cast<int64_t>(elements.size()), elements.data());
  data->type = std::move(type);
  return data;
}

}  // namespace

double elementAsDouble(const ConstantData &constant, int64_t position) {
  double result = 0;
  read(constant, position, 1, 1, &result);
  return result;
}

int64_t elementAsInteger(const ConstantData &constant, int64_t position) {
  int64_t result = 0;
  read(constant, position, 1, 1, &result);
  return result;
}

void readElements(const ConstantData &constant, int64_t begin, int64_t stride, int64_t count, double *to) {
  read(constant, begin, stride, count, to);
}
void readElements(const ConstantData &constant, int64_t begin, int64_t stride, int64_t count, int64_t *to) {
  read(constant, begin, stride, count, to);
}
void writeElements(std::span<char> bytes, DType dtype, int64_t begin, int64_t count, const double *from) {
  write(bytes, dtype, begin, count, from);
}
void writeElements(std::span<char> bytes, DType dtype, int64_t begin, int64_t count, const int64_t *from) {
  write(bytes, dtype, begin, count, from);
}

Constant makeConstant(TensorType type, const std::vector<double> &elements) { return make(std::move(type), elements); }
Constant makeConstant(TensorType type, const std::vector<int64_t> &elements) { return make(std::move(type), elements); }

Constant makeFilled(TensorType type, double element) {
  auto count = static_cast<size_t>(type.elements());
  return make(std::move(type), std::vector<double>(count, element));
}

std::optional<double> uniformElement(const ConstantData &constant) {
  int64_t count = constant.type.elements(), size = sizeOf(constant.type.dtype);
  if (count == 0) return std::nullopt;
  const char *bytes = constant.bytes.data();
  // All elements equal the first exactly when the bytes repeat with the element's period.
  if (std::memcmp(bytes, bytes + size, static_cast<size_t>((count - 1) * size)) != 0) return std::nullopt;
  double first = elementAsDouble(constant, 0);
  if (std::isnan(first)) return std::nullopt;
  return first;
}

}  // namespace hone::graph
