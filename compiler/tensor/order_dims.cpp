#include <algorithm>
#include <cassert>
#include <numeric>

#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/dims.h"
#include "compiler/tensor/rewrite.h"

namespace hone::tensor {
namespace {

/// order[new position] = old position; returns the new position of every old one.
std::vector<int> inverse(const std::vector<int> &order) {
  std::vector<int> result(order.size());
  for (size_t i = 0; i < order.size(); ++i) result[order[i]] = static_cast<int>(i);
  return result;
}

/// When dim \p d is first used, counted in accesses; the writes come last.
size_t firstUse(const TensorOp &op, int d) {
  size_t position = 0;
  for (const auto *accesses : {&op.reads, &op.writes}) {
    for (const Access &access : *accesses) {
      for (const Index &index : access.indices) {
        if (mentions(index, d)) return position;
      }
      ++position;
    }
  }
  return position;
}

void orderStage(TensorOp &op) {
  orderReads(op);
  std::vector<int> order(op.dims.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int d) { return op.dims[d].kind == DimKind::Reduction ? 1 : 0; };
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    const bool scans = op.dims[a].kind == DimKind::Scan || op.dims[b].kind == DimKind::Scan;
    const size_t first = scans ? 0 : firstUse(op, a), second = scans ? 0 : firstUse(op, b);
    return first != second ? first < second : a < b;
  });
  std::vector<Dim> dims;
  for (int d : order) dims.push_back(op.dims[d]);
  std::vector<Index> replaced;
  for (int position : inverse(order)) replaced.push_back(dim(position));
  substitute(op, replaced);
  op.dims = std::move(dims);
}

/// Sort key of a buffer's dim: the first stage dim in its index; constants come last.
int firstDim(const TensorOp &op, const Index &index) {
  for (int d = 0; d < static_cast<int>(op.dims.size()); ++d) {
    if (mentions(index, d)) return d;
  }
  return static_cast<int>(op.dims.size());
}

void permuteBuffer(Kernel &kernel, int b, const std::vector<int> &order) {
  Buffer &buffer = kernel.buffers[b];
  const std::vector<int> positions = inverse(order);
  const auto permuted = [&](const auto &values) {
    auto result = values;
    for (size_t i = 0; i < order.size(); ++i) result[i] = values[order[i]];
    return result;
  };
  buffer.shape = permuted(buffer.shape);
  for (LayoutAxis &axis : buffer.layout.axes) axis.dim = positions[axis.dim];
  for (TensorOp &op : kernel.stages) {
    transform(op, [&](const Index &index) {
      return index->kind == IndexKind::Load && index->buffer == b ? load(b, permuted(index->args)) : index;
    });
    for (auto *accesses : {&op.reads, &op.writes}) {
      for (Access &access : *accesses) {
        if (access.buffer == b) access.indices = permuted(access.indices);
      }
    }
  }
}

/// Returns the order: at each new position of a dim, its old one.
std::vector<int> orderBuffer(Kernel &kernel, int b) {
  for (const TensorOp &op : kernel.stages) {
    for (const auto *accesses : {&op.reads, &op.writes}) {
      for (const Access &access : *accesses) {
        if (access.buffer != b) continue;
        std::vector<int> order(access.indices.size());
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](int x, int y) {
          const int first = firstDim(op, access.indices[x]), second = firstDim(op, access.indices[y]);
          return first != second ? first < second : x < y;
        });
        permuteBuffer(kernel, b, order);
        return order;
      }
    }
  }
  std::vector<int> untouched(kernel.buffers[b].shape.size());
  std::iota(untouched.begin(), untouched.end(), 0);
  return untouched;
}

}  // namespace

OrderedKernel orderDims(const Kernel &kernel) {
  OrderedKernel result{kernel, {}};
  for (TensorOp &op : result.kernel.stages) orderStage(op);
  for (int b = 0; b < static_cast<int>(kernel.buffers.size()); ++b)
    result.bufferDims.push_back(orderBuffer(result.kernel, b));
  assert(verify(result.kernel).empty());
  return result;
}

}  // namespace hone::tensor
