// Convs, pools and matmuls.
#include <cassert>
#include <limits>

#include "absl/strings/str_cat.h"
#include "compiler/plan/emit.h"

namespace hone::plan {
namespace {

using graph::Node;
using graph::Shape;
using tensor::CombinerKind;
using tensor::Index;
using tensor::Scalar;

/// Spatial dims of a window op: where tap k of point o looks, and whether that may be outside the data.
struct Windows {
  Indices places;
  bool touchesPadding = false;
};

struct WindowShape {
  const Shape &data, &output, &kernel, &strides, &dilations, &pads;
};

/// \p points: the spatial dims of the stage. Adds a reduction dim per spatial dim.
Windows addWindows(Stage &stage, const WindowShape &shape, const Indices &points) {
  Windows windows;
  const std::vector<std::string> names = spatialNames(points.size());
  for (size_t i = 0; i < points.size(); ++i) {
    const Index tap = stage.reduce("k" + names[i], shape.kernel[i]);
    const int64_t stride = shape.strides[i], dilation = shape.dilations[i], pad = shape.pads[i];
    windows.places.push_back(points[i] * stride + tap * dilation - pad);
    const int64_t last = (shape.output[i + 2] - 1) * stride + (shape.kernel[i] - 1) * dilation - pad;
    windows.touchesPadding = windows.touchesPadding || pad > 0 || last >= shape.data[i + 2];
  }
  return windows;
}

Indices concatenated(Indices front, const Indices &back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

}  // namespace

Finish emitConv(GroupEmitter &emitter, const Node &node) {
  const auto &conv = std::get<graph::ConvAttributes>(node.attributes);
  const Shape &data = emitter.shape(node.inputs[0]), &weight = emitter.shape(node.inputs[1]);
  const std::vector<tensor::Dim> &dims = emitter.domains().output.dims;
  const size_t spatial = data.size() - 2;
  const Shape kernel(weight.begin() + 2, weight.end());
  const bool isGrouped = dims.size() == data.size() + 1;
  const bool isDepthwise = !isGrouped && conv.groups > 1;

  Stage stage = emitter.stage("conv", dims);
  const Index n = stage.dim(0), channel = emitter.domains().output.coords[1];
  Index inner = tensor::constant(0), dataChannel = channel;
  if (!isDepthwise) {
    inner = stage.reduce("ic", weight[1]);
    dataChannel = isGrouped ? stage.dim(1) * weight[1] + inner : inner;
  }
  const Indices points = dimsFrom(isGrouped ? 3 : 2, spatial);
  const size_t taps = stage.dims().size();
  const Windows windows =
      addWindows(stage, {data, emitter.shape(node.output), kernel, conv.strides, conv.dilations, conv.pads}, points);

  const std::optional<double> outside = windows.touchesPadding ? std::optional<double>(0) : std::nullopt;
  const DType type = emitter.dtype(node.output), accumulator = accumulatorOf(type);
  const Scalar x = emitter.value(stage, node.inputs[0], concatenated({n, dataChannel}, windows.places), outside);
  const Scalar w =
      emitter.value(stage, node.inputs[1], concatenated({channel, inner}, dimsFrom(static_cast<int>(taps), spatial)));
  Scalar body = product(tensor::cast(accumulator, x), tensor::cast(accumulator, w));
  if (node.inputs.size() < 3) return emitter.finishValue(std::move(stage), node, std::move(body), CombinerKind::Sum);

  Finish partial = emitter.finishPartial(std::move(stage), std::move(body), CombinerKind::Sum);
  return [&emitter, &node, partial, channel, type, accumulator](Stage &reader) {
    const Scalar bias = emitter.value(reader, node.inputs[2], {channel});
    return tensor::cast(type, sum(partial(reader), tensor::cast(accumulator, bias)));
  };
}

namespace {

/// How many taps of the window at \p point are inside the data, as an integer.
Index validTaps(const Index &point, const WindowShape &shape, size_t i) {
  const int64_t kernel = shape.kernel[i], dilation = shape.dilations[i], extent = shape.data[i + 2];
  const Index first = point * shape.strides[i] - shape.pads[i];
  const Index end = tensor::clamp(tensor::floorDiv(first * -1 + (extent - 1), dilation) + 1, 0, kernel);
  const Index begin = tensor::clamp(tensor::floorDiv(first * -1 + (dilation - 1), dilation), 0, kernel);
  return end + begin * -1;
}

double lowest(DType dtype) {
  const Scalar identity = tensor::identity(CombinerKind::Max, dtype);
  return isFloat(dtype) ? identity->number : static_cast<double>(identity->integer);
}

}  // namespace

Finish emitPool(GroupEmitter &emitter, const Node &node) {
  const auto &pool = std::get<graph::PoolAttributes>(node.attributes);
  const WindowShape shape{
      emitter.shape(node.inputs[0]), emitter.shape(node.output), pool.kernel, pool.strides, pool.dilations, pool.pads};
  const size_t spatial = pool.kernel.size();
  const DType type = emitter.dtype(node.output), accumulator = accumulatorOf(type);
  const bool isMax = pool.kind == graph::PoolKind::Max;

  Stage stage = emitter.stage("pool", emitter.domains().output.dims);
  const Indices points = dimsFrom(2, spatial);
  const Windows windows = addWindows(stage, shape, points);
  std::optional<double> outside;
  if (windows.touchesPadding) outside = isMax ? lowest(type) : 0;
  Scalar body = tensor::cast(
      accumulator,
      emitter.value(stage, node.inputs[0], concatenated({stage.dim(0), stage.dim(1)}, windows.places), outside));
  if (isMax) return emitter.finishValue(std::move(stage), node, std::move(body), CombinerKind::Max);
  if (pool.countPadding || !windows.touchesPadding) {
    int64_t taps = 1;
    for (int64_t extent : pool.kernel) taps *= extent;
    // Scaled on the way in, the sum is the value, and needs no second stage.
    body = product(body, tensor::number(1.0 / static_cast<double>(taps), accumulator));
    return emitter.finishValue(std::move(stage), node, std::move(body), CombinerKind::Sum);
  }
  Scalar count;
  for (size_t i = 0; i < spatial; ++i) {
    const Scalar taps = tensor::indexValue(validTaps(points[i], shape, i));
    count = count == nullptr ? taps : product(count, taps);
  }
  Finish partial = emitter.finishPartial(std::move(stage), std::move(body), CombinerKind::Sum);
  return [partial, count, type, accumulator](Stage &reader) {
    return tensor::cast(type, quotient(partial(reader), tensor::cast(accumulator, count)));
  };
}

Finish emitMatMul(GroupEmitter &emitter, const Node &node) {
  const auto &attributes = std::get<graph::MatMulAttributes>(node.attributes);
  const Shape &a = emitter.shape(node.inputs[0]), &b = emitter.shape(node.inputs[1]);
  const Shape &output = emitter.shape(node.output);
  const size_t batch = output.size() - 2;

  Stage stage = emitter.stage("matmul", emitter.domains().output.dims);
  const Index m = stage.dim(batch), n = stage.dim(batch + 1);
  const Index k = stage.reduce("k", attributes.transposeA ? a[a.size() - 2] : a.back());
  const auto operand = [&](const Shape &shape, Index row, Index column, bool transposed) {
    const Shape front(shape.begin(), shape.end() - 2), all(output.begin(), output.end() - 2);
    Indices indices = broadcastIndices(front, all, dimsFrom(0, batch));
    if (transposed) std::swap(row, column);
    indices.push_back(std::move(row));
    indices.push_back(std::move(column));
    return indices;
  };
  const DType accumulator = accumulatorOf(emitter.dtype(node.output));
  const Scalar left = emitter.value(stage, node.inputs[0], operand(a, m, k, attributes.transposeA));
  const Scalar right = emitter.value(stage, node.inputs[1], operand(b, k, n, attributes.transposeB));
  return emitter.finishValue(std::move(stage), node,
                             product(tensor::cast(accumulator, left), tensor::cast(accumulator, right)),
                             CombinerKind::Sum);
}

}  // namespace hone::plan
