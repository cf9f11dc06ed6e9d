#include <cmath>

#include "compiler/samples/dynamo_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

constexpr int64_t kStages = 4, kBlocks = 2, kFrames = 16, kImage = 112, kClasses = 400;

/// Writes the network with torchvision's names, and keeps account of what rectified sums vary by.
class Resnet3dWriter : private DynamoWriter {
 public:
  explicit Resnet3dWriter(uint64_t seed) : DynamoWriter("resnet3d-18", seed) {}

  std::string write() {
    net.input("x", onnx::TensorProto::FLOAT, {1, 3, kFrames, kImage, kImage});
    std::string x = relu(convolution("x", "stem.0.weight", {3, 64, {3, 7, 7}, {1, 2, 2}}, 1));
    int64_t channels = 64;
    for (int64_t stage = 1; stage <= kStages; ++stage) {
      const int64_t wide = int64_t{32} << stage;
      for (int64_t i = 0; i < kBlocks; ++i) {
        x = block(x, "layer" + std::to_string(stage) + "." + std::to_string(i), channels, wide);
        channels = wide;
      }
    }
    net.output(classify(average(x, 3), channels, kClasses), {1, kClasses});
    return net.bytes();
  }

 private:
  std::string block(const std::string &x, const std::string &name, int64_t from, int64_t to) {
    const int64_t stride = from == to ? 1 : 2;
    const float gain = kRectifiedGain / std::sqrt(variance_);
    std::string y = relu(convolution(x, name + ".conv1.0.weight", window(from, to, 3, stride), gain));
    y = convolution(y, name + ".conv2.0.weight", window(to, to, 3, 1), 0.5F * kRectifiedGain);
    std::string shortcut = x;
    if (stride != 1) {
      shortcut = convolution(x, name + ".downsample.0.weight", window(from, to, 1, stride), gain);
      variance_ = 1;
    }
    variance_ += 0.25F;
    return relu(add(y, shortcut));
  }

  static Window window(int64_t from, int64_t to, int64_t kernel, int64_t stride) {
    return {from, to, {kernel, kernel, kernel}, {stride, stride, stride}};
  }

  float variance_ = 1;
};

}  // namespace

std::string resnet3d18(uint64_t seed) { return Resnet3dWriter(seed).write(); }

}  // namespace hone::samples
