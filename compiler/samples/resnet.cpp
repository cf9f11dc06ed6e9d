#include <cmath>

#include "compiler/samples/network_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

constexpr int64_t kStages = 4;
constexpr int64_t kBlocks[kStages] = {3, 4, 6, 3};

/// Writes the network with the names that Gluon gives, and keeps account of the activations' variance.
class ResnetWriter {
 public:
  explicit ResnetWriter(uint64_t seed) : net_("resnet50-v2", 3, 7, seed) {}

  std::string write() {
    net_.input("data", onnx::TensorProto::FLOAT, {1, 3, 224, 224});
    // Gluon normalises the input by a batch norm without scale and shift.
    scope_ = "resnetv24_";
    std::string x = batchNorm("data", 3, 1, false);
    x = convolution(x, 3, 64, 7, 2, 1);
    x = rectify(batchNorm(x, 64, 1, true));
    x = net_.node("MaxPool", {x}, "resnetv24_pool0_fwd",
                  {{"kernel_shape", Shape{3, 3}}, {"pads", Shape{1, 1, 1, 1}}, {"strides", Shape{2, 2}}});
    // Rectified values have about mean square 1/2, the largest of nine about 2.
    variance_ = 2;
    int64_t channels = 64;
    for (int64_t stage = 0; stage < kStages; ++stage) {
      enterStage(stage + 1);
      for (int64_t block = 0; block < kBlocks[stage]; ++block) {
        int64_t wide = int64_t{256} << stage;
        x = bottleneck(x, channels, wide, block == 0 && stage > 0 ? 2 : 1, block == 0);
        channels = wide;
      }
    }
    scope_ = "resnetv24_";
    batchNorms_ = 2;
    rectifiers_ = 1;
    x = rectify(batchNorm(x, channels, variance_, true));
    x = net_.node("GlobalAveragePool", {x}, "resnetv24_pool1_fwd");
    x = net_.node("Reshape", {x, net_.integers("reshape_attr_tensor164", {0, -1})}, "flatten_60");
    std::string weight = net_.centredWeights("resnetv24_dense0_weight", {1000, channels}, 0.2F);
    std::string bias = net_.weights("resnetv24_dense0_bias", {1000}, 0, 0.05F);
    net_.node("Gemm", {x, weight, bias}, "resnetv24_dense0_fwd",
              {{"alpha", 1.0F}, {"beta", 1.0F}, {"transA", 0}, {"transB", 1}});
    net_.output("resnetv24_dense0_fwd", {1, 1000});
    return net_.bytes();
  }

 private:
  using Shape = std::vector<int64_t>;

  void enterStage(int64_t stage) {
    scope_ = "resnetv24_stage" + std::to_string(stage) + "_";
    batchNorms_ = rectifiers_ = convolutions_ = additions_ = 0;
  }

  std::string next(const char *kind, int &counter) { return scope_ + kind + std::to_string(counter++); }

  std::string batchNorm(const std::string &x, int64_t channels, float variance, bool isScaled) {
    std::string name = next("batchnorm", batchNorms_);
    float deviation = std::sqrt(variance);
    std::string gamma = net_.weights(name + "_gamma", {channels}, 1, isScaled ? 0.1F : 0);
    std::string beta = net_.weights(name + "_beta", {channels}, 0, isScaled ? 0.1F : 0);
    std::string mean = net_.weights(name + "_running_mean", {channels}, 0, 0.1F * deviation);
    std::string var = net_.weights(name + "_running_var", {channels}, variance, 0.1F * variance);
    return net_.node("BatchNormalization", {x, gamma, beta, mean, var}, name + "_fwd",
                     {{"epsilon", 1e-5F}, {"momentum", 0.9F}, {"spatial", 1}});
  }

  std::string rectify(const std::string &x) { return net_.node("Relu", {x}, next("relu", rectifiers_) + "_fwd"); }

  /// \p gain is the output's deviation for inputs of mean square 1.
  std::string convolution(const std::string &x, int64_t from, int64_t to, int64_t kernel, int64_t stride, float gain) {
    std::string name = next("conv", convolutions_);
    int64_t pad = kernel / 2;
    float deviation = gain / std::sqrt(static_cast<float>(from * kernel * kernel));
    std::string weight = net_.centredWeights(name + "_weight", {to, from, kernel, kernel}, deviation);
    return net_.node("Conv", {x, weight}, name + "_fwd",
                     {{"dilations", Shape{1, 1}},
                      {"group", 1},
                      {"kernel_shape", Shape{kernel, kernel}},
                      {"pads", Shape{pad, pad, pad, pad}},
                      {"strides", Shape{stride, stride}}});
  }

  std::string bottleneck(const std::string &x, int64_t from, int64_t to, int64_t stride, bool isFirst) {
    // The mean square of rectified unit values is 1/2, which a gain of sqrt(2) makes up for.
    const float gain = std::sqrt(2.0F);
    int64_t narrow = to / 4;
    std::string active = rectify(batchNorm(x, from, variance_, true));
    std::string branch = convolution(active, from, narrow, 1, 1, gain);
    branch = rectify(batchNorm(branch, narrow, 1, true));
    branch = convolution(branch, narrow, narrow, 3, stride, gain);
    branch = rectify(batchNorm(branch, narrow, 1, true));
    branch = convolution(branch, narrow, to, 1, 1, 0.5F * gain);
    std::string shortcut = x;
    if (isFirst) {
      shortcut = convolution(active, from, to, 1, stride, gain);
      variance_ = 1;
    }
    variance_ += 0.25F;
    return net_.node("Add", {branch, shortcut}, next("_plus", additions_));
  }

  NetworkWriter net_;
  std::string scope_;
  int batchNorms_ = 0, rectifiers_ = 0, convolutions_ = 0, additions_ = 0;
  float variance_ = 1;
};

}  // namespace

std::string resnet50V2(uint64_t seed) { return ResnetWriter(seed).write(); }

}  // namespace hone::samples
