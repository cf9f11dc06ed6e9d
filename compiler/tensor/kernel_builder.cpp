#include "compiler/tensor/kernel_builder.h"

#include <utility>

#include "compiler/tensor/rewrite.h"

namespace hone::tensor {

Dim parallel(std::string name, int64_t extent) { return {std::move(name), extent, DimKind::Parallel}; }
Dim reduce(std::string name, int64_t extent) { return {std::move(name), extent, DimKind::Reduction}; }
Dim scan(std::string name, int64_t extent) { return {std::move(name), extent, DimKind::Scan}; }

int KernelBuilder::input(std::string name, std::vector<int64_t> shape, DType dtype) {
  return add(std::move(name), std::move(shape), dtype, BufferRole::Input);
}

int KernelBuilder::parameter(std::string name, std::vector<int64_t> shape, DType dtype) {
  return add(std::move(name), std::move(shape), dtype, BufferRole::Parameter);
}

int KernelBuilder::output(std::string name, std::vector<int64_t> shape, DType dtype) {
  return add(std::move(name), std::move(shape), dtype, BufferRole::Output);
}

int KernelBuilder::temporary(std::string name, std::vector<int64_t> shape, DType dtype) {
  return add(std::move(name), std::move(shape), dtype, BufferRole::Temporary);
}

int KernelBuilder::add(std::string name, std::vector<int64_t> shape, DType dtype, BufferRole role) {
  Buffer buffer;
  buffer.name = std::move(name);
  buffer.dtype = dtype;
  buffer.layout = Layout::rowMajor(shape);
  buffer.shape = std::move(shape);
  buffer.role = role;
  kernel_.buffers.push_back(std::move(buffer));
  return static_cast<int>(kernel_.buffers.size()) - 1;
}

Kernel KernelBuilder::finish() {
  for (TensorOp &op : kernel_.stages) orderReads(op);
  return std::move(kernel_);
}

void KernelBuilder::begin(std::string name, std::vector<Dim> dims) {
  TensorOp op;
  op.name = std::move(name);
  op.dims = std::move(dims);
  kernel_.stages.push_back(std::move(op));
}

Scalar KernelBuilder::get(int buffer, std::vector<Index> indices, std::optional<double> outside) {
  stage().reads.push_back({buffer, std::move(indices), outside});
  return read(static_cast<int>(stage().reads.size()) - 1, kernel_.buffers[buffer].dtype);
}

void KernelBuilder::fold(std::vector<Scalar> combine, std::vector<Scalar> identity) {
  stage().combiner = {CombinerKind::Custom, std::move(combine), std::move(identity)};
}

void KernelBuilder::put(const Scalar &value, int buffer, std::vector<Index> indices) {
  stage().body.push_back(value);
  stage().writes.push_back({buffer, std::move(indices), std::nullopt});
}

Scalar operator+(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Add, {a, b}); }
Scalar operator-(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Sub, {a, b}); }
Scalar operator*(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Mul, {a, b}); }
Scalar operator/(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Div, {a, b}); }
Scalar f32(double value) { return number(value, DType::F32); }
Scalar exponential(const Scalar &a) { return apply(ScalarOp::Exp, {a}); }
Scalar hyperbolicTangent(const Scalar &a) { return apply(ScalarOp::Tanh, {a}); }
Scalar sigmoid(const Scalar &a) {
  const Scalar one = number(1, a->dtype);
  return one / (one + exponential(apply(ScalarOp::Neg, {a})));
}
Scalar maximum(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Max, {a, b}); }
Scalar minimum(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Min, {a, b}); }
Scalar less(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Less, {a, b}); }
Scalar equal(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Equal, {a, b}); }
Scalar both(const Scalar &a, const Scalar &b) { return apply(ScalarOp::And, {a, b}); }
Scalar either(const Scalar &a, const Scalar &b) { return apply(ScalarOp::Or, {a, b}); }
Scalar negation(const Scalar &a) { return apply(ScalarOp::Not, {a}); }
Scalar select(const Scalar &condition, const Scalar &a, const Scalar &b) {
  return apply(ScalarOp::Select, {condition, a, b});
}
Scalar isIndex(const Index &index, int64_t value) {
  return equal(indexValue(index), number(static_cast<double>(value), DType::I64));
}

Index elementAt(const Index &index, int64_t extent) { return mod(clamp(index, -extent, extent - 1), extent); }
Index targetAt(const Index &index, int64_t extent) { return index + clamp(index, -1, 0) * -extent; }

}  // namespace hone::tensor
