// One node of an ONNX model, imported, planned, compiled and run, against values that a test has computed by plain
// loops. One thread at a time.
//
//   CompiledNode(13, "Relu", {x}).gives({y});
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/dtype.h"
#include "compiler/tensor/host_tensor.h"
#include "tests/frontend/model_builder.h"
#include "tests/support/random.h"

namespace hone::test {

/// A tensor of numbers; what its dtype cannot hold is rounded on the way into the model.
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> values;
  DType dtype = DType::F32;

  Array() = default;
  explicit Array(std::vector<int64_t> extents, DType type = DType::F32) : shape(std::move(extents)), dtype(type) {
    values.resize(static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>())));
  }
  Array(std::vector<int64_t> extents, std::vector<double> elements, DType type = DType::F32)
      : shape(std::move(extents)), values(std::move(elements)), dtype(type) {}

  /// Uniform between -1 and 1, in steps that floats hold.
  static Array random(std::vector<int64_t> extents, testing::Random &random, DType type = DType::F32);

  double &at(const std::vector<int64_t> &index);
  double at(const std::vector<int64_t> &index) const { return const_cast<Array *>(this)->at(index); }
};

/// Calls \p visit for every index of a tensor of \p shape, in row-major order.
void forEachIndex(const std::vector<int64_t> &shape, const std::function<void(const std::vector<int64_t> &)> &visit);

class CompiledNode {
 public:
  /// The operands are inputs at run time, called a, b, …; one without a shape is omitted.
  CompiledNode(int64_t opset, const std::string &op, const std::vector<Array> &inputs, int outputs = 1);

  /// A further operand that is known at compile time.
  CompiledNode &constant(const std::string &name, const std::vector<int64_t> &values);
  CompiledNode &constant(const std::string &name, const std::vector<float> &values);
  /// Operand \p position becomes an initializer.
  CompiledNode &fixed(int position);
  CompiledNode &with(const std::string &attribute, const std::vector<std::string> &texts);
  template <typename T>
  CompiledNode &with(const std::string &attribute, const T &value) {
    setAttribute(*node_, attribute, value);
    return *this;
  }

  /// Compares all outputs; \p tolerance is relative to 1 + |expected|.
  void gives(const std::vector<Array> &expected, double tolerance = 2e-5) const;

  absl::StatusOr<std::vector<tensor::HostTensor>> run() const;

 private:
  ModelBuilder model_;
  onnx::NodeProto *node_;
  std::vector<Array> inputs_;  ///< those that are not omitted
  std::vector<std::string> names_;
};

/// Stands for an operand that the node does not have.
inline Array omitted() { return Array(); }

}  // namespace hone::test
