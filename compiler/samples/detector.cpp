#include <cmath>

#include "compiler/samples/networks.h"
#include "compiler/samples/torch_writer.h"

namespace hone::samples {
namespace {

constexpr int64_t kImage = 320, kClasses = 80, kBins = 16;
constexpr int64_t kStrides[] = {8, 16, 32};
constexpr int64_t kAnchors =
    (kImage / 8) * (kImage / 8) + (kImage / 16) * (kImage / 16) + (kImage / 32) * (kImage / 32);
/// A residual's second convolution adds half of what it adds to.
constexpr float kResidualGain = 0.5F * kRectifiedGain;

/// Writes a detector of YOLO's kind (the smallest of the eighth version) with its exporter's nodes: convolutions with
/// folded batch norms and SiLU as Sigmoid and Mul, features that are split, refined and concatenated, a pyramid with
/// Resize, and a head that takes boxes from distributions over sixteen distances.
class DetectorWriter : private TorchWriter {
 public:
  explicit DetectorWriter(uint64_t seed) : TorchWriter("yolo-like", seed) {}

  std::string write() {
    net.input("images", onnx::TensorProto::FLOAT, {1, 3, kImage, kImage});
    std::string x = convolution("images", 0, {3, 16, 3, 2, 1}, 1);
    x = splitAndRefine(convolution(x, 1, {16, 32, 3, 2, 1}), 2, {32, 32}, 1, true);
    std::string eighth = splitAndRefine(convolution(x, 3, {32, 64, 3, 2, 1}), 4, {64, 64}, 2, true);
    std::string sixteenth = splitAndRefine(convolution(eighth, 5, {64, 128, 3, 2, 1}), 6, {128, 128}, 2, true);
    x = splitAndRefine(convolution(sixteenth, 7, {128, 256, 3, 2, 1}), 8, {256, 256}, 1, true);
    std::string last = pyramidOfMaxima(x);
    std::string middle = splitAndRefine(concatenate({upsample(last), sixteenth}, 1), 12, {384, 128}, 1, false);
    std::string fine = splitAndRefine(concatenate({upsample(middle), eighth}, 1), 15, {192, 64}, 1, false);
    x = concatenate({convolution(fine, 16, {64, 64, 3, 2, 1}), middle}, 1);
    middle = splitAndRefine(x, 18, {192, 128}, 1, false);
    x = concatenate({convolution(middle, 19, {128, 128, 3, 2, 1}), last}, 1);
    std::string coarse = splitAndRefine(x, 21, {384, 256}, 1, false);
    detect({fine, middle, coarse});
    net.output("output0", {1, 4 + kClasses, kAnchors});
    return net.bytes();
  }

 private:
  static std::string model(int64_t index) { return "model." + std::to_string(index); }

  std::string convolution(const std::string &x, const std::string &name, const Convolution &sizes, float gain) {
    std::string y = net.convolution(x, fresh("Conv"), name + ".conv.", sizes, gain);
    return binary("Mul", y, unary("Sigmoid", y));
  }
  std::string convolution(const std::string &x, int64_t index, const Convolution &sizes, float gain = kRectifiedGain) {
    return convolution(x, model(index), sizes, gain);
  }

  struct Channels {
    int64_t from, to;
  };
  /// Half of the channels goes through \p count pairs of 3x3 convolutions; everything on the way is concatenated.
  std::string splitAndRefine(const std::string &x, int64_t index, Channels channels, int64_t count, bool isResidual) {
    std::string name = model(index);
    int64_t half = channels.to / 2;
    std::string y = convolution(x, name + ".cv1", {channels.from, channels.to, 1}, kRectifiedGain);
    std::vector<std::string> parts = split(y, {half, half}, 1);
    for (int64_t i = 0; i < count; ++i) {
      std::string scope = name + ".m." + std::to_string(i);
      std::string refined = convolution(parts.back(), scope + ".cv1", {half, half, 3, 1, 1}, kRectifiedGain);
      refined =
          convolution(refined, scope + ".cv2", {half, half, 3, 1, 1}, isResidual ? kResidualGain : kRectifiedGain);
      parts.push_back(isResidual ? binary("Add", parts.back(), refined) : refined);
    }
    return convolution(concatenate(parts, 1), name + ".cv2", {(2 + count) * half, channels.to, 1}, kRectifiedGain);
  }

  std::string pyramidOfMaxima(const std::string &x) {
    std::vector<std::string> parts = {convolution(x, model(9) + ".cv1", {256, 128, 1}, kRectifiedGain)};
    for (int i = 0; i < 3; ++i) {
      parts.push_back(net.node("MaxPool", {parts.back()}, fresh("MaxPool"),
                               {{"ceil_mode", 0},
                                {"dilations", Shape{1, 1}},
                                {"kernel_shape", Shape{5, 5}},
                                {"pads", Shape{2, 2, 2, 2}},
                                {"strides", Shape{1, 1}}}));
    }
    return convolution(concatenate(parts, 1), model(9) + ".cv2", {512, 256, 1}, kRectifiedGain);
  }

  std::string upsample(const std::string &x) {
    onnx::TensorProto scales;
    scales.set_data_type(onnx::TensorProto::FLOAT);
    scales.add_dims(4);
    for (float scale : {1.0F, 1.0F, 2.0F, 2.0F}) scales.add_float_data(scale);
    std::string factors = net.node("Constant", {}, fresh("Constant"), {{"value", std::move(scales)}});
    return net.node("Resize", {x, "", factors}, fresh("Resize"),
                    {{"coordinate_transformation_mode", "asymmetric"},
                     {"cubic_coeff_a", -0.75F},
                     {"mode", "nearest"},
                     {"nearest_mode", "floor"}});
  }

  /// Two 3x3 convolutions and a 1x1: what one of the head's branches says of every pixel.
  std::string branch(const std::string &x, const std::string &name, int64_t from, int64_t wide, int64_t to,
                     float gain) {
    std::string y = convolution(x, name + ".0", {from, wide, 3, 1, 1}, kRectifiedGain);
    y = convolution(y, name + ".1", {wide, wide, 3, 1, 1}, kRectifiedGain);
    return net.convolution(y, fresh("Conv"), name + ".2.", {wide, to, 1}, gain);
  }

  void detect(const std::vector<std::string> &features) {
    std::vector<std::string> levels;
    for (size_t level = 0; level < features.size(); ++level) {
      int64_t from = int64_t{64} << level;
      std::string name = model(22), index = std::to_string(level);
      std::string boxes = branch(features[level], name + ".cv2." + index, from, 64, 4 * kBins, kRectifiedGain);
      std::string classes = branch(features[level], name + ".cv3." + index, from, 80, kClasses, 2 * kRectifiedGain);
      std::string both = concatenate({boxes, classes}, 1);
      levels.push_back(binary("Reshape", both, list({1, 4 * kBins + kClasses, -1})));
    }
    std::vector<std::string> parts = split(concatenate(levels, 2), {4 * kBins, kClasses}, 1);
    std::string boxes = binary("Mul", boxesOf(distances(parts[0])), strides());
    net.node("Concat", {boxes, unary("Sigmoid", parts[1])}, "output0", {{"axis", 1}});
  }

  /// The mean of each side's distribution over the bins, by a convolution whose weights are 0, 1, 2, …
  std::string distances(const std::string &x) {
    std::string y = transpose(binary("Reshape", x, list({1, 4, kBins, kAnchors})), {0, 2, 1, 3});
    y = net.node("Softmax", {y}, fresh("Softmax"), {{"axis", 1}});
    onnx::TensorProto bins;
    bins.set_data_type(onnx::TensorProto::FLOAT);
    for (int64_t extent : {int64_t{1}, kBins, int64_t{1}, int64_t{1}}) bins.add_dims(extent);
    for (int64_t i = 0; i < kBins; ++i) bins.add_float_data(static_cast<float>(i));
    y = net.node("Conv", {y, net.initializer("model.22.dfl.conv.weight", std::move(bins))}, fresh("Conv"),
                 {{"dilations", Shape{1, 1}},
                  {"group", 1},
                  {"kernel_shape", Shape{1, 1}},
                  {"pads", Shape{0, 0, 0, 0}},
                  {"strides", Shape{1, 1}}});
    return binary("Reshape", y, list({1, 4, kAnchors}));
  }

  /// Middle and size from the distances to the left, top, right and bottom of an anchor point.
  std::string boxesOf(const std::string &distances) {
    std::string points = anchors();
    std::string low = binary("Sub", points, slice(distances, list({0}), list({2}), 1));
    std::string high = binary("Add", points, slice(distances, list({2}), list({4}), 1));
    std::string middle = binary("Div", binary("Add", low, high), number(2));
    return concatenate({middle, binary("Sub", high, low)}, 1);
  }

  /// The pixels' middles, all x and then all y, in pixels of their level.
  std::string anchors() {
    onnx::TensorProto points;
    points.set_data_type(onnx::TensorProto::FLOAT);
    for (int64_t extent : {int64_t{1}, int64_t{2}, kAnchors}) points.add_dims(extent);
    for (bool isY : {false, true}) {
      for (int64_t stride : kStrides) {
        int64_t side = kImage / stride;
        for (int64_t pixel = 0; pixel < side * side; ++pixel) {
          points.add_float_data(static_cast<float>(isY ? pixel / side : pixel % side) + 0.5F);
        }
      }
    }
    return net.node("Constant", {}, fresh("Constant"), {{"value", std::move(points)}});
  }

  std::string strides() {
    onnx::TensorProto values;
    values.set_data_type(onnx::TensorProto::FLOAT);
    values.add_dims(1);
    values.add_dims(kAnchors);
    for (int64_t stride : kStrides) {
      for (int64_t pixel = 0; pixel < (kImage / stride) * (kImage / stride); ++pixel) {
        values.add_float_data(static_cast<float>(stride));
      }
    }
    return net.node("Constant", {}, fresh("Constant"), {{"value", std::move(values)}});
  }
};

}  // namespace

std::string yoloLike(uint64_t seed) { return DetectorWriter(seed).write(); }

}  // namespace hone::samples
