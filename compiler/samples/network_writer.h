// NetworkWriter: writes nodes and seeded weights into an ONNX model. One thread at a time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "onnx/onnx_pb.h"

namespace hone::samples {

/// Weights from a seed and a name: every tensor has a stream of its own, so that adding one changes no other.
class WeightStream {
 public:
  WeightStream(uint64_t seed, std::string_view name);
  /// Bell-shaped with mean 0 and standard deviation 1, within +-3.5.
  float next();

 private:
  uint64_t state_;
};

/// An attribute's name and value.
struct Attribute {
  Attribute(const char *name, int64_t value);
  Attribute(const char *name, int value) : Attribute(name, static_cast<int64_t>(value)) {}
  Attribute(const char *name, float value);
  Attribute(const char *name, const char *value);
  Attribute(const char *name, const std::vector<int64_t> &values);
  Attribute(const char *name, onnx::TensorProto value);

  onnx::AttributeProto proto;
};

/// A square convolution over images.
struct Convolution {
  int64_t from, to, kernel;
  int64_t stride = 1;
  int64_t pad = 0;
  bool hasBias = true;
};

/// What a layer multiplies by to give mean square 1 from rectified values of mean square 1/2: its weights sum to zero,
/// so that only the variance of a rectified value, 1/2 - 1/(2 pi), passes. Of SiLU's values, nearly the same.
inline constexpr float kRectifiedGain = 1.7F;

class NetworkWriter {
 public:
  /// Before version 4 of the format, initializers are among the graph's inputs, too. Nodes are called as their (first)
  /// output behind \p nodePrefix.
  NetworkWriter(const std::string &name, int64_t formatVersion, int64_t opset, uint64_t seed,
                std::string nodePrefix = "");

  void input(const std::string &name, onnx::TensorProto::DataType type, const std::vector<int64_t> &shape);
  void output(const std::string &name, const std::vector<int64_t> &shape);

  /// Float32 weights with the given mean and standard deviation; returns the name.
  std::string weights(const std::string &name, const std::vector<int64_t> &shape, float mean, float deviation);
  /// Float32 weights of mean 0, of which every output's (index of the first dim) sum to 0. A network of such layers
  /// passes on what differs between inputs, not the mean that activation functions add to all of them.
  std::string centredWeights(const std::string &name, const std::vector<int64_t> &shape, float deviation);
  /// A float32 list whose elements are all \p value.
  std::string filled(const std::string &name, int64_t count, float value);
  std::string integers(const std::string &name, const std::vector<int64_t> &values);
  /// An initializer as it is given; for weights that are not float32.
  std::string initializer(const std::string &name, onnx::TensorProto tensor);

  /// Appends a node with one output, which carries the name \p output; returns that name.
  std::string node(const std::string &op, const std::vector<std::string> &inputs, const std::string &output,
                   std::initializer_list<Attribute> attributes = {});
  /// The same with several outputs.
  void nodeOfSeveral(const std::string &op, const std::vector<std::string> &inputs,
                     const std::vector<std::string> &outputs, std::initializer_list<Attribute> attributes = {});
  /// A Conv node called \p output, whose weights are \p prefix + "weight" and, if any, \p prefix + "bias". \p gain is
  /// the output's deviation for inputs of mean square 1 (and mean 0).
  std::string convolution(const std::string &x, const std::string &output, const std::string &prefix,
                          const Convolution &sizes, float gain);
  /// A Constant node, as PyTorch's exporter writes small values.
  std::string scalar(const std::string &output, float value);
  std::string scalarInteger(const std::string &output, int64_t value);
  std::string listOfIntegers(const std::string &output, const std::vector<int64_t> &values);

  std::string bytes() const;

 private:
  onnx::TensorProto &newWeights(const std::string &name, const std::vector<int64_t> &shape);

  onnx::ModelProto model_;
  uint64_t seed_;
  std::string nodePrefix_;
};

}  // namespace hone::samples
