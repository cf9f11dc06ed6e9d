// Resize and Upsample: what their attributes and operands say.
#include "compiler/frontend/build/resize.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"

namespace hone::frontend {
namespace {

constexpr double kLargestExtent = 1 << 30;

absl::StatusOr<ResizeOptions> readOptions(const NodeContext &node) {
  ResizeOptions options;
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("mode", "nearest"));
  // Versions before 9 of Upsample call the linear mode by its name for images.
  if (mode == "linear" || mode == "bilinear") {
    options.interpolation = Interpolation::Linear;
  } else if (mode == "cubic") {
    options.interpolation = Interpolation::Cubic;
  } else if (mode != "nearest") {
    return invalid("attribute 'mode' is '", mode, "', not nearest, linear or cubic");
  }
  if (node.version() < 11) {
    options.coordinates = "asymmetric";
    options.rounding = "floor";
    return options;
  }
  HONE_ASSIGN_OR_RETURN(options.coordinates, node.text("coordinate_transformation_mode", "half_pixel"));
  HONE_ASSIGN_OR_RETURN(options.rounding, node.text("nearest_mode", "round_prefer_floor"));
  HONE_ASSIGN_OR_RETURN(options.cubicCoefficient, node.real("cubic_coeff_a", -0.75));
  HONE_ASSIGN_OR_RETURN(int64_t exclude, node.integer("exclude_outside", 0));
  HONE_ASSIGN_OR_RETURN(options.extrapolation, node.real("extrapolation_value", 0.0));
  HONE_ASSIGN_OR_RETURN(int64_t antialias, node.integer("antialias", 0));
  options.excludeOutside = exclude != 0;
  options.antialias = antialias != 0;
  constexpr std::string_view kCoordinates[] = {"half_pixel",          "half_pixel_symmetric", "pytorch_half_pixel",
                                               "align_corners",       "asymmetric",           "tf_crop_and_resize",
                                               "tf_half_pixel_for_nn"};
  constexpr std::string_view kRoundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  if (std::find(std::begin(kCoordinates), std::end(kCoordinates), options.coordinates) == std::end(kCoordinates)) {
    return invalid("attribute 'coordinate_transformation_mode' is '", options.coordinates, "', which is unknown");
  }
  if (std::find(std::begin(kRoundings), std::end(kRoundings), options.rounding) == std::end(kRoundings)) {
    return invalid("attribute 'nearest_mode' is '", options.rounding, "', which is unknown");
  }
  return options;
}

/// A list of numbers that has to be known; empty where the operand is omitted or has no elements.
absl::StatusOr<std::vector<double>> numbers(const NodeContext &node, int position, const char *what) {
  std::vector<double> result;
  if (!node.has(position) || node.build.type(node.input(position)).elements() == 0) return result;
  HONE_ASSIGN_OR_RETURN(const graph::ConstantData *constant, node.constantInput(position, what));
  if (constant->type.shape.size() > 1) return invalid("operand ", position, " (", what, ") is no list");
  result.resize(static_cast<size_t>(constant->type.elements()));
  graph::readElements(*constant, 0, 1, constant->type.elements(), result.data());
  return result;
}

/// The axes that scales, sizes and regions name, in their order.
absl::StatusOr<std::vector<ResizedAxis>> namedAxes(const NodeContext &node) {
  std::vector<int64_t> positions(static_cast<size_t>(node.rank(0)));
  std::iota(positions.begin(), positions.end(), 0);
  if (node.version() >= 18 && node.hasAttribute("axes")) {
    HONE_ASSIGN_OR_RETURN(positions, node.integers("axes"));
    HONE_RETURN_IF_ERROR(normalizeAxes(positions, node.rank(0)).status());
  }
  std::vector<ResizedAxis> axes;
  for (int64_t position : positions) {
    ResizedAxis axis;
    axis.position = static_cast<size_t>(position < 0 ? position + node.rank(0) : position);
    axis.input = node.shape(0)[axis.position];
    axes.push_back(axis);
  }
  return axes;
}

absl::Status checkCount(const char *what, size_t count, size_t wanted) {
  if (count == wanted) return absl::OkStatus();
  return invalid(count, " ", what, " for ", wanted, " axes");
}

absl::Status applyScales(const std::vector<double> &scales, std::vector<ResizedAxis> &axes) {
  HONE_RETURN_IF_ERROR(checkCount("scales", scales.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    // The product is rounded as a float32, which the scale is: 10 times 0.7 is 7.
    double extent = std::floor(static_cast<float>(axes[i].input) * static_cast<float>(scales[i]));
    if (!(scales[i] > 0) || !(extent >= 1) || extent > kLargestExtent) {
      return invalid("scale ", scales[i], " makes ", extent, " elements of ", axes[i].input);
    }
    axes[i].scale = scales[i];
    axes[i].output = static_cast<int64_t>(extent);
  }
  return absl::OkStatus();
}

absl::Status applySize(double size, ResizedAxis &axis) {
  if (!(size >= 1) || size > kLargestExtent) return invalid("size ", size, " of axis ", axis.position);
  axis.output = static_cast<int64_t>(size);
  axis.scale = size / static_cast<double>(axis.input);
  return absl::OkStatus();
}

absl::Status applySizes(const std::vector<double> &sizes, const std::string &policy, std::vector<ResizedAxis> &axes) {
  HONE_RETURN_IF_ERROR(checkCount("sizes", sizes.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) HONE_RETURN_IF_ERROR(applySize(sizes[i], axes[i]));
  if (policy == "stretch" || axes.empty()) return absl::OkStatus();
  if (policy != "not_larger" && policy != "not_smaller") {
    return invalid("attribute 'keep_aspect_ratio_policy' is '", policy, "', not stretch, not_larger or not_smaller");
  }
  auto byScale = [](const ResizedAxis &a, const ResizedAxis &b) { return a.scale < b.scale; };
  double scale = policy == "not_larger" ? std::min_element(axes.begin(), axes.end(), byScale)->scale
                                        : std::max_element(axes.begin(), axes.end(), byScale)->scale;
  for (ResizedAxis &axis : axes) {
    axis.scale = scale;
    axis.output = static_cast<int64_t>(std::floor(scale * static_cast<double>(axis.input) + 0.5));
    if (axis.output < 1) return invalid("nothing is left of axis ", axis.position);
  }
  return absl::OkStatus();
}

/// Where some sizes show at run time only, but are bounded.
Result resizeAtRunTime(NodeContext &node, const ResizeOptions &options, const std::vector<ResizedAxis> &axes) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::string policy, node.text("keep_aspect_ratio_policy", "stretch"));
  if (policy != "stretch") {
    return unsupported("attribute 'keep_aspect_ratio_policy' is '", policy, "', where sizes depend on data");
  }
  HONE_ASSIGN_OR_RETURN(const std::vector<ValueId> sizes, elementsOf(build, node.input(3)));
  HONE_RETURN_IF_ERROR(checkCount("sizes", sizes.size(), axes.size()));
  std::vector<ResizedAxis> fixed;
  std::vector<AxisToSize> open;
  for (size_t i = 0; i < axes.size(); ++i) {
    const graph::ConstantData *known = build.constant(sizes[i]);
    if (known == nullptr) {
      open.push_back({axes[i].position, sizes[i]});
      continue;
    }
    fixed.push_back(axes[i]);
    HONE_RETURN_IF_ERROR(applySize(graph::elementAsDouble(*known, 0), fixed.back()));
  }
  // Integers are rounded once, at the end.
  const bool isComputed = options.interpolation != Interpolation::Nearest && !isFloat(node.dtype(0));
  HONE_ASSIGN_OR_RETURN(ValueId data, isComputed ? build.cast(node.input(0), DType::F32) : Result(node.input(0)));
  HONE_ASSIGN_OR_RETURN(data, resize(build, data, options, std::move(fixed)));
  return build.cast(resizeToSizes(build, data, options, open), node.dtype(0));
}

}  // namespace

Result importResize(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(ResizeOptions options, readOptions(node));
  HONE_ASSIGN_OR_RETURN(std::vector<ResizedAxis> axes, namedAxes(node));
  if (node.version() >= 11 && node.has(3) && node.build.numbers(node.input(3)) != nullptr) {
    return resizeAtRunTime(node, options, axes);
  }
  bool isFirst = node.version() < 11;
  HONE_ASSIGN_OR_RETURN(std::vector<double> scales, numbers(node, isFirst ? 1 : 2, "scales"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> sizes, numbers(node, 3, "sizes"));
  if (options.coordinates == "tf_crop_and_resize") {
    HONE_ASSIGN_OR_RETURN(std::vector<double> crop, numbers(node, 1, "roi"));
    if (crop.size() != 2 * axes.size()) return invalid(crop.size(), " ends of regions for ", axes.size(), " axes");
    for (size_t i = 0; i < axes.size(); ++i) {
      axes[i].cropBegin = crop[i];
      axes[i].cropEnd = crop[axes.size() + i];
    }
  }
  if (!sizes.empty()) {
    HONE_ASSIGN_OR_RETURN(std::string policy, node.text("keep_aspect_ratio_policy", "stretch"));
    HONE_RETURN_IF_ERROR(applySizes(sizes, policy, axes));
  } else {
    HONE_RETURN_IF_ERROR(applyScales(scales, axes));
  }
  return resize(node.build, node.input(0), options, std::move(axes));
}

Result importUpsample(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(ResizeOptions options, readOptions(node));
  HONE_ASSIGN_OR_RETURN(std::vector<ResizedAxis> axes, namedAxes(node));
  std::vector<double> scales;
  if (node.version() >= 9) {
    HONE_ASSIGN_OR_RETURN(scales, numbers(node, 1, "scales"));
  } else if (node.version() >= 7) {
    HONE_ASSIGN_OR_RETURN(scales, node.reals("scales"));
  } else {
    HONE_ASSIGN_OR_RETURN(double height, node.real("height_scale"));
    HONE_ASSIGN_OR_RETURN(double width, node.real("width_scale"));
    scales = {1, 1, height, width};
  }
  HONE_RETURN_IF_ERROR(applyScales(scales, axes));
  return resize(node.build, node.input(0), options, std::move(axes));
}

}  // namespace hone::frontend
