#include "compiler/artifact/pack_parameter.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace hone::artifact {
namespace {

/// Rows of the source that are read before their cache lines are used up: wide enough for a line of floats.
constexpr int64_t kBlock = 16;
/// Large enough that a piece costs nothing by itself.
constexpr int64_t kPieceBytes = int64_t{4} << 20;

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
template <typename Element, typename Axis>
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

}  // namespace

/// How many digits of \p axis stay inside the shape; the rest is padding.
int64_t PackedParameter::valid(const Axis &axis) const {
  const int64_t left = shape_[axis.dim] - index_[axis.dim];
  if (left <= 0) return 0;
  return std::min(axis.extent, (left + axis.divisor - 1) / axis.divisor);
}

template <typename Element>
void PackedParameter::copyNest(size_t level, const Element *source, Element *destination) {
  const Axis &axis = axes_[level];
  const int64_t count = valid(axis);
  if (level + 1 == axes_.size()) {
    copyRow(source, axis.source, destination, count);
    return;
  }
  if (level + 2 == axes_.size()) {
    const Axis &inner = axes_[level + 1];
    if (inner.dim != axis.dim && axis.source < inner.source) {
      copyTransposed(axis, inner, count, valid(inner), source, destination);
      return;
    }
  }
  for (int64_t digit = 0; digit < count; ++digit) {
    index_[axis.dim] += digit * axis.divisor;
    copyNest(level + 1, source + digit * axis.source, destination + digit * axis.destination);
    index_[axis.dim] -= digit * axis.divisor;
  }
}

template <typename Element>
void PackedParameter::copy(int64_t source) {
  copyNest(level_, reinterpret_cast<const Element *>(data_.data()) + source,
           reinterpret_cast<Element *>(buffer_.data()));
}

/// Axes with strides; those of extent one are dropped, so that the innermost ones are the ones that count.
std::vector<PackedParameter::Axis> PackedParameter::stridedAxes(const std::vector<int64_t> &shape,
                                                                const tensor::Layout &layout) {
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

PackedParameter::PackedParameter(std::string_view data, DType dtype, const std::vector<int64_t> &shape,
                                 const tensor::Layout &layout)
    : data_(data), size_(sizeOf(dtype)), shape_(shape), axes_(stridedAxes(shape, layout)) {
  int64_t elements = 1, allocated = 1;
  for (int64_t extent : shape) elements *= extent;
  for (const tensor::LayoutAxis &axis : layout.axes) allocated *= axis.extent;
  assert(static_cast<int64_t>(data.size()) == elements * size_);
  bytes_ = allocated * size_;
  const bool sameOrder =
      std::all_of(axes_.begin(), axes_.end(), [](const Axis &axis) { return axis.source == axis.destination; });
  if (sameOrder && allocated == elements) axes_.clear();
  if (bytes_ > 0) cutIntoPieces();
}

void PackedParameter::cutIntoPieces() {
  pieces_ = 1;
  if (axes_.empty()) return;
  for (; axes_[level_].destination * size_ > kPieceBytes; ++level_) pieces_ *= axes_[level_].extent;
  const Axis &axis = axes_[level_];
  group_ = std::clamp<int64_t>(kPieceBytes / (axis.destination * size_), 1, axis.extent);
  groups_ = (axis.extent + group_ - 1) / group_;
  pieces_ *= groups_;
}

std::string_view PackedParameter::piece(int64_t position) {
  if (axes_.empty()) return data_;
  index_.assign(shape_.size(), 0);
  int64_t source = 0;
  const auto enter = [&](const Axis &axis, int64_t digit) {
    index_[axis.dim] += digit * axis.divisor;
    source += digit * axis.source;
  };
  int64_t rest = position / groups_;
  for (size_t level = level_; level-- > 0; rest /= axes_[level].extent) enter(axes_[level], rest % axes_[level].extent);
  Axis &axis = axes_[level_];
  const Axis whole = axis;
  const int64_t first = position % groups_ * group_;
  enter(axis, first);
  axis.extent = std::min(group_, whole.extent - first);
  buffer_.assign(axis.extent * axis.destination * size_, '\0');
  bool isInside = !data_.empty();
  for (size_t dim = 0; dim < shape_.size(); ++dim) isInside = isInside && index_[dim] < shape_[dim];
  if (isInside && size_ == 1) copy<uint8_t>(source);
  if (isInside && size_ == 2) copy<uint16_t>(source);
  if (isInside && size_ == 4) copy<uint32_t>(source);
  if (isInside && size_ == 8) copy<uint64_t>(source);
  axis = whole;
  return buffer_;
}

}  // namespace hone::artifact
