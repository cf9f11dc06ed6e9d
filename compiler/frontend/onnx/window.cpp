#include "compiler/frontend/onnx/window.h"

#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

constexpr size_t kMostSpatialDims = 4;

/// Pads so that there are ceil(extent / stride) windows; an odd element goes to the end (SAME_UPPER) or the beginning.
void padSame(const Shape &data, bool upper, Window &window) {
  size_t spatial = window.spatial();
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

/// ceil_mode: a last window that reaches over the end counts, provided that it begins inside the data or its pads.
void addOverhang(const Shape &data, Window &window) {
  size_t spatial = window.spatial();
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
  size_t spatial = window.spatial();
  for (size_t i = 0; i < 2 * spatial; ++i) {
    int64_t reach = (window.kernel[i % spatial] - 1) * window.dilations[i % spatial] + 1;
    if (window.pads[i] >= reach) {
      return invalid("pads ", graph::shapeText(window.pads), " are not smaller than the kernel's reach of ", reach);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Shape> spatialList(const NodeContext &node, const char *name, size_t count, int64_t low,
                                  int64_t otherwise) {
  if (!node.hasAttribute(name)) return Shape(count, otherwise);
  HONE_ASSIGN_OR_RETURN(Shape list, node.integers(name));
  if (list.size() != count) {
    return invalid("attribute '", name, "' has ", list.size(), " entries instead of ", count);
  }
  for (int64_t entry : list) {
    if (entry < low || entry > kLargestWindow) {
      return invalid("attribute '", name, "' ", graph::shapeText(list), " is not within ", low, " to ", kLargestWindow);
    }
  }
  return list;
}

absl::StatusOr<std::string> readAutoPad(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string autoPad, node.text("auto_pad", "NOTSET"));
  if (autoPad.empty()) return std::string("NOTSET");
  for (const char *known : {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}) {
    if (autoPad == known) return autoPad;
  }
  return invalid("attribute 'auto_pad' is '", autoPad, "', not NOTSET, VALID, SAME_UPPER or SAME_LOWER");
}

absl::StatusOr<Window> readWindowShape(const NodeContext &node, const Shape &data, const std::optional<Shape> &kernel) {
  if (data.size() < 3 || data.size() > kMostSpatialDims + 2) {
    return unsupported("windows over data of shape ", graph::shapeText(data), "; 1 to ", kMostSpatialDims,
                       " spatial dims are supported");
  }
  if (*std::max_element(data.begin(), data.end()) > kLargestWindow) {
    return invalid("data of shape ", graph::shapeText(data), " is too large for windows");
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
  return window;
}

absl::StatusOr<Window> readWindow(const NodeContext &node, const Shape &data, const std::optional<Shape> &kernel) {
  HONE_ASSIGN_OR_RETURN(Window window, readWindowShape(node, data, kernel));
  size_t spatial = window.spatial();
  HONE_ASSIGN_OR_RETURN(std::string autoPad, readAutoPad(node));
  if (autoPad == "NOTSET") {
    HONE_ASSIGN_OR_RETURN(window.pads, spatialList(node, "pads", 2 * spatial, 0, 0));
    return window;
  }
  window.pads.assign(2 * spatial, 0);
  if (autoPad != "VALID") padSame(data, autoPad == "SAME_UPPER", window);
  return window;
}

absl::StatusOr<Window> readPoolWindow(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Window window, readWindow(node, node.shape(0), std::nullopt));
  HONE_RETURN_IF_ERROR(checkPadsSmall(window));
  HONE_ASSIGN_OR_RETURN(int64_t ceilMode, node.integer("ceil_mode", 0));
  if (ceilMode != 0) addOverhang(node.shape(0), window);
  return window;
}

Shape padsWithOverhang(const Window &window) {
  Shape pads = window.pads;
  for (size_t i = 0; i < window.overhang.size(); ++i) pads[window.overhang.size() + i] += window.overhang[i];
  return pads;
}

std::vector<int64_t> spatialAxes(int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(std::max<int64_t>(rank - 2, 0)));
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

}  // namespace hone::frontend
