#include "compiler/samples/network_writer.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

using Shape = std::vector<int64_t>;

/// Channels of the four branches: 1x1; 1x1 then 3x3; 1x1 then 5x5; 3x3 maximum then 1x1.
struct Module {
  const char *name;
  int64_t one, threeReduce, three, fiveReduce, five, pool;
  bool isBeforePool = false;

  int64_t channels() const { return one + three + five + pool; }
};
constexpr Module kModules[] = {{"3a", 64, 96, 128, 16, 32, 32},           {"3b", 128, 128, 192, 32, 96, 64, true},
                               {"4a", 192, 96, 208, 16, 48, 64},          {"4b", 160, 112, 224, 24, 64, 64},
                               {"4c", 128, 128, 256, 24, 64, 64},         {"4d", 112, 144, 288, 32, 64, 64},
                               {"4e", 256, 160, 320, 32, 128, 128, true}, {"5a", 256, 160, 320, 32, 128, 128},
                               {"5b", 384, 192, 384, 48, 128, 128}};

/// Caffe's networks have activations of about this size before their first modules, which is what makes the local
/// response norm's constants (1 + 1e-4 times a mean square) mean something.
constexpr float kCaffesScale = 100;

/// Writes the network as the model zoo has it, which came from Caffe (bvlc_googlenet), with Caffe's names.
class InceptionWriter {
 public:
  explicit InceptionWriter(uint64_t seed) : net_("inception-v1", 3, 9, seed) {}

  std::string write() {
    net_.input("data_0", onnx::TensorProto::FLOAT, {1, 3, 224, 224});
    std::string x = convolution("data_0", "conv1/7x7_s2", {3, 64, 7, 2, 3}, kCaffesScale);
    x = localNorm(maxPool(x, "pool1/3x3_s2", 2, 0), "pool1/norm1");
    // The norm divides by about (1 + 1e-4 * mean square) ^ 0.75.
    x = convolution(x, "conv2/3x3_reduce", {64, 64, 1}, 2 * kRectifiedGain);
    x = convolution(x, "conv2/3x3", {64, 192, 3, 1, 1}, kRectifiedGain);
    x = maxPool(localNorm(x, "conv2/norm2"), "pool2/3x3_s2", 2, 0);
    int64_t channels = 192;
    float gain = kRectifiedGain / kCaffesScale;
    for (const Module &module : kModules) {
      x = inception(x, module, channels, gain);
      channels = module.channels();
      if (module.isBeforePool) {
        x = maxPool(x, std::string("pool") + module.name[0] + "/3x3_s2", 2, 0);
      }
      gain = kRectifiedGain;
    }
    x = net_.node("AveragePool", {x}, "pool5/7x7_s1_1",
                  {{"kernel_shape", Shape{7, 7}}, {"pads", Shape{0, 0, 0, 0}}, {"strides", Shape{1, 1}}});
    x = net_.node("Dropout", {x}, "pool5/7x7_s1_2", {{"ratio", 0.4F}});
    x = net_.node("Reshape", {x, net_.integers("OC2_DUMMY_1", {1, 1024})}, "OC2_DUMMY_0");
    std::string weight = net_.centredWeights("loss3/classifier_w_0", {1000, 1024}, 0.3F);
    std::string bias = net_.weights("loss3/classifier_b_0", {1000}, 0, 0.05F);
    x = net_.node("Gemm", {x, weight, bias}, "loss3/classifier_1", {{"transB", 1}});
    net_.node("Softmax", {x}, "prob_1");
    net_.output("prob_1", {1, 1000});
    return net_.bytes();
  }

 private:
  std::string convolution(const std::string &x, const std::string &name, const Convolution &sizes, float gain) {
    std::string y = net_.convolution(x, name + "_1", name + "_", sizes, gain);
    return net_.node("Relu", {y}, name + "_2");
  }

  /// Caffe rounds the number of windows up, which the converter writes as padding at the end.
  std::string maxPool(const std::string &x, const std::string &name, int64_t stride, int64_t pad) {
    int64_t end = stride == 2 ? 1 : pad;
    return net_.node(
        "MaxPool", {x}, name + "_1",
        {{"kernel_shape", Shape{3, 3}}, {"pads", Shape{pad, pad, end, end}}, {"strides", Shape{stride, stride}}});
  }

  std::string localNorm(const std::string &x, const std::string &name) {
    return net_.node("LRN", {x}, name + "_1", {{"alpha", 1e-4F}, {"beta", 0.75F}, {"bias", 1.0F}, {"size", 5}});
  }

  std::string inception(const std::string &x, const Module &module, int64_t from, float gain) {
    std::string scope = std::string("inception_") + module.name + "/";
    std::string one = convolution(x, scope + "1x1", {from, module.one, 1}, gain);
    std::string three = convolution(x, scope + "3x3_reduce", {from, module.threeReduce, 1}, gain);
    three = convolution(three, scope + "3x3", {module.threeReduce, module.three, 3, 1, 1}, kRectifiedGain);
    std::string five = convolution(x, scope + "5x5_reduce", {from, module.fiveReduce, 1}, gain);
    five = convolution(five, scope + "5x5", {module.fiveReduce, module.five, 5, 1, 2}, kRectifiedGain);
    std::string pool = maxPool(x, scope + "pool", 1, 1);
    pool = convolution(pool, scope + "pool_proj", {from, module.pool, 1}, gain);
    return net_.node("Concat", {one, three, five, pool}, scope + "output_1", {{"axis", 1}});
  }

  NetworkWriter net_;
};

}  // namespace

std::string inceptionV1(uint64_t seed) { return InceptionWriter(seed).write(); }

}  // namespace hone::samples
