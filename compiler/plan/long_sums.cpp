#include "compiler/plan/long_sums.h"

#include <algorithm>
#include <utility>

#include "compiler/tensor/algorithms.h"

namespace hone::plan {
namespace {

using tensor::DimKind;
using tensor::Index;
using tensor::Kernel;
using tensor::TensorOp;

// Additions one after the other that a float32 sum bears, and that take no time worth mentioning.
constexpr int64_t kLongestChain = 1024;

bool mentionsReduction(const TensorOp &op, const Index &index) {
  if (index->kind == tensor::IndexKind::Dim) {
    return op.dims[static_cast<size_t>(index->value)].kind == DimKind::Reduction;
  }
  return std::any_of(index->args.begin(), index->args.end(),
                     [&](const Index &arg) { return mentionsReduction(op, arg); });
}

bool runsAlongMemory(const Kernel &kernel, const TensorOp &op, const tensor::Access &read) {
  const tensor::Layout &layout = kernel.buffers[static_cast<size_t>(read.buffer)].layout;
  return layout.axes.empty() || mentionsReduction(op, read.indices[static_cast<size_t>(layout.axes.back().dim)]);
}

bool isSumAcrossMemory(const Kernel &kernel) {
  const TensorOp &op = kernel.stages.front();
  bool isOnly = std::none_of(kernel.stages.begin() + 1, kernel.stages.end(), [](const TensorOp &stage) {
    return std::any_of(stage.dims.begin(), stage.dims.end(),
                       [](const tensor::Dim &dim) { return dim.kind != DimKind::Parallel; });
  });
  bool hasScan = !op.dims.empty() && op.dims.front().kind == DimKind::Scan;
  return isOnly && !hasScan && op.combiner.kind == tensor::CombinerKind::Sum && isFloat(op.body[0]->dtype) &&
         op.reads.size() == 1 && !runsAlongMemory(kernel, op, op.reads[0]);
}

/// The divisor nearest to the root, as parts and their lengths are then both short; 1: there is none between.
int64_t middleDivisor(int64_t extent) {
  int64_t best = 1;
  for (int64_t divisor = 2; divisor * divisor <= extent; ++divisor) {
    if (extent % divisor == 0) best = divisor;
  }
  return best;
}

}  // namespace

tensor::Kernel cutLongSum(Kernel kernel) {
  if (!isSumAcrossMemory(kernel)) return kernel;
  const TensorOp &op = kernel.stages.front();
  int longest = -1;
  int64_t points = 1;
  for (size_t d = 0; d < op.dims.size(); ++d) {
    if (op.dims[d].kind != DimKind::Reduction) continue;
    points *= op.dims[d].extent;
    if (longest < 0 || op.dims[d].extent > op.dims[static_cast<size_t>(longest)].extent) longest = static_cast<int>(d);
  }
  if (points <= kLongestChain) return kernel;
  const int64_t parts = middleDivisor(op.dims[static_cast<size_t>(longest)].extent);
  if (parts < 2) return kernel;
  auto cut = tensor::splitReduction(kernel, 0, longest, parts);
  return cut.ok() ? *std::move(cut) : kernel;
}

}  // namespace hone::plan
