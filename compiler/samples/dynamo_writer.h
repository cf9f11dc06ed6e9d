// DynamoWriter: the nodes that PyTorch's exporter of today (torch.onnx.export with dynamo, opset 20) writes of
// convolutional networks: batch norms folded into convolutions, values called after the traced operations. One thread
// at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/samples/network_writer.h"

namespace hone::samples {

class DynamoWriter {
 public:
  using Shape = std::vector<int64_t>;

  DynamoWriter(const std::string &name, uint64_t seed) : net(name, 10, 20, seed, "node_") {}

  /// A convolution with one extent of the kernel and one stride per spatial dim, padded to keep extents at stride 1.
  struct Window {
    int64_t from, to;
    Shape kernel, strides;
    int64_t groups = 1;
  };
  /// Weights that sum to zero, and the bias into which a batch norm was folded. \p gain is the output's deviation for
  /// inputs of mean square 1 (and mean 0).
  std::string convolution(const std::string &x, const std::string &weight, const Window &window, float gain) {
    const Shape shape = weightShape(window);
    const float deviation = gain / std::sqrt(static_cast<float>(perOutput(shape)));
    const std::string w = net.centredWeights(weight, shape, deviation);
    const std::string bias = net.weights(weight + "_bias", {window.to}, 0, 0.1F * gain);
    // The outputs of a batch norm are three in the traced graph, of which this is the first.
    const std::string output = folded_ == 0 ? "getitem" : "getitem_" + std::to_string(3 * folded_);
    ++folded_;
    return convolve({x, w, bias}, output, window);
  }
  /// One without batch norm, whose weights may have a mean.
  std::string plainConvolution(const std::string &x, const std::string &prefix, const Window &window, float gain) {
    const Shape shape = weightShape(window);
    const float deviation = gain / std::sqrt(static_cast<float>(perOutput(shape)));
    const std::string w = net.weights(prefix + ".weight", shape, 0, deviation);
    const std::string bias = net.weights(prefix + ".bias", {window.to}, 0, 0.1F);
    return convolve({x, w, bias}, next("conv2d"), window);
  }

  std::string relu(const std::string &x) { return net.node("Relu", {x}, next("relu")); }
  std::string sigmoid(const std::string &x) { return net.node("Sigmoid", {x}, next("sigmoid")); }
  std::string add(const std::string &a, const std::string &b) { return net.node("Add", {a, b}, next("add")); }
  std::string multiply(const std::string &a, const std::string &b) { return net.node("Mul", {a, b}, next("mul")); }
  /// AdaptiveAvgPool to one point over \p spatial dims.
  std::string average(const std::string &x, int64_t spatial) {
    if (axes_.empty()) {
      Shape axes;
      for (int64_t i = 1; i <= spatial; ++i) axes.push_back(-i);
      axes_ = net.integers("val_axes", axes);
    }
    return net.node("ReduceMean", {x, axes_}, next("mean"), {{"noop_with_empty_axes", 0}, {"keepdims", 1}});
  }
  /// x.flatten(1) of \p channels averages, and nn.Linear.
  std::string classify(const std::string &x, int64_t channels, int64_t classes) {
    const std::string flat =
        net.node("Reshape", {x, net.integers("val_shape", {1, channels})}, "view", {{"allowzero", 1}});
    const std::string weight = net.centredWeights("fc.weight", {classes, channels}, 0.2F);
    const std::string bias = net.weights("fc.bias", {classes}, 0, 0.05F);
    return net.node("Gemm", {flat, weight, bias}, "linear",
                    {{"beta", 1.0F}, {"transB", 1}, {"alpha", 1.0F}, {"transA", 0}});
  }

  NetworkWriter net;

 private:
  static Shape weightShape(const Window &window) {
    Shape shape = {window.to, window.from / window.groups};
    shape.insert(shape.end(), window.kernel.begin(), window.kernel.end());
    return shape;
  }

  static int64_t perOutput(const Shape &shape) {
    int64_t elements = 1;
    for (size_t i = 1; i < shape.size(); ++i) elements *= shape[i];
    return elements;
  }

  std::string convolve(const std::vector<std::string> &inputs, const std::string &output, const Window &window) {
    Shape pads;
    for (int side = 0; side < 2; ++side) {
      for (int64_t extent : window.kernel) pads.push_back(extent / 2);
    }
    return net.node("Conv", inputs, output,
                    {{"group", window.groups},
                     {"pads", pads},
                     {"auto_pad", "NOTSET"},
                     {"strides", window.strides},
                     {"dilations", Shape(window.kernel.size(), 1)},
                     {"kernel_shape", window.kernel}});
  }

  /// "relu", "relu_1", "relu_2", …
  std::string next(const std::string &operation) {
    const int number = counters_[operation]++;
    return number == 0 ? operation : operation + "_" + std::to_string(number);
  }

  std::map<std::string, int> counters_;
  int folded_ = 0;
  std::string axes_;
};

}  // namespace hone::samples
