// TorchWriter: the nodes that PyTorch's exporter (opset 13) writes for common expressions. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/samples/network_writer.h"

namespace hone::samples {

class TorchWriter {
 public:
  using Shape = std::vector<int64_t>;

  TorchWriter(const std::string &name, uint64_t seed) : net(name, 7, 13, seed) {}

  /// A name for a value that has none in the original.
  std::string fresh(const std::string &op) { return op + "_" + std::to_string(counter_++); }

  std::string unary(const char *op, const std::string &x) { return net.node(op, {x}, fresh(op)); }
  std::string binary(const char *op, const std::string &a, const std::string &b) {
    return net.node(op, {a, b}, fresh(op));
  }
  std::string number(float value) { return net.scalar(fresh("Constant"), value); }
  std::string integer(int64_t value) { return net.scalarInteger(fresh("Constant"), value); }
  std::string list(const Shape &values) { return net.listOfIntegers(fresh("Constant"), values); }
  std::string unsqueeze(const std::string &x, int64_t axis) { return binary("Unsqueeze", x, list({axis})); }
  std::string squeeze(const std::string &x, int64_t axis) { return binary("Squeeze", x, list({axis})); }
  std::string cast(const std::string &x, onnx::TensorProto::DataType type) {
    return net.node("Cast", {x}, fresh("Cast"), {{"to", static_cast<int64_t>(type)}});
  }
  std::string concatenate(const std::vector<std::string> &parts, int64_t axis) {
    return net.node("Concat", parts, fresh("Concat"), {{"axis", axis}});
  }
  std::string transpose(const std::string &x, const Shape &permutation) {
    return net.node("Transpose", {x}, fresh("Transpose"), {{"perm", permutation}});
  }
  std::string slice(const std::string &x, const std::string &start, const std::string &end, int64_t axis) {
    return net.node("Slice", {x, start, end, list({axis}), list({1})}, fresh("Slice"));
  }
  /// Parts of the given lengths along an axis.
  std::vector<std::string> split(const std::string &x, const Shape &lengths, int64_t axis) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < lengths.size(); ++i) parts.push_back(fresh("Split"));
    net.nodeOfSeveral("Split", {x, list(lengths)}, parts, {{"axis", axis}});
    return parts;
  }

  /// x.size(dim)
  std::string extent(const std::string &x, int64_t dim) {
    std::string shape = unary("Shape", x);
    return net.node("Gather", {shape, integer(dim)}, fresh("Gather"), {{"axis", 0}});
  }

  /// x.view(x.size(0), … as many as \p kept, last…)
  std::string view(const std::string &x, int64_t kept, const Shape &last) {
    std::vector<std::string> parts;
    for (int64_t dim = 0; dim < kept; ++dim) parts.push_back(unsqueeze(extent(x, dim), 0));
    for (int64_t value : last) parts.push_back(list({value}));
    return binary("Reshape", x, concatenate(parts, 0));
  }

  /// nn.LayerNorm over the last dim, whose extent is \p channels.
  std::string layerNorm(const std::string &x, const std::string &name, int64_t channels, float epsilon,
                        const std::string &output) {
    auto mean = [&](const std::string &data) {
      return net.node("ReduceMean", {data}, fresh("ReduceMean"), {{"axes", Shape{-1}}});
    };
    std::string centred = binary("Sub", x, mean(x));
    std::string variance = mean(binary("Pow", centred, number(2)));
    std::string deviation = unary("Sqrt", binary("Add", variance, number(epsilon)));
    std::string scale = net.weights(name + ".weight", {channels}, 1, 0.1F);
    std::string shift = net.weights(name + ".bias", {channels}, 0, 0.1F);
    std::string scaled = binary("Mul", binary("Div", centred, deviation), scale);
    return net.node("Add", {scaled, shift}, output);
  }

  NetworkWriter net;

 private:
  int counter_ = 0;
};

}  // namespace hone::samples
