// Window: the attributes that convolutions and poolings share, read and checked, with one entry per spatial dim. Plain
// values and pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/onnx/node.h"

namespace hone::frontend {

/// Extents, kernels, dilations and pads beyond this make sums and products that could overflow.
inline constexpr int64_t kLargestWindow = int64_t{1} << 30;

struct Window {
  Shape kernel, strides, dilations;
  Shape pads;  ///< all begins, then all ends
  /// Elements behind the data that a last, incomplete window reaches (ceil_mode); not part of pads.
  Shape overhang;
  size_t spatial() const { return kernel.size(); }
};

/// A list attribute with \p count entries from \p low on; \p otherwise in every entry where it is not given.
absl::StatusOr<Shape> spatialList(const NodeContext &node, const char *name, size_t count, int64_t low,
                                  int64_t otherwise);

/// The attribute 'auto_pad', checked: NOTSET, VALID, SAME_UPPER or SAME_LOWER.
absl::StatusOr<std::string> readAutoPad(const NodeContext &node);

/// Kernel, strides and dilations for data of shape \p data; the kernel is known already where it follows from weights.
absl::StatusOr<Window> readWindowShape(const NodeContext &node, const Shape &data, const std::optional<Shape> &kernel);

/// The same with pads, whichever way they are given.
absl::StatusOr<Window> readWindow(const NodeContext &node, const Shape &data, const std::optional<Shape> &kernel);

/// The window of a pooling of the first operand: pads smaller than the kernel's reach, and the overhang of ceil_mode.
absl::StatusOr<Window> readPoolWindow(const NodeContext &node);

/// The pads with the overhang behind them.
Shape padsWithOverhang(const Window &window);

/// The positions, in the whole of \p data, of the maxima of its windows; \p output is the shape of the maxima.
Result maximumPositions(Builder &build, ValueId data, const Window &window, const Shape &output, bool isColumnMajor);

/// 2, 3, … : the spatial axes of data of \p rank dims.
std::vector<int64_t> spatialAxes(int64_t rank);

}  // namespace hone::frontend
