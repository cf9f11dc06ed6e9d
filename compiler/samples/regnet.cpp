#include <cmath>

#include "compiler/samples/dynamo_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

constexpr int64_t kImage = 224, kStem = 32, kPerGroup = 8, kClasses = 1000;
struct Stage {
  int64_t channels, blocks;
};
constexpr Stage kStages[] = {{48, 1}, {104, 3}, {208, 6}, {440, 6}};

/// Writes the network with torchvision's names, and keeps account of what rectified sums vary by.
class RegnetWriter : private DynamoWriter {
 public:
  explicit RegnetWriter(uint64_t seed) : DynamoWriter("regnet-y-400mf", seed) {}

  std::string write() {
    net.input("x", onnx::TensorProto::FLOAT, {1, 3, kImage, kImage});
    std::string x = relu(convolution("x", "stem.0.weight", {3, kStem, {3, 3}, {2, 2}}, 1));
    int64_t channels = kStem, number = 1;
    for (const Stage &stage : kStages) {
      const std::string name = "block" + std::to_string(number++);
      for (int64_t i = 0; i < stage.blocks; ++i) {
        x = block(x, "trunk_output." + name + "." + name + "-" + std::to_string(i) + ".", channels, stage.channels);
        channels = stage.channels;
      }
    }
    net.output(classify(average(x, 2), channels, kClasses), {1, kClasses});
    return net.bytes();
  }

 private:
  std::string block(const std::string &x, const std::string &name, int64_t from, int64_t to) {
    const int64_t stride = from == to ? 1 : 2;
    const float gain = kRectifiedGain / std::sqrt(variance_);
    std::string shortcut = x;
    if (stride != 1) shortcut = convolution(x, name + "proj.0.weight", pointwise(from, to, stride), gain);
    std::string y = relu(convolution(x, name + "f.a.0.weight", pointwise(from, to, 1), gain));
    const Window grouped{to, to, {3, 3}, {stride, stride}, to / kPerGroup};
    y = relu(convolution(y, name + "f.b.0.weight", grouped, kRectifiedGain));
    y = exciteChannels(y, name + "f.se.", to, from / 4);
    // What excites is about one half.
    y = convolution(y, name + "f.c.0.weight", pointwise(to, to, 1), kRectifiedGain);
    variance_ = (stride == 1 ? variance_ : 1) + 0.25F;
    return relu(add(shortcut, y));
  }

  /// Squeeze and excitation: a factor for every channel, from the averages of all.
  std::string exciteChannels(const std::string &x, const std::string &name, int64_t channels, int64_t narrow) {
    std::string factor = relu(plainConvolution(average(x, 2), name + "fc1", pointwise(channels, narrow, 1), 2));
    factor = sigmoid(plainConvolution(factor, name + "fc2", pointwise(narrow, channels, 1), 1));
    return multiply(factor, x);
  }

  static Window pointwise(int64_t from, int64_t to, int64_t stride) { return {from, to, {1, 1}, {stride, stride}}; }

  float variance_ = 1;
};

}  // namespace

std::string regnetY400mf(uint64_t seed) { return RegnetWriter(seed).write(); }

}  // namespace hone::samples
