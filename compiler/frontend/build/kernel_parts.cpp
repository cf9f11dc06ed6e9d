#include "compiler/frontend/build/kernel_parts.h"

#include <numeric>

#include "compiler/graph/constants.h"

namespace hone::frontend {
namespace {

// Positions are a constant: nobody may ask for gigabytes of it with a few bytes of model.
constexpr int64_t kMostPositions = 1 << 22;

}  // namespace

StageDims dimsOver(const Shape &shape, const std::string &name, const std::set<size_t> &scans,
                   const std::set<size_t> &folded) {
  StageDims result;
  result.at.resize(shape.size());
  for (const tensor::DimKind kind : {tensor::DimKind::Scan, tensor::DimKind::Parallel, tensor::DimKind::Reduction}) {
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const tensor::DimKind own = scans.count(axis) != 0    ? tensor::DimKind::Scan
                                  : folded.count(axis) != 0 ? tensor::DimKind::Reduction
                                                            : tensor::DimKind::Parallel;
      if (own != kind) continue;
      result.at[axis] = tensor::dim(static_cast<int>(result.dims.size()));
      result.dims.push_back({absl::StrCat(name, axis), shape[axis], kind});
    }
  }
  return result;
}

tensor::Index placeFrom(int buffer, Indices at, int64_t extent) {
  return tensor::elementAt(tensor::load(buffer, std::move(at)), extent);
}

tensor::Index targetFrom(int buffer, Indices at, int64_t extent) {
  return tensor::targetAt(tensor::load(buffer, std::move(at)), extent);
}

Shape withoutAxis(const Shape &shape, size_t axis) {
  Shape result = shape;
  result.erase(result.begin() + static_cast<std::ptrdiff_t>(axis));
  return result;
}

Indices withoutAxis(const Indices &indices, size_t axis) {
  Indices result = indices;
  result.erase(result.begin() + static_cast<std::ptrdiff_t>(axis));
  return result;
}

Indices withIndex(Indices indices, size_t axis, tensor::Index index) {
  indices[axis] = std::move(index);
  return indices;
}

DType accumulatorOf(DType dtype) { return dtype == DType::F16 || dtype == DType::BF16 ? DType::F32 : dtype; }

Result positions(Builder &build, DType dtype, int64_t extent, int64_t behind) {
  if (extent > kMostPositions) return unsupported("an axis of ", extent, " elements; at most ", kMostPositions);
  Shape shape(static_cast<size_t>(behind) + 1, 1);
  shape[0] = extent;
  std::vector<int64_t> values(static_cast<size_t>(extent));
  std::iota(values.begin(), values.end(), 0);
  return build.constant(graph::makeConstant({dtype, std::move(shape)}, values));
}

}  // namespace hone::frontend
