#include <cmath>

#include "compiler/samples/network_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

struct Group {
  int64_t expansion, channels, repeats, stride;
};
constexpr Group kGroups[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

/// Writes the network with torchvision's names, and keeps account of the activations' variance.
class MobilenetWriter {
 public:
  explicit MobilenetWriter(uint64_t seed) : net_("mobilenet-v2", 4, 10, seed) {}

  std::string write() {
    net_.input("input", onnx::TensorProto::FLOAT, {1, 3, 224, 224});
    std::string x = clip(convolution("input", "features.0", 0, {3, 32, 3, 2, 1, 1}, 1));
    // Clipped values have about mean square 1/2, those of a linear layer 1.
    meanSquare_ = 0.5F;
    int64_t channels = 32, position = 1;
    for (const Group &group : kGroups) {
      for (int64_t i = 0; i < group.repeats; ++i) {
        std::string name = "features." + std::to_string(position++);
        x = block(x, name, channels, group, i == 0 ? group.stride : 1);
        channels = group.channels;
      }
    }
    x = clip(convolution(x, "features." + std::to_string(position), 0, {channels, 1280, 1, 1, 1, 1}, 1));
    x = net_.node("GlobalAveragePool", {x}, "pool");
    x = flatten(x);
    std::string weight = net_.centredWeights("classifier.1.weight", {1000, 1280}, 0.2F);
    std::string bias = net_.weights("classifier.1.bias", {1000}, 0, 0.05F);
    net_.node("Gemm", {x, weight, bias}, "output", {{"alpha", 1.0F}, {"beta", 1.0F}, {"transB", 1}});
    net_.output("output", {1, 1000});
    return net_.bytes();
  }

 private:
  using Shape = std::vector<int64_t>;

  struct Sizes {
    int64_t from, to, kernel, stride, groups;
    float gain;  ///< the deviation of the batch norm's output
  };

  /// A convolution without bias and its batch norm; \p meanSquare is that of its input.
  std::string convolution(const std::string &x, const std::string &name, int part, const Sizes &sizes,
                          float meanSquare) {
    int64_t pad = sizes.kernel / 2, perGroup = sizes.from / sizes.groups;
    Shape shape = {sizes.to, perGroup, sizes.kernel, sizes.kernel};
    float deviation = 1 / std::sqrt(static_cast<float>(perGroup * sizes.kernel * sizes.kernel) * meanSquare);
    std::string conv = name + ".conv." + std::to_string(part), norm = name + ".conv." + std::to_string(part + 1);
    // A depthwise filter that sums to zero would see edges only.
    std::string weight = perGroup == 1 ? net_.weights(conv + ".weight", shape, 0, deviation)
                                       : net_.centredWeights(conv + ".weight", shape, deviation);
    std::string y = net_.node("Conv", {x, weight}, conv,
                              {{"dilations", Shape{1, 1}},
                               {"group", sizes.groups},
                               {"kernel_shape", Shape{sizes.kernel, sizes.kernel}},
                               {"pads", Shape{pad, pad, pad, pad}},
                               {"strides", Shape{sizes.stride, sizes.stride}}});
    std::string gamma = net_.weights(norm + ".weight", {sizes.to}, sizes.gain, 0.1F * sizes.gain);
    std::string beta = net_.weights(norm + ".bias", {sizes.to}, 0, 0.1F);
    std::string mean = net_.weights(norm + ".running_mean", {sizes.to}, 0, 0.1F);
    std::string variance = net_.weights(norm + ".running_var", {sizes.to}, 1, 0.1F);
    return net_.node("BatchNormalization", {y, gamma, beta, mean, variance}, norm,
                     {{"epsilon", 1e-5F}, {"momentum", 0.9F}});
  }

  std::string clip(const std::string &x) {
    return net_.node("Clip", {x}, "clip." + std::to_string(clips_++), {{"min", 0.0F}, {"max", 6.0F}});
  }

  std::string block(const std::string &x, const std::string &name, int64_t from, const Group &group, int64_t stride) {
    int64_t wide = from * group.expansion;
    std::string y = x;
    int part = 0;
    if (group.expansion != 1) {
      y = clip(convolution(y, name, part, {from, wide, 1, 1, 1, 1}, meanSquare_));
      part += 3;
    }
    y = clip(convolution(y, name, part, {wide, wide, 3, stride, wide, 1}, 0.5F));
    part += 3;
    bool isResidual = stride == 1 && from == group.channels;
    float gain = isResidual ? 0.5F : 1.0F;
    y = convolution(y, name, part, {wide, group.channels, 1, 1, 1, gain}, 0.5F);
    meanSquare_ = isResidual ? meanSquare_ + gain * gain : 1;
    return isResidual ? net_.node("Add", {x, y}, name + ".add") : y;
  }

  /// x.view(x.size(0), -1), as PyTorch traces it.
  std::string flatten(const std::string &x) {
    std::string batch = net_.node("Shape", {x}, "shape");
    batch = net_.node("Gather", {batch, net_.scalarInteger("first", 0)}, "batch", {{"axis", 0}});
    batch = net_.node("Unsqueeze", {batch}, "batch_list", {{"axes", Shape{0}}});
    std::string rest = net_.node("Unsqueeze", {net_.scalarInteger("open", -1)}, "open_list", {{"axes", Shape{0}}});
    std::string shape = net_.node("Concat", {batch, rest}, "flat_shape", {{"axis", 0}});
    return net_.node("Reshape", {x, shape}, "flat");
  }

  NetworkWriter net_;
  int clips_ = 0;
  float meanSquare_ = 1;
};

}  // namespace

std::string mobilenetV2(uint64_t seed) { return MobilenetWriter(seed).write(); }

}  // namespace hone::samples
