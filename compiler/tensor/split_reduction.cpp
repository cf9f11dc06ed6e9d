#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/tensor/algorithm_rules.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/rewrite.h"

namespace hone::tensor {
namespace {

absl::Status checkSplit(const Kernel &kernel, int stage, int dim, int64_t parts) {
  if (stage < 0 || static_cast<size_t>(stage) >= kernel.stages.size()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no stage ", stage, " among ", kernel.stages.size()));
  }
  const TensorOp &op = kernel.stages[stage];
  if (dim < 0 || static_cast<size_t>(dim) >= op.dims.size() || op.dims[dim].kind != DimKind::Reduction) {
    return broken(AlgorithmRule::SplitDimIsReduced, dim, op.name);
  }
  if (op.dims.front().kind == DimKind::Scan) return broken(AlgorithmRule::SplitStageIsNoScan, op.name);
  if (parts < 2 || parts > op.dims[dim].extent) {
    return broken(AlgorithmRule::SplitPartsFit, op.dims[dim].name, op.dims[dim].extent, parts);
  }
  return absl::OkStatus();
}

Scalar neutral(const Combiner &combiner, size_t i, DType dtype) {
  return combiner.kind == CombinerKind::Custom ? combiner.identity[i] : identity(combiner.kind, dtype);
}

/// The stage that folds one part: its first dim counts the parts.
TensorOp partialStage(const TensorOp &op, int split, int64_t parts) {
  TensorOp result = op;
  const int64_t extent = op.dims[split].extent;
  const int64_t length = (extent + parts - 1) / parts;
  const std::string partName = freshDimName(op, absl::StrCat(op.dims[split].name, "_part"));
  result.dims.insert(result.dims.begin(), {partName, parts, DimKind::Parallel});
  result.dims[split + 1].extent = length;
  std::vector<Index> replaced;
  for (int d = 0; d < static_cast<int>(op.dims.size()); ++d) replaced.push_back(dim(d + 1));
  const Index whole = dim(0) * length + dim(split + 1);
  const bool ragged = length * parts != extent;
  // What lies behind the end is read somewhere harmless, and does not count.
  replaced[split] = ragged ? clamp(whole, 0, extent - 1) : whole;
  substitute(result, replaced);
  if (!ragged) return result;
  const Scalar inside = apply(ScalarOp::Less, {indexValue(whole), number(static_cast<double>(extent), DType::I64)});
  for (size_t i = 0; i < result.body.size(); ++i) {
    const Scalar body = result.body[i];
    result.body[i] = apply(ScalarOp::Select, {inside, body, neutral(op.combiner, i, body->dtype)});
  }
  return result;
}

}  // namespace

absl::StatusOr<Kernel> splitReduction(const Kernel &kernel, int stage, int dim, int64_t parts) {
  HONE_RETURN_IF_ERROR(checkSplit(kernel, stage, dim, parts));
  Kernel result = kernel;
  const TensorOp op = kernel.stages[stage];
  TensorOp partial = partialStage(op, dim, parts);
  partial.name = freshStageName(kernel, absl::StrCat(op.name, "_partial"));

  TensorOp whole = op;
  whole.dims.clear();
  whole.reads.clear();
  std::vector<int64_t> shape = {parts};
  std::vector<Index> partialIndices = {tensor::dim(0)}, wholeIndices;
  std::vector<Index> parallelDims(op.dims.size(), constant(0));
  for (size_t d = 0; d < op.dims.size(); ++d) {
    if (op.dims[d].kind != DimKind::Parallel) continue;
    shape.push_back(op.dims[d].extent);
    partialIndices.push_back(tensor::dim(static_cast<int>(d) + 1));
    parallelDims[d] = tensor::dim(static_cast<int>(whole.dims.size()));
    wholeIndices.push_back(parallelDims[d]);
    whole.dims.push_back(op.dims[d]);
  }
  wholeIndices.insert(wholeIndices.begin(), tensor::dim(static_cast<int>(whole.dims.size())));
  whole.dims.push_back({freshDimName(whole, absl::StrCat(op.dims[dim].name, "_part")), parts, DimKind::Reduction});
  for (Access &access : whole.writes) {
    for (Index &index : access.indices) index = substitute(index, parallelDims);
  }
  for (size_t i = 0; i < op.body.size(); ++i) {
    const DType dtype = op.body[i]->dtype;
    const int buffer = addBuffer(result, absl::StrCat(op.name, "_partial"), dtype, shape, BufferRole::Temporary);
    partial.writes[i] = {buffer, partialIndices, std::nullopt};
    whole.reads.push_back({buffer, wholeIndices, std::nullopt});
    whole.body[i] = read(static_cast<int>(i), dtype);
  }
  result.stages[stage] = std::move(whole);
  result.stages.insert(result.stages.begin() + stage, std::move(partial));
  return result;
}

}  // namespace hone::tensor
