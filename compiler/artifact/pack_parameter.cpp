#include "compiler/artifact/pack_parameter.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace hone::artifact {
namespace {

/// Rows of the source that are read before their cache lines are used up: wide enough for a line of floats.
constexpr int64_t kBlock = 16;

/// One axis of the layout, outermost first. The source offset of an element is the sum of digit * source over the axes,
/// which is what makes any layout a nest of strided copies.
struct Axis {
  int dim;
  int64_t divisor, extent;
  int64_t source, destination;  ///< strides in elements
};

struct Nest {
  std::vector<Axis> axes;
  std::vector<int64_t> shape;
  std::vector<int64_t> index;  ///< per dim, what the outer axes have contributed so far

  /// How many digits of \p axis stay inside the shape; the rest is padding.
  int64_t valid(const Axis &axis) const {
    const int64_t left = shape[axis.dim] - index[axis.dim];
    if (left <= 0) return 0;
    return std::min(axis.extent, (left + axis.divisor - 1) / axis.divisor);
  }
};

template <typename Element>
void copyRow(const Element *source, int64_t stride, Element *destination, int64_t count) {
  if (stride == 1) {
    std::memcpy(destination, source, count * sizeof(Element));
    return;
  }
  for (int64_t i = 0; i < count; ++i) destination[i] = source[i * stride];
}

/// The two innermost axes when they are of different dims and the outer one is denser in the source: a transpose, done
/// in blocks so that every cache line of the source is read once.
template <typename Element>
void copyTransposed(const Axis &outer, const Axis &inner, int64_t outerCount, int64_t innerCount, const Element *source,
                    Element *destination) {
  for (int64_t block = 0; block < outerCount; block += kBlock) {
    const int64_t end = std::min(block + kBlock, outerCount);
    for (int64_t i = 0; i < innerCount; ++i) {
      const Element *from = source + i * inner.source;
      for (int64_t o = block; o < end; ++o) destination[o * outer.destination + i] = from[o * outer.source];
    }
  }
}

template <typename Element>
void copyNest(Nest &nest, size_t level, const Element *source, Element *destination) {
  if (level == nest.axes.size()) {
    *destination = *source;
    return;
  }
  const Axis &axis = nest.axes[level];
  const int64_t count = nest.valid(axis);
  if (level + 1 == nest.axes.size()) {
    copyRow(source, axis.source, destination, count);
    return;
  }
  if (level + 2 == nest.axes.size()) {
    const Axis &inner = nest.axes[level + 1];
    if (inner.dim != axis.dim && axis.source < inner.source) {
      copyTransposed(axis, inner, count, nest.valid(inner), source, destination);
      return;
    }
  }
  for (int64_t digit = 0; digit < count; ++digit) {
    nest.index[axis.dim] += digit * axis.divisor;
    copyNest(nest, level + 1, source + digit * axis.source, destination + digit * axis.destination);
    nest.index[axis.dim] -= digit * axis.divisor;
  }
}

/// Axes with strides; those of extent one are dropped, so that the innermost ones are the ones that count.
std::vector<Axis> stridedAxes(const std::vector<int64_t> &shape, const tensor::Layout &layout) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (int dim = static_cast<int>(shape.size()) - 2; dim >= 0; --dim) strides[dim] = strides[dim + 1] * shape[dim + 1];
  std::vector<Axis> axes;
  int64_t destination = 1;
  for (auto axis = layout.axes.rbegin(); axis != layout.axes.rend(); ++axis) {
    assert(axis->dim >= 0 && axis->dim < static_cast<int>(shape.size()) && axis->divisor >= 1 && axis->extent >= 0);
    if (axis->extent != 1)
      axes.push_back({axis->dim, axis->divisor, axis->extent, axis->divisor * strides[axis->dim], destination});
    destination *= axis->extent;
  }
  std::reverse(axes.begin(), axes.end());
  return axes;
}

template <typename Element>
void copyElements(std::string_view data, Nest &nest, std::string &packed) {
  copyNest(nest, 0, reinterpret_cast<const Element *>(data.data()), reinterpret_cast<Element *>(packed.data()));
}

}  // namespace

std::string packParameter(std::string_view data, DType dtype, const std::vector<int64_t> &shape,
                          const tensor::Layout &layout) {
  int64_t elements = 1, allocated = 1;
  for (int64_t extent : shape) elements *= extent;
  for (const tensor::LayoutAxis &axis : layout.axes) allocated *= axis.extent;
  assert(static_cast<int64_t>(data.size()) == elements * sizeOf(dtype));
  Nest nest{stridedAxes(shape, layout), shape, std::vector<int64_t>(shape.size(), 0)};
  const bool sameOrder =
      std::all_of(nest.axes.begin(), nest.axes.end(), [](const Axis &axis) { return axis.source == axis.destination; });
  if (sameOrder && allocated == elements) return std::string(data);
  std::string packed(allocated * sizeOf(dtype), '\0');
  if (elements == 0) return packed;
  switch (sizeOf(dtype)) {
    case 1:
      copyElements<uint8_t>(data, nest, packed);
      break;
    case 2:
      copyElements<uint16_t>(data, nest, packed);
      break;
    case 4:
      copyElements<uint32_t>(data, nest, packed);
      break;
    default:
      copyElements<uint64_t>(data, nest, packed);
      break;
  }
  return packed;
}

}  // namespace hone::artifact
