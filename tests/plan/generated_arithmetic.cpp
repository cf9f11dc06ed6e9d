// Elementwise operations, windows, products, sums and kernels of a random graph.
#include <algorithm>
#include <memory>
#include <utility>

#include "compiler/tensor/tensor_op.h"
#include "tests/plan/compute_kernels.h"
#include "tests/plan/graph_generator.h"

namespace hone::plan {

void GraphGenerator::addBinary(ValueId x) {
  static const ScalarOp kOps[] = {ScalarOp::Add, ScalarOp::Sub, ScalarOp::Mul, ScalarOp::Max, ScalarOp::Min};
  ValueId y = pick();
  if (chance(40)) {
    Shape small = shape(x);
    for (int64_t &extent : small) extent = chance(50) ? 1 : extent;
    y = constant(chance(30) ? Shape{} : small);
  } else if (chance(60)) {
    // One of the same shape, if there is any: residual connections.
    for (size_t i = pool_.size(); i-- > 0;) {
      if (pool_[i] == x || shape(pool_[i]) != shape(x) || chance(40)) continue;
      y = pool_[i];
      break;
    }
  }
  if (chance(50)) std::swap(x, y);
  add(Op::Elementwise, {x, y}, graph::ElementwiseAttributes{kOps[below(5)]});
}

void GraphGenerator::addUnary(ValueId x) {
  // None that makes much of a small difference, such as the sine of a large number.
  static const ScalarOp kOps[] = {ScalarOp::Neg, ScalarOp::Abs, ScalarOp::Tanh, ScalarOp::Erf};
  if (chance(20)) {
    add(Op::Cast, {x}, {}, TensorType{DType::F64, shape(x)});
    const ValueId wide = static_cast<ValueId>(graph_.values.size() - 1);
    if (graph_.values.back().type.dtype == DType::F64) add(Op::Cast, {wide}, {}, TensorType{DType::F32, shape(x)});
    return;
  }
  add(Op::Elementwise, {x}, graph::ElementwiseAttributes{kOps[below(4)]});
}

void GraphGenerator::addSelect(ValueId x) {
  const ValueId y = chance(50) ? constant({}) : pick();
  const size_t before = graph_.nodes.size();
  add(Op::Elementwise, {x, y}, graph::ElementwiseAttributes{ScalarOp::Less});
  if (graph_.nodes.size() == before) return;
  const ValueId condition = graph_.nodes.back().output;
  add(Op::Elementwise, {condition, x, y}, graph::ElementwiseAttributes{ScalarOp::Select});
}

void GraphGenerator::addConv(ValueId x) {
  const Shape &data = shape(x);
  if (data.size() < 3) return;
  const size_t spatial = data.size() - 2;
  graph::ConvAttributes conv;
  Shape weight = {0, 0};
  for (size_t i = 0; i < spatial; ++i) {
    weight.push_back(1 + below(std::min<int64_t>(3, data[i + 2])));
    conv.strides.push_back(1 + below(2));
    conv.dilations.push_back(1 + below(2));
  }
  for (size_t i = 0; i < 2 * spatial; ++i) conv.pads.push_back(chance(50) ? below(3) : 0);
  const int64_t channels = data[1];
  if (chance(30)) {
    conv.groups = channels;
  } else if (channels % 2 == 0 && chance(30)) {
    conv.groups = 2;
  }
  weight[0] = conv.groups * (conv.groups == channels && chance(60) ? 1 : 1 + below(4));
  if (conv.groups == 1) weight[0] = 1 + below(12);
  weight[1] = channels / conv.groups;
  std::vector<ValueId> inputs = {x, constant(weight)};
  if (chance(50)) inputs.push_back(constant({weight[0]}));
  add(Op::Conv, std::move(inputs), conv);
}

void GraphGenerator::addPool(ValueId x) {
  const Shape &data = shape(x);
  if (data.size() < 3) return;
  graph::PoolAttributes pool;
  pool.kind = chance(50) ? graph::PoolKind::Max : graph::PoolKind::Average;
  pool.countPadding = chance(50);
  for (size_t i = 2; i < data.size(); ++i) {
    pool.kernel.push_back(1 + below(3));
    pool.strides.push_back(1 + below(2));
    pool.dilations.push_back(1 + below(2));
  }
  for (size_t i = 0; i < 2 * pool.kernel.size(); ++i) {
    // Every window meets the data, so that no average is over nothing.
    pool.pads.push_back(below(pool.kernel[i % pool.kernel.size()]));
  }
  if (std::any_of(pool.dilations.begin(), pool.dilations.end(), [](int64_t d) { return d > 1; })) {
    std::fill(pool.pads.begin(), pool.pads.end(), 0);
  }
  add(Op::Pool, {x}, pool);
}

void GraphGenerator::addMatMul(ValueId x) {
  graph::MatMulAttributes matmul{chance(30), chance(40)};
  const Shape &a = shape(x);
  if (a.size() < 2) return;
  const int64_t inner = matmul.transposeA ? a[a.size() - 2] : a.back();
  ValueId y = -1;
  if (chance(60)) {
    for (size_t i = pool_.size(); i-- > 0 && y < 0;) {
      const Shape &b = shape(pool_[i]);
      if (b.size() < 2 || chance(30)) continue;
      if ((matmul.transposeB ? b.back() : b[b.size() - 2]) == inner) y = pool_[i];
    }
  }
  if (y < 0) {
    const int64_t columns = 1 + below(9);
    y = constant(matmul.transposeB ? Shape{columns, inner} : Shape{inner, columns});
  }
  add(Op::MatMul, {x, y}, matmul);
}

void GraphGenerator::addReduce(ValueId x) {
  static const graph::ReduceKind kKinds[] = {graph::ReduceKind::Sum, graph::ReduceKind::Mean, graph::ReduceKind::Max,
                                             graph::ReduceKind::Min};
  graph::ReduceAttributes reduce{kKinds[below(4)], {}, chance(50)};
  for (size_t i = 0; i < shape(x).size(); ++i) {
    if (chance(50)) reduce.axes.push_back(static_cast<int64_t>(i));
  }
  add(Op::Reduce, {x}, reduce);
}

void GraphGenerator::addNorm(ValueId x) {
  const Shape &data = shape(x);
  if (data.empty()) return;
  const int64_t axis = below(std::ssize(data));
  switch (below(3)) {
    case 0:
      return add(Op::Softmax, {x}, graph::AxisAttributes{axis});
    case 1:
      return add(Op::LogSoftmax, {x}, graph::AxisAttributes{axis});
    default: {
      const Shape row(data.begin() + axis, data.end());
      const ValueId scale = constant(chance(50) ? row : Shape{row.back()}), shift = constant(row);
      return add(Op::LayerNorm, {x, scale, shift}, graph::LayerNormAttributes{axis, 1e-2});
    }
  }
}

void GraphGenerator::addCompute(ValueId x) {
  const Shape &from = shape(x);
  if (from.empty()) return;
  std::vector<ValueId> inputs = {x};
  tensor::Kernel kernel;
  switch (below(4)) {
    case 0:
      kernel = runningSum(from);
      break;
    case 1:
      kernel = neighbours(from);
      break;
    case 2:
      kernel = clampedGather(from, shape(indices_));
      inputs.insert(inputs.begin(), indices_);
      break;
    default: {
      Shape updates(from.begin() + 1, from.end());
      updates.insert(updates.begin(), shape(indices_).begin(), shape(indices_).end());
      if (elements(updates) > kMaxElements) return;
      kernel = scatterAdd(from, shape(indices_));
      inputs = {x, indices_, constant(updates)};
    }
  }
  add(Op::Compute, inputs, graph::ComputeAttributes{std::make_shared<const tensor::Kernel>(std::move(kernel))});
}

}  // namespace hone::plan
