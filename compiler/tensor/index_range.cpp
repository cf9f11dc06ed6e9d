#include "compiler/tensor/index_range.h"

#include <algorithm>
#include <vector>

#include "compiler/tensor/dims.h"

namespace hone::tensor {
namespace {

constexpr int64_t kMaxPoints = int64_t{1} << 22;
// Bounds are kept within this, so that sums and products of them stay in range.
constexpr __int128 kFar = __int128{1} << 62;

int64_t bounded(__int128 value) { return static_cast<int64_t>(std::clamp(value, -kFar, kFar)); }

int64_t floorQuotient(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

IndexRange rangeOfDType(DType dtype) {
  const int64_t bits = 8 * sizeOf(dtype);
  if (!isSigned(dtype)) return {0, bounded((__int128{1} << bits) - 1)};
  return {bounded(-(__int128{1} << (bits - 1))), bounded((__int128{1} << (bits - 1)) - 1)};
}

IndexRange product(IndexRange a, IndexRange b) {
  const auto times = [](int64_t x, int64_t y) { return bounded(static_cast<__int128>(x) * y); };
  const auto [low, high] =
      std::minmax({times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)});
  return {low, high};
}

bool hasLoad(const Index &index) {
  return index->kind == IndexKind::Load || std::any_of(index->args.begin(), index->args.end(), hasLoad);
}

int64_t evaluate(const Index &index, const std::vector<int64_t> &point) {
  const auto arg = [&](size_t i) { return evaluate(index->args[i], point); };
  switch (index->kind) {
    case IndexKind::Constant:
      return index->value;
    case IndexKind::Dim:
      return point[index->value];
    case IndexKind::Add:
      return arg(0) + arg(1);
    case IndexKind::Mul:
      return arg(0) * arg(1);
    case IndexKind::FloorDiv:
      return floorQuotient(arg(0), index->high);
    case IndexKind::Mod: {
      const int64_t value = arg(0);
      return value - floorQuotient(value, index->high) * index->high;
    }
    case IndexKind::Clamp:
      return std::clamp(arg(0), index->low, index->high);
    case IndexKind::Load:
      break;
  }
  return 0;
}

}  // namespace

IndexRange rangeOf(const Kernel &kernel, const TensorOp &op, const Index &index) {
  const auto arg = [&](size_t i) { return rangeOf(kernel, op, index->args[i]); };
  switch (index->kind) {
    case IndexKind::Constant:
      return {index->value, index->value};
    case IndexKind::Dim:
      return {0, op.dims[index->value].extent - 1};
    case IndexKind::Add: {
      const IndexRange a = arg(0), b = arg(1);
      return {bounded(static_cast<__int128>(a.low) + b.low), bounded(static_cast<__int128>(a.high) + b.high)};
    }
    case IndexKind::Mul:
      return product(arg(0), arg(1));
    case IndexKind::FloorDiv: {
      const IndexRange a = arg(0);
      return {floorQuotient(a.low, index->high), floorQuotient(a.high, index->high)};
    }
    case IndexKind::Mod: {
      const IndexRange a = arg(0);
      const int64_t block = floorQuotient(a.low, index->high);
      // Within one period the modulo only shifts.
      if (block != floorQuotient(a.high, index->high)) return {0, index->high - 1};
      return {a.low - block * index->high, a.high - block * index->high};
    }
    case IndexKind::Clamp: {
      const IndexRange a = arg(0);
      return {std::clamp(a.low, index->low, index->high), std::clamp(a.high, index->low, index->high)};
    }
    case IndexKind::Load:
      return rangeOfDType(kernel.buffers[index->buffer].dtype);
  }
  return {};
}

bool staysInside(const Kernel &kernel, const TensorOp &op, const Index &index, int64_t extent) {
  const IndexRange range = rangeOf(kernel, op, index);
  if (range.low >= 0 && range.high < extent) return true;
  if (hasLoad(index)) return false;
  std::vector<int> used;
  __int128 points = 1;
  for (int d = 0; d < static_cast<int>(op.dims.size()); ++d) {
    if (!mentions(index, d)) continue;
    used.push_back(d);
    points *= op.dims[d].extent;
    if (points > kMaxPoints) return false;
  }
  std::vector<int64_t> point(op.dims.size(), 0);
  for (int64_t n = 0; n < static_cast<int64_t>(points); ++n) {
    int64_t rest = n;
    for (int d : used) {
      point[d] = rest % op.dims[d].extent;
      rest /= op.dims[d].extent;
    }
    const int64_t value = evaluate(index, point);
    if (value < 0 || value >= extent) return false;
  }
  return true;
}

}  // namespace hone::tensor
