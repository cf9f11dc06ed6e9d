// DeformConv: a convolution each of whose taps looks at a place of its own, between the elements.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/build/sampling_kernel.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

constexpr size_t kMostDims = 3;

int64_t productOf(const Shape &shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

Shape joined(Shape front, const Shape &back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

/// One product of matrices for each group of channels, from what the taps see; the result is not rounded.
Result multiply(NodeContext &node, Result seen, const Shape &output, int64_t groups, DType computed) {
  Builder &build = node.build;
  const Shape &weight = node.shape(1);
  const int64_t batch = node.shape(0)[0], channels = weight[0];
  const int64_t summands = productOf(weight) / channels, points = productOf(output);
  Result rows = build.reshape(build.cast(node.input(1), computed), {groups, channels / groups, summands});
  Result columns = build.reshape(std::move(seen), {batch, groups, summands, points});
  Result sums = build.reshape(build.matMul(rows, columns), joined({batch, channels}, output));
  if (!node.has(3)) return sums;
  Shape bias(output.size() + 1, 1);
  bias[0] = channels;
  return build.apply(ScalarOp::Add, {sums, build.reshape(build.cast(node.input(3), computed), bias)});
}

}  // namespace

Result importDeformConv(NodeContext &node) {
  Builder &build = node.build;
  const Shape image = node.shape(0), weight = node.shape(1);
  if (image.size() < 3 || image.size() > kMostDims + 2 || weight.size() != image.size()) {
    return unsupported("data ", graph::shapeText(image), " with weights ", graph::shapeText(weight), "; 1 to ",
                       kMostDims, " spatial dims are supported");
  }
  HONE_ASSIGN_OR_RETURN(int64_t groups, node.integer("group", 1));
  HONE_ASSIGN_OR_RETURN(int64_t offsetGroups, node.integer("offset_group", 1));
  const bool isDivided = groups >= 1 && offsetGroups >= 1 && image[1] % groups == 0 && weight[0] % groups == 0 &&
                         image[1] % offsetGroups == 0 && weight[1] == image[1] / groups && weight[0] > 0;
  if (!isDivided) {
    return invalid("data ", graph::shapeText(image), " and weights ", graph::shapeText(weight), " do not divide into ",
                   groups, " groups and ", offsetGroups, " of offsets");
  }
  HONE_ASSIGN_OR_RETURN(Window window, readWindow(node, image, Shape(weight.begin() + 2, weight.end())));
  const size_t spatial = window.spatial();
  DeformedWindows windows{
      .image = joined({image[0], offsetGroups, image[1] / offsetGroups}, Shape(image.begin() + 2, image.end())),
      .output = {},
      .kernel = window.kernel,
      .strides = window.strides,
      .dilations = window.dilations,
      .begins = Shape(window.pads.begin(), window.pads.begin() + static_cast<std::ptrdiff_t>(spatial)),
      .hasMask = node.has(4)};
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t padded = image[i + 2] + window.pads[i] + window.pads[spatial + i];
    const int64_t room = padded - ((window.kernel[i] - 1) * window.dilations[i] + 1);
    if (room < 0) return invalid("the kernel ", graph::shapeText(window.kernel), " is larger than the padded data");
    windows.output.push_back(room / window.strides[i] + 1);
  }
  const int64_t taps = productOf(window.kernel);
  const auto isTaps = [&](int position, int64_t each) {
    return node.dtype(position) == node.dtype(0) &&
           node.shape(position) == joined({image[0], offsetGroups * taps * each}, windows.output);
  };
  const bool fits = isTaps(2, static_cast<int64_t>(spatial)) && (!windows.hasMask || isTaps(4, 1)) &&
                    (!node.has(3) || node.shape(3) == Shape{weight[0]});
  if (!fits || !isFloat(node.dtype(0)) || node.dtype(1) != node.dtype(0)) {
    return invalid("offsets ", graph::typeText(build.type(node.input(2))), ", bias or mask do not go with ",
                   offsetGroups, " groups of ", taps, " taps and an output of ", graph::shapeText(windows.output));
  }
  // What the taps see is one tensor, as large as the data times the taps.
  const DType computed = accumulatorOf(node.dtype(0));
  HONE_RETURN_IF_ERROR(build.checkSize({computed, joined({image[0], image[1], taps}, windows.output)}));
  const Shape perTap = joined({image[0], offsetGroups}, window.kernel);
  Shape offsets = perTap;
  offsets.push_back(static_cast<int64_t>(spatial));
  std::vector<Result> operands = {build.reshape(node.input(0), windows.image),
                                  build.reshape(node.input(2), joined(offsets, windows.output))};
  if (windows.hasMask) operands.push_back(build.reshape(node.input(4), joined(perTap, windows.output)));
  Result seen = build.compute(deformedWindowsKernel(windows, node.dtype(0), computed), operands);
  return build.cast(multiply(node, seen, windows.output, groups, computed), node.dtype(0));
}

}  // namespace hone::frontend
