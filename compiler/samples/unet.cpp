#include <cmath>

#include "compiler/samples/networks.h"
#include "compiler/samples/torch_writer.h"

namespace hone::samples {
namespace {

constexpr int64_t kImage = 256, kChannels = 32, kLevels = 4, kClasses = 2;

/// Writes the U-Net that most repositories share: pairs of 3x3 convolutions (batch norms folded, as the exporter does),
/// maxima on the way down; on the way up a transposed convolution, padded to the size of what it is joined with. That
/// padding is always zero here, and a page of shape arithmetic all the same.
class UnetWriter : private TorchWriter {
 public:
  explicit UnetWriter(uint64_t seed) : TorchWriter("unet", seed) {}

  std::string write() {
    net.input("image", onnx::TensorProto::FLOAT, {1, 3, kImage, kImage});
    std::vector<std::string> skips = {pair("image", "inc", 3, kChannels, 1)};
    for (int64_t level = 1; level <= kLevels; ++level) {
      std::string half = net.node(
          "MaxPool", {skips.back()}, fresh("MaxPool"),
          {{"ceil_mode", 0}, {"kernel_shape", Shape{2, 2}}, {"pads", Shape{0, 0, 0, 0}}, {"strides", Shape{2, 2}}});
      int64_t channels = kChannels << level;
      skips.push_back(pair(half, "down" + std::to_string(level), channels / 2, channels, kRectifiedGain));
    }
    std::string x = skips.back();
    for (int64_t level = kLevels; level >= 1; --level) {
      std::string name = "up" + std::to_string(kLevels - level + 1);
      int64_t channels = kChannels << level;
      std::string up = transposedConvolution(x, name + ".up", channels);
      const std::string &skip = skips[static_cast<size_t>(level - 1)];
      up = padTo(up, skip);
      x = pair(concatenate({skip, up}, 1), name, channels, channels / 2, kRectifiedGain);
    }
    net.convolution(x, "logits", "outc.conv.", {kChannels, kClasses, 1}, kRectifiedGain);
    net.output("logits", {1, kClasses, kImage, kImage});
    return net.bytes();
  }

 private:
  std::string pair(const std::string &x, const std::string &name, int64_t from, int64_t to, float gain) {
    std::string first = net.convolution(x, fresh("Conv"), name + ".double_conv.0.", {from, to, 3, 1, 1}, gain);
    first = unary("Relu", first);
    return unary("Relu",
                 net.convolution(first, fresh("Conv"), name + ".double_conv.3.", {to, to, 3, 1, 1}, kRectifiedGain));
  }

  std::string transposedConvolution(const std::string &x, const std::string &name, int64_t channels) {
    float deviation = kRectifiedGain / std::sqrt(static_cast<float>(channels));
    std::string weight = net.weights(name + ".weight", {channels, channels / 2, 2, 2}, 0, deviation);
    std::string bias = net.weights(name + ".bias", {channels / 2}, 0, 0.1F);
    return net.node("ConvTranspose", {x, weight, bias}, fresh("ConvTranspose"),
                    {{"dilations", Shape{1, 1}},
                     {"group", 1},
                     {"kernel_shape", Shape{2, 2}},
                     {"pads", Shape{0, 0, 0, 0}},
                     {"strides", Shape{2, 2}}});
  }

  /// F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2]), where dx and dy are what x lacks of \p reference.
  std::string padTo(const std::string &x, const std::string &reference) {
    std::vector<std::string> pads;
    for (int64_t dim : {3, 2}) {
      std::string lack = binary("Sub", extent(reference, dim), extent(x, dim));
      std::string before = binary("Div", lack, integer(2));
      pads.push_back(unsqueeze(before, 0));
      pads.push_back(unsqueeze(binary("Sub", lack, before), 0));
    }
    // From PyTorch's order (last dim first, begin and end together) to ONNX's (all begins, all ends).
    std::string given = concatenate(pads, 0);
    std::string missing = binary("Sub", binary("Mul", integer(4), integer(2)), unary("Size", given));
    std::string zeros =
        net.node("ConstantOfShape", {unsqueeze(missing, 0)}, fresh("ConstantOfShape"), {{"value", zero()}});
    std::string all = binary("Reshape", concatenate({given, zeros}, 0), list({-1, 2}));
    std::string reversed =
        net.node("Slice", {all, list({-1}), list({-9223372036854775807}), list({0}), list({-1})}, fresh("Slice"));
    std::string ordered = binary("Reshape", transpose(reversed, {1, 0}), list({-1}));
    ordered = cast(ordered, onnx::TensorProto::INT64);
    return net.node("Pad", {x, ordered, number(0)}, fresh("Pad"), {{"mode", "constant"}});
  }

  static onnx::TensorProto zero() {
    onnx::TensorProto tensor;
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(1);
    tensor.add_int64_data(0);
    return tensor;
  }
};

}  // namespace

std::string unet(uint64_t seed) { return UnetWriter(seed).write(); }

}  // namespace hone::samples
