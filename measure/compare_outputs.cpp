#include "measure/compare_outputs.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/tensor/host_tensor.h"

namespace hone::measure {

namespace {

/// Offsets of all elements in row-major order.
std::vector<int64_t> placesOf(const tensor::Buffer &buffer) {
  std::vector<int64_t> places(static_cast<size_t>(tensor::elementsOf(buffer.shape)));
  std::vector<int64_t> index(buffer.shape.size(), 0);
  for (int64_t &place : places) {
    place = buffer.layout.offset(index);
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < buffer.shape[d]) break;
      index[d] = 0;
    }
  }
  return places;
}

double stepOf(DType dtype) {
  if (dtype == DType::F16) return 0x1p-10;
  if (dtype == DType::BF16) return 0x1p-7;
  return 0;
}

bool isNear(double expected, double got, double allowed) {
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got);
  if (std::isinf(expected) || std::isinf(got)) return expected == got;
  return std::abs(expected - got) <= allowed;
}

}  // namespace

ExpectedOutput::ExpectedOutput(tensor::Buffer buffer, std::vector<char> bytes)
    : buffer_(std::move(buffer)), bytes_(std::move(bytes)) {
  const int64_t elements = tensor::elementsOf(buffer_.shape);
  if (buffer_.layout.elements() != elements) places_ = placesOf(buffer_);
  const std::string_view all(bytes_.data(), bytes_.size());
  for (int64_t i = 0; i < elements; ++i) {
    const double size = std::abs(at(all, places_.empty() ? i : places_[static_cast<size_t>(i)]));
    if (std::isfinite(size)) largest_ = std::max(largest_, size);
  }
}

double ExpectedOutput::at(std::string_view bytes, int64_t position) const {
  const auto size = static_cast<size_t>(sizeOf(buffer_.dtype));
  const char *from = bytes.data() + static_cast<size_t>(position) * size;
  if (buffer_.dtype == DType::F32) {
    float value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  tensor::HostTensor one{buffer_.dtype, {1}, {from, from + size}};
  return one.real(0);
}

std::string ExpectedOutput::difference(std::string_view got, double tolerance) const {
  const std::string_view expected(bytes_.data(), bytes_.size());
  if (got.size() != expected.size())
    return absl::StrCat("output '", buffer_.name, "' has ", got.size(), " bytes instead of ", expected.size());
  if (got == expected) return "";
  const double part = std::max(tolerance, 2 * stepOf(buffer_.dtype));
  const double allowed = isFloat(buffer_.dtype) ? part * largest_ : 1;
  const int64_t elements = tensor::elementsOf(buffer_.shape);
  for (int64_t i = 0; i < elements; ++i) {
    const int64_t place = places_.empty() ? i : places_[static_cast<size_t>(i)];
    const double want = at(expected, place), is = at(got, place);
    if (isNear(want, is, allowed)) continue;
    return absl::StrCat("output '", buffer_.name, "' is ", is, " instead of ", want, " at element ", place,
                        " of its memory; the largest is ", largest_, " and ", allowed, " is allowed");
  }
  return "";
}

}  // namespace hone::measure
