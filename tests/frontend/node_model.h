// A model of one node for tests, and the arrays that go in and are expected; what runs it derives from NodeModel:
// EvaluatedNode, CompiledNode. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/base/dtype.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/constants.h"
#include "tests/frontend/model_builder.h"
#include "tests/support/random.h"

namespace hone::test {

/// A tensor of numbers; what its dtype cannot hold is rounded on the way into the model.
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> values;
  DType dtype = DType::F32;

  Array() = default;
  /// Zeros.
  explicit Array(std::vector<int64_t> extents, DType type = DType::F32);
  Array(std::vector<int64_t> extents, std::vector<double> elements, DType type = DType::F32)
      : shape(std::move(extents)), values(std::move(elements)), dtype(type) {}

  /// Uniform between -1 and 1, in steps that floats hold.
  static Array random(std::vector<int64_t> extents, testing::Random &random, DType type = DType::F32);

  graph::Constant constant() const { return graph::makeConstant({dtype, shape}, values); }

  double &at(const std::vector<int64_t> &index);
  double at(const std::vector<int64_t> &index) const { return const_cast<Array *>(this)->at(index); }
};

/// Stands for an operand that the node does not have.
inline Array omitted() { return Array(); }

/// Calls \p visit for every index of a tensor of \p shape, in row-major order.
void forEachIndex(const std::vector<int64_t> &shape, const std::function<void(const std::vector<int64_t> &)> &visit);

/// Floats agree within \p tolerance × (1 + |expected|), everything else exactly.
void expectArray(const Array &actual, const Array &expected, double tolerance);

/// Operands are inputs at run time, called a, b, …; those of omitted() do not exist. Outputs are y0, y1, ….
template <typename Self>
class NodeModel {
 public:
  onnx::NodeProto &node() { return *model.model.mutable_graph()->mutable_node(0); }

  /// A further operand, which the test adds to the model; one without a name is omitted.
  Self &operand(const std::string &name) {
    node().add_input(name);
    return self();
  }
  /// Further operands that are known at compile time.
  Self &constant(const std::string &name, const std::vector<int64_t> &values) {
    model.integers(name, values);
    return operand(name);
  }
  Self &constant(const std::string &name, const std::vector<float> &values) {
    model.floats(name, {static_cast<int64_t>(values.size())}, values);
    return operand(name);
  }
  Self &scalar(const std::string &name, float value) {
    model.floats(name, {}, {value});
    return operand(name);
  }
  /// The node is an operator of \p domain, of which the model imports \p version.
  Self &ofDomain(const std::string &domain, int64_t version) {
    node().set_domain(domain);
    onnx::OperatorSetIdProto &import = *model.model.add_opset_import();
    import.set_domain(domain);
    import.set_version(version);
    return self();
  }
  template <typename T>
  Self &with(const std::string &attribute, const T &value) {
    setAttribute(node(), attribute, value);
    return self();
  }

  ModelBuilder model;

 protected:
  std::vector<Array> inputs_;  ///< those that are not omitted
  std::vector<std::string> names_;
  frontend::ImportOptions options_;

 private:
  friend Self;
  NodeModel(int64_t opset, const std::string &op, const std::vector<Array> &inputs, int outputs) : model(opset) {
    std::vector<std::string> operands, results;
    for (const Array &input : inputs) {
      operands.emplace_back();
      if (input.values.empty() && input.shape.empty()) continue;
      operands.back() = static_cast<char>('a' + operands.size() - 1);
      model.input(operands.back(), input.dtype, input.shape);
      // Models that say 0 mean that they do not know.
      if (input.values.empty()) options_.inputShapes[operands.back()] = input.shape;
      inputs_.push_back(input);
      names_.push_back(operands.back());
    }
    for (int i = 0; i < outputs; ++i) {
      results.push_back("y" + std::to_string(i));
      model.output(results.back());
    }
    model.node(op, operands, results);
  }
  Self &self() { return static_cast<Self &>(*this); }
};

}  // namespace hone::test
