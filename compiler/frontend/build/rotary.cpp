#include "compiler/frontend/build/rotary.h"

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// \p count elements of the last dim, from \p first on, \p step apart.
Result lastPart(Builder &build, const Result &data, int64_t first, int64_t step, int64_t count) {
  if (!data.ok()) return data;
  Shape extents = build.shape(*data), starts(extents.size(), 0), steps(extents.size(), 1);
  starts.back() = first;
  steps.back() = step;
  extents.back() = count;
  return build.slice(data, starts, steps, extents);
}

}  // namespace

Result rotate(Builder &build, Result data, const Rotation &rotation) {
  if (!data.ok()) return data;
  const Shape shape = build.shape(*data);
  const DType dtype = build.dtype(*data), wide = accumulatorOf(dtype);
  const int64_t size = rotation.size, half = size / 2, axis = static_cast<int64_t>(shape.size()) - 1;
  if (size < 2 || size % 2 != 0 || size > shape.back()) {
    return invalid("of the ", shape.back(), " elements of a head, ", size, " cannot be turned in pairs");
  }
  for (const Result *factor : {&rotation.cosine, &rotation.sine}) {
    if (!factor->ok()) return *factor;
    if (build.shape(**factor).empty() || build.shape(**factor).back() != half) {
      return invalid("cosines and sines of shape ", graph::shapeText(build.shape(**factor)), " are not those of ", half,
                     " angles");
    }
  }
  const int64_t step = rotation.isInterleaved ? 2 : 1;
  Result x = build.cast(lastPart(build, data, 0, step, half), wide);
  Result y = build.cast(lastPart(build, data, rotation.isInterleaved ? 1 : half, step, half), wide);
  Result cosine = build.cast(rotation.cosine, wide), sine = build.cast(rotation.sine, wide);
  Result turnedX = build.apply(Op::Sub, {build.apply(Op::Mul, {x, cosine}), build.apply(Op::Mul, {y, sine})});
  Result turnedY = build.apply(Op::Add, {build.apply(Op::Mul, {x, sine}), build.apply(Op::Mul, {y, cosine})});
  std::vector<Result> parts = {build.cast(turnedX, dtype), build.cast(turnedY, dtype)};
  if (rotation.isInterleaved) {
    Shape pair = shape, turned = shape;
    pair.back() = half;
    pair.push_back(1);
    turned.back() = size;
    for (Result &part : parts) part = build.reshape(part, pair);
    parts = {build.reshape(build.concat(parts, axis + 1), turned)};
  }
  if (size < shape.back()) parts.push_back(lastPart(build, data, size, 1, shape.back() - size));
  return build.concat(parts, axis);
}

}  // namespace hone::frontend
