#include "compiler/tensor/host_tensor.h"

#include <bit>
#include <cassert>
#include <utility>

#include "compiler/base/half.h"

namespace hone::tensor {
namespace {

template <typename T>
T loadAs(const char *from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
void storeAs(char *to, T value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

int64_t elementsOf(const std::vector<int64_t> &shape) {
  int64_t product = 1;
  for (int64_t extent : shape) product *= extent;
  return product;
}

double roundTo(DType dtype, double value) {
  switch (dtype) {
    case DType::F16:
      return halfToDouble(doubleToHalf(value));
    case DType::BF16:
      return bfloatToDouble(doubleToBFloat(value));
    case DType::F32:
      return static_cast<float>(value);
    default:
      return value;
  }
}

int64_t wrapTo(DType dtype, int64_t value) {
  switch (dtype) {
    case DType::Bool:
      return value != 0 ? 1 : 0;
    case DType::I8:
      return static_cast<int8_t>(value);
    case DType::I16:
      return static_cast<int16_t>(value);
    case DType::I32:
      return static_cast<int32_t>(value);
    case DType::U8:
      return static_cast<uint8_t>(value);
    case DType::U16:
      return static_cast<uint16_t>(value);
    case DType::U32:
      return static_cast<uint32_t>(value);
    default:
      return value;
  }
}

HostTensor HostTensor::zeros(DType dtype, std::vector<int64_t> shape) {
  HostTensor result;
  result.dtype = dtype;
  result.bytes.assign(static_cast<size_t>(elementsOf(shape) * sizeOf(dtype)), 0);
  result.shape = std::move(shape);
  return result;
}

int64_t HostTensor::elements() const { return elementsOf(shape); }

double HostTensor::real(int64_t position) const {
  const char *from = bytes.data() + position * sizeOf(dtype);
  switch (dtype) {
    case DType::F16:
      return halfToDouble(loadAs<uint16_t>(from));
    case DType::BF16:
      return bfloatToDouble(loadAs<uint16_t>(from));
    case DType::F32:
      return loadAs<float>(from);
    case DType::F64:
      return loadAs<double>(from);
    case DType::U64:
      return static_cast<double>(loadAs<uint64_t>(from));
    default:
      return static_cast<double>(integer(position));
  }
}

int64_t HostTensor::integer(int64_t position) const {
  const char *from = bytes.data() + position * sizeOf(dtype);
  switch (dtype) {
    case DType::Bool:
      return *from != 0 ? 1 : 0;
    case DType::I8:
      return loadAs<int8_t>(from);
    case DType::I16:
      return loadAs<int16_t>(from);
    case DType::I32:
      return loadAs<int32_t>(from);
    case DType::I64:
      return loadAs<int64_t>(from);
    case DType::U8:
      return loadAs<uint8_t>(from);
    case DType::U16:
      return loadAs<uint16_t>(from);
    case DType::U32:
      return loadAs<uint32_t>(from);
    case DType::U64:
      return static_cast<int64_t>(loadAs<uint64_t>(from));
    default:
      break;
  }
  assert(false && "a float tensor has no integers");
  return 0;
}

void HostTensor::setReal(int64_t position, double value) {
  char *to = bytes.data() + position * sizeOf(dtype);
  switch (dtype) {
    case DType::F16:
      return storeAs(to, doubleToHalf(value));
    case DType::BF16:
      return storeAs(to, doubleToBFloat(value));
    case DType::F32:
      return storeAs(to, static_cast<float>(value));
    case DType::F64:
      return storeAs(to, value);
    default:
      break;
  }
  assert(false && "an integer tensor takes integers");
}

void HostTensor::setInteger(int64_t position, int64_t value) {
  // The low bytes of a wrapped two's complement number are the number in the narrower type.
  static_assert(std::endian::native == std::endian::little);
  const int64_t wrapped = wrapTo(dtype, value);
  assert(!isFloat(dtype));
  std::memcpy(bytes.data() + position * sizeOf(dtype), &wrapped, static_cast<size_t>(sizeOf(dtype)));
}

}  // namespace hone::tensor
