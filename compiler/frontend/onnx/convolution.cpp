// Convolutions and poolings: everything with a window that moves over spatial dims.
#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

// Extents, kernels, dilations and pads beyond this make sums and products that could overflow.
constexpr int64_t kLargest = int64_t{1} << 30;

/// The attributes that all windows share, with one entry per spatial dim.
struct Window {
  Shape kernel, strides, dilations, pads;
  /// Elements behind the data that a last, incomplete window reaches (ceil_mode); not part of pads.
  Shape overhang;
};

absl::StatusOr<Shape> spatialList(const NodeContext &node, const char *name, size_t count, int64_t low,
                                  int64_t otherwise) {
  if (!node.hasAttribute(name)) return Shape(count, otherwise);
  HONE_ASSIGN_OR_RETURN(Shape list, node.integers(name));
  if (list.size() != count) {
    return invalid("attribute '", name, "' has ", list.size(), " entries instead of ", count);
  }
  for (int64_t entry : list) {
    if (entry < low || entry > kLargest) {
      return invalid("attribute '", name, "' ", graph::shapeText(list), " is not within ", low, " to ", kLargest);
    }
  }
  return list;
}

/// Pads so that there are ceil(extent / stride) windows; an odd element goes to the end (SAME_UPPER) or the beginning.
void padSame(const Shape &data, bool upper, Window &window) {
  size_t spatial = window.kernel.size();
  for (size_t i = 0; i < spatial; ++i) {
    int64_t extent = data[i + 2], stride = window.strides[i];
    int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    int64_t windows = (extent + stride - 1) / stride;
    int64_t total = std::max<int64_t>((windows - 1) * stride + reach - extent, 0);
    int64_t smaller = total / 2;
    window.pads[i] = upper ? smaller : total - smaller;
    window.pads[spatial + i] = total - window.pads[i];
  }
}

/// Reads the attributes for data of shape \p data; the kernel is known already where it follows from weights.
absl::StatusOr<Window> readWindow(const NodeContext &node, const Shape &data, std::optional<Shape> kernel) {
  if (data.size() < 3 || data.size() > 5) {
    return unsupported("windows over data of shape ", graph::shapeText(data), "; 1 to 3 spatial dims are supported");
  }
  size_t spatial = data.size() - 2;
  Window window;
  window.overhang.assign(spatial, 0);
  if (!kernel && !node.hasAttribute("kernel_shape")) return invalid("attribute 'kernel_shape' is missing");
  HONE_ASSIGN_OR_RETURN(window.kernel, spatialList(node, "kernel_shape", spatial, 1, 1));
  if (kernel && node.hasAttribute("kernel_shape") && window.kernel != *kernel) {
    return invalid("attribute 'kernel_shape' ", graph::shapeText(window.kernel), " differs from the weight's ",
                   graph::shapeText(*kernel));
  }
  if (kernel) window.kernel = *kernel;
  HONE_ASSIGN_OR_RETURN(window.strides, spatialList(node, "strides", spatial, 1, 1));
  HONE_ASSIGN_OR_RETURN(window.dilations, spatialList(node, "dilations", spatial, 1, 1));
  HONE_ASSIGN_OR_RETURN(std::string autoPad, node.text("auto_pad", "NOTSET"));
  if (autoPad == "NOTSET" || autoPad.empty()) {
    HONE_ASSIGN_OR_RETURN(window.pads, spatialList(node, "pads", 2 * spatial, 0, 0));
    return window;
  }
  window.pads.assign(2 * spatial, 0);
  if (autoPad == "VALID") return window;
  if (autoPad != "SAME_UPPER" && autoPad != "SAME_LOWER") {
    return invalid("attribute 'auto_pad' is '", autoPad, "', not NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  }
  if (*std::max_element(data.begin(), data.end()) > kLargest) {
    return invalid("data of shape ", graph::shapeText(data), " is too large for windows");
  }
  padSame(data, autoPad == "SAME_UPPER", window);
  return window;
}

/// ceil_mode: a last window that reaches over the end counts, provided that it begins inside the data or its pads.
void addOverhang(const Shape &data, Window &window) {
  size_t spatial = window.kernel.size();
  for (size_t i = 0; i < spatial; ++i) {
    int64_t padded = data[i + 2] + window.pads[i] + window.pads[spatial + i];
    int64_t room = padded - ((window.kernel[i] - 1) * window.dilations[i] + 1);
    if (room < 0) continue;
    int64_t remainder = room % window.strides[i];
    bool beginsInside = room - remainder + window.strides[i] < data[i + 2] + window.pads[i];
    if (remainder != 0 && beginsInside) window.overhang[i] = window.strides[i] - remainder;
  }
}

/// Windows that lie in padding altogether would have no maximum and no average.
absl::Status checkPadsSmall(const Window &window) {
  size_t spatial = window.kernel.size();
  for (size_t i = 0; i < 2 * spatial; ++i) {
    int64_t reach = (window.kernel[i % spatial] - 1) * window.dilations[i % spatial] + 1;
    if (window.pads[i] >= reach) {
      return invalid("pads ", graph::shapeText(window.pads), " are not smaller than the kernel's reach of ", reach);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Window> readPoolWindow(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Window window, readWindow(node, node.shape(0), std::nullopt));
  HONE_RETURN_IF_ERROR(checkPadsSmall(window));
  HONE_ASSIGN_OR_RETURN(int64_t ceilMode, node.integer("ceil_mode", 0));
  if (ceilMode != 0) addOverhang(node.shape(0), window);
  return window;
}

Shape withOverhang(const Window &window, Shape pads) {
  for (size_t i = 0; i < window.overhang.size(); ++i) pads[window.overhang.size() + i] += window.overhang[i];
  return pads;
}

std::vector<int64_t> spatialAxes(int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(std::max<int64_t>(rank - 2, 0)));
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

Result globalPool(NodeContext &node, graph::ReduceKind kind) {
  if (node.rank(0) < 3) return invalid("takes 3 dims or more, not shape ", graph::shapeText(node.shape(0)));
  return node.build.reduce(kind, node.input(0), spatialAxes(node.rank(0)), true);
}

}  // namespace

Result importConv(NodeContext &node) {
  const Shape &weight = node.shape(1);
  if (weight.size() != node.shape(0).size() || weight.size() < 3) {
    return invalid("data of shape ", graph::shapeText(node.shape(0)), " does not go with weights of shape ",
                   graph::shapeText(weight));
  }
  HONE_ASSIGN_OR_RETURN(Window window, readWindow(node, node.shape(0), Shape(weight.begin() + 2, weight.end())));
  HONE_ASSIGN_OR_RETURN(int64_t groups, node.integer("group", 1));
  std::vector<Result> bias;
  if (node.has(2)) bias.emplace_back(node.input(2));
  return node.build.conv(node.input(0), node.input(1), bias, {window.strides, window.dilations, window.pads, groups});
}

Result importMaxPool(NodeContext &node) {
  if (node.isOutputUsed(1)) return unsupported("the output 'Indices' is not supported");
  HONE_ASSIGN_OR_RETURN(Window window, readPoolWindow(node));
  return node.build.pool(node.input(0), {graph::PoolKind::Max, window.kernel, window.strides, window.dilations,
                                         withOverhang(window, window.pads), false});
}

// The overhang of ceil_mode never counts as padding. Where the other padding does count, it is therefore made explicit.
Result importAveragePool(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Window window, readPoolWindow(node));
  HONE_ASSIGN_OR_RETURN(int64_t countPadding, node.integer("count_include_pad", 0));
  Result data = node.input(0);
  bool hasOverhang = std::any_of(window.overhang.begin(), window.overhang.end(), [](int64_t n) { return n != 0; });
  if (countPadding != 0 && hasOverhang) {
    size_t spatial = window.kernel.size();
    Shape pads(2 * (spatial + 2), 0);
    std::copy_n(window.pads.begin(), spatial, pads.begin() + 2);
    std::copy_n(window.pads.begin() + static_cast<std::ptrdiff_t>(spatial), spatial,
                pads.begin() + static_cast<std::ptrdiff_t>(spatial) + 4);
    data = node.build.pad(data, {pads, graph::PadMode::Constant, 0});
    window.pads.assign(2 * spatial, 0);
    countPadding = 0;
  }
  return node.build.pool(data, {graph::PoolKind::Average, window.kernel, window.strides, window.dilations,
                                withOverhang(window, window.pads), countPadding != 0});
}

Result importGlobalAveragePool(NodeContext &node) { return globalPool(node, graph::ReduceKind::Mean); }
Result importGlobalMaxPool(NodeContext &node) { return globalPool(node, graph::ReduceKind::Max); }

}  // namespace hone::frontend
