#include "compiler/samples/network_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

using Shape = std::vector<int64_t>;

constexpr int64_t kGrowth = 32;
constexpr int64_t kLayers[] = {6, 12, 24, 16};

/// Writes the network as the model zoo has it, which came from Caffe: a batch norm without parameters of its own,
/// then scale and shift as Mul and Add of lists that Unsqueeze nodes bring to the rank of the data.
class DensenetWriter {
 public:
  explicit DensenetWriter(uint64_t seed) : net_("densenet121", 3, 9, seed) {}

  std::string write() {
    net_.input("data_0", onnx::TensorProto::FLOAT, {1, 3, 224, 224});
    std::string x = convolution("data_0", "conv1", {3, 64, 7, 2, 3, false}, 1);
    x = rectify(batchNorm(x, "conv1", 64), "conv1");
    x = net_.node("MaxPool", {x}, "pool1_1",
                  {{"kernel_shape", Shape{3, 3}}, {"pads", Shape{1, 1, 1, 1}}, {"strides", Shape{2, 2}}});
    int64_t channels = 64;
    for (int64_t block = 0; block < 4; ++block) {
      for (int64_t layer = 0; layer < kLayers[block]; ++layer, channels += kGrowth) {
        std::string name = "conv" + std::to_string(block + 2) + "_" + std::to_string(layer + 1);
        std::string grown = denseLayer(x, name, channels);
        x = net_.node("Concat", {x, grown}, "concat_" + std::to_string(block + 2) + "_" + std::to_string(layer + 1),
                      {{"axis", 1}});
      }
      std::string name = "conv" + std::to_string(block + 2) + "_blk";
      x = rectify(batchNorm(x, name, channels), name);
      if (block == 3) break;
      x = convolution(x, name, {channels, channels / 2, 1, 1, 0, false}, kRectifiedGain);
      channels /= 2;
      x = net_.node("AveragePool", {x}, "pool" + std::to_string(block + 2) + "_1",
                    {{"kernel_shape", Shape{2, 2}}, {"pads", Shape{0, 0, 0, 0}}, {"strides", Shape{2, 2}}});
    }
    x = net_.node("GlobalAveragePool", {x}, "pool5_1");
    // The classifier is a convolution of one pixel.
    net_.convolution(x, "fc6_1", "fc6_", {channels, 1000, 1}, 6);
    net_.output("fc6_1", {1, 1000, 1, 1});
    return net_.bytes();
  }

 private:
  std::string convolution(const std::string &x, const std::string &name, const Convolution &sizes, float gain) {
    return net_.convolution(x, name + "_1", name + "_", sizes, gain);
  }

  std::string batchNorm(const std::string &x, const std::string &name, int64_t channels) {
    auto list = [&](const char *part, float mean, float deviation) {
      return net_.weights(name + part, {channels}, mean, deviation);
    };
    std::string y = net_.node(
        "BatchNormalization",
        {x, list("_bn_scale", 1, 0), list("_bn_bias", 0, 0), list("_bn_mean", 0, 0.1F), list("_bn_var", 1, 0.1F)},
        name + "_bn_1", {{"epsilon", 1e-5F}, {"momentum", 0.9F}});
    auto unsqueezed = [&](const std::string &values) {
      return net_.node("Unsqueeze", {values}, values + "_unsqueezed", {{"axes", Shape{1, 2}}});
    };
    y = net_.node("Mul", {y, unsqueezed(list("_scale_w", 1, 0.1F))}, name + "_scale_mul");
    return net_.node("Add", {y, unsqueezed(list("_scale_b", 0, 0.1F))}, name + "_scale_1");
  }

  std::string rectify(const std::string &x, const std::string &name) { return net_.node("Relu", {x}, name + "_relu"); }

  /// Norm, rectify, narrow by 1x1; the same again by 3x3: what the layer adds to its input's channels.
  std::string denseLayer(const std::string &x, const std::string &name, int64_t channels) {
    std::string narrow = name + "_x1", grown = name + "_x2";
    std::string y = rectify(batchNorm(x, narrow, channels), narrow);
    y = convolution(y, narrow, {channels, 4 * kGrowth, 1, 1, 0, false}, kRectifiedGain);
    y = rectify(batchNorm(y, grown, 4 * kGrowth), grown);
    return convolution(y, grown, {4 * kGrowth, kGrowth, 3, 1, 1, false}, kRectifiedGain);
  }

  NetworkWriter net_;
};

}  // namespace

std::string densenet121(uint64_t seed) { return DensenetWriter(seed).write(); }

}  // namespace hone::samples
