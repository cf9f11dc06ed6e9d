// The model zoo's networks without branches or norms that came from Gluon: SqueezeNet 1.1 and VGG-16.
#include "compiler/samples/network_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

using Shape = std::vector<int64_t>;

/// Writes layers with the names that Gluon gives: the network's, the kind, a number per kind.
class GluonWriter {
 public:
  GluonWriter(const std::string &name, std::string scope, uint64_t seed)
      : net(name, 3, 7, seed), scope_(std::move(scope)) {
    net.input("data", onnx::TensorProto::FLOAT, {1, 3, 224, 224});
  }

  /// A convolution with bias, rectified.
  std::string convolution(const std::string &x, const Convolution &sizes, float gain = kRectifiedGain) {
    std::string name = next("conv", convolutions_);
    return rectify(net.convolution(x, name + "_fwd", name + "_", sizes, gain));
  }

  std::string rectify(const std::string &x) { return net.node("Relu", {x}, next("relu", rectifiers_) + "_fwd"); }

  std::string maxPool(const std::string &x, int64_t kernel) {
    return net.node("MaxPool", {x}, next("pool", pools_) + "_fwd",
                    {{"kernel_shape", Shape{kernel, kernel}}, {"pads", Shape{0, 0, 0, 0}}, {"strides", Shape{2, 2}}});
  }

  std::string averagePool(const std::string &x, int64_t kernel) {
    return net.node(
        "AveragePool", {x}, next("pool", pools_) + "_fwd",
        {{"kernel_shape", Shape{kernel, kernel}}, {"pads", Shape{0, 0, 0, 0}}, {"strides", Shape{kernel, kernel}}});
  }

  std::string dropOut(const std::string &x) {
    return net.node("Dropout", {x}, next("dropout", dropOuts_) + "_fwd", {{"ratio", 0.5F}});
  }

  std::string concatenate(const std::vector<std::string> &parts) {
    return net.node("Concat", parts, next("concat", concatenations_), {{"axis", 1}});
  }

  /// MXNet's fully connected layer flattens what it is given.
  std::string dense(const std::string &x, int64_t from, int64_t to, float deviation) {
    std::string name = next("dense", denses_);
    std::string flat = net.node("Flatten", {x}, "flatten_" + name);
    std::string weight = net.centredWeights(name + "_weight", {to, from}, deviation);
    std::string bias = net.weights(name + "_bias", {to}, 0, 0.05F);
    return net.node("Gemm", {flat, weight, bias}, name + "_fwd",
                    {{"alpha", 1.0F}, {"beta", 1.0F}, {"transA", 0}, {"transB", 1}});
  }

  std::string finish(const std::string &output) {
    net.output(output, {1, 1000});
    return net.bytes();
  }

  NetworkWriter net;

 private:
  std::string next(const char *kind, int &counter) { return scope_ + kind + std::to_string(counter++); }

  std::string scope_;
  int convolutions_ = 0, rectifiers_ = 0, pools_ = 0, dropOuts_ = 0, concatenations_ = 0, denses_ = 0;
};

/// Squeeze to few channels, expand by 1x1 and 3x3 side by side.
std::string fire(GluonWriter &writer, const std::string &x, int64_t from, int64_t squeeze, int64_t expand) {
  std::string narrow = writer.convolution(x, {from, squeeze, 1});
  std::string left = writer.convolution(narrow, {squeeze, expand, 1});
  std::string right = writer.convolution(narrow, {squeeze, expand, 3, 1, 1});
  return writer.concatenate({left, right});
}

}  // namespace

std::string squeezenet11(uint64_t seed) {
  GluonWriter writer("squeezenet1.1", "squeezenet0_", seed);
  std::string x = writer.maxPool(writer.convolution("data", {3, 64, 3, 2}, 1), 3);
  struct Fire {
    int64_t squeeze, expand;
    bool isBeforePool;
  };
  int64_t channels = 64;
  for (const Fire &sizes : {Fire{16, 64, false}, Fire{16, 64, true}, Fire{32, 128, false}, Fire{32, 128, true},
                            Fire{48, 192, false}, Fire{48, 192, false}, Fire{64, 256, false}, Fire{64, 256, false}}) {
    x = fire(writer, x, channels, sizes.squeeze, sizes.expand);
    channels = 2 * sizes.expand;
    if (sizes.isBeforePool) x = writer.maxPool(x, 3);
  }
  x = writer.convolution(writer.dropOut(x), {channels, 1000, 1}, 4);
  x = writer.averagePool(x, 13);
  x = writer.net.node("Reshape", {x, writer.net.integers("reshape_attr_tensor118", {0, -1})},
                      "squeezenet0_flatten0_reshape0");
  return writer.finish(x);
}

std::string vgg16(uint64_t seed) {
  GluonWriter writer("vgg16", "vgg0_", seed);
  struct Stage {
    int64_t convolutions, channels;
  };
  std::string x = "data";
  int64_t channels = 3;
  float gain = 1;
  for (const Stage &stage : {Stage{2, 64}, Stage{2, 128}, Stage{3, 256}, Stage{3, 512}, Stage{3, 512}}) {
    for (int64_t i = 0; i < stage.convolutions; ++i) {
      x = writer.convolution(x, {channels, stage.channels, 3, 1, 1}, gain);
      channels = stage.channels;
      gain = kRectifiedGain;
    }
    x = writer.maxPool(x, 2);
  }
  // 7 x 7 maxima of each channel: with kRectifiedGain / sqrt(inputs).
  x = writer.dropOut(writer.rectify(writer.dense(x, channels * 49, 4096, 0.0108F)));
  x = writer.dropOut(writer.rectify(writer.dense(x, 4096, 4096, 0.0266F)));
  return writer.finish(writer.dense(x, 4096, 1000, 0.04F));
}

}  // namespace hone::samples
