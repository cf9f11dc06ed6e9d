// Pad where the size of a dim that grows depends on data: each element of the result says which one it is.
#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {
namespace {

Result integer(Builder &build, int64_t value) { return build.integer(DType::I64, value); }

/// Place \p place, which may lie in front of or behind \p size elements, as one of them.
Result placeWithin(Builder &build, const Result &place, const Result &size, graph::PadMode mode) {
  const Result zero = integer(build, 0), last = build.apply(ScalarOp::Sub, {size, integer(build, 1)});
  if (mode != graph::PadMode::Reflect) {
    return build.apply(ScalarOp::Max, {build.apply(ScalarOp::Min, {place, last}), zero});
  }
  const Result period = build.apply(ScalarOp::Max, {build.apply(ScalarOp::Add, {last, last}), integer(build, 1)});
  const Result forth = build.apply(ScalarOp::FloorMod, {place, period});
  return build.apply(ScalarOp::Min, {forth, build.apply(ScalarOp::Sub, {period, forth})});
}

Result padAxis(Builder &build, ValueId data, int64_t axis, int64_t begin, int64_t end, graph::PadMode mode,
               const Result &fill) {
  const auto along = static_cast<size_t>(axis);
  Shape wide = build.shape(data);
  wide[along] += begin + end;
  HONE_RETURN_IF_ERROR(build.checkSize({build.dtype(data), wide}));
  const Result size = sizeOf(build, data, axis);
  const Result place = build.apply(ScalarOp::Sub, {count(build, wide[along]), integer(build, begin)});
  const Result from = placeWithin(build, place, size, mode);
  Extents extents = build.allExtents(data);
  HONE_ASSIGN_OR_RETURN(extents[along], build.apply(ScalarOp::Add, {size, integer(build, begin + end)}));
  Result padded = build.gather(build.asBounds(data, build.shape(data)), from, axis);
  if (mode == graph::PadMode::Constant) {
    const Result isBehind = build.apply(ScalarOp::LessEqual, {size, place});
    const Result isOutside =
        build.apply(ScalarOp::Or, {isBehind, build.apply(ScalarOp::Less, {place, integer(build, 0)})});
    Shape beside(wide.size() - along, 1);
    beside[0] = wide[along];
    padded = build.apply(ScalarOp::Select, {build.reshape(isOutside, beside), fill, padded});
  }
  return build.bounded(padded, std::move(extents));
}

}  // namespace

Result padAtRunTime(Builder &build, ValueId data, graph::PadAttributes attributes, const Result &fill) {
  const auto rank = static_cast<size_t>(build.rank(data));
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t begin = attributes.pads[axis], end = attributes.pads[rank + axis];
    if ((begin == 0 && end == 0) || !build.isBounded(data, static_cast<int64_t>(axis))) continue;
    HONE_ASSIGN_OR_RETURN(data, padAxis(build, data, static_cast<int64_t>(axis), begin, end, attributes.mode, fill));
    attributes.pads[axis] = attributes.pads[rank + axis] = 0;
  }
  return build.pad(data, std::move(attributes));
}

}  // namespace hone::frontend
