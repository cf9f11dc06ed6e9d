#include "compiler/frontend/build/empty_parts.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "compiler/base/status.h"
#include "compiler/frontend/build/refusal.h"
#include "compiler/tensor/rewrite.h"

namespace hone::frontend {
namespace {

using tensor::DimKind;
using tensor::Index;
using tensor::Scalar;
using tensor::TensorOp;

bool isEmpty(const tensor::Buffer &buffer) {
  return std::find(buffer.shape.begin(), buffer.shape.end(), 0) != buffer.shape.end();
}

bool hasNoPoints(const TensorOp &stage) {
  return std::any_of(stage.dims.begin(), stage.dims.end(),
                     [](const tensor::Dim &dim) { return dim.kind != DimKind::Reduction && dim.extent == 0; });
}

bool foldsNothing(const TensorOp &stage) {
  return std::any_of(stage.dims.begin(), stage.dims.end(),
                     [](const tensor::Dim &dim) { return dim.kind == DimKind::Reduction && dim.extent == 0; });
}

/// The stage that writes what the fold of no elements gives.
void writeIdentity(TensorOp &stage) {
  for (size_t i = 0; i < stage.body.size(); ++i) {
    stage.body[i] = stage.combiner.kind == tensor::CombinerKind::Custom
                        ? stage.combiner.identity[i]
                        : tensor::identity(stage.combiner.kind, stage.body[i]->dtype);
  }
  stage.reads.clear();
  stage.combiner = {};
  // Reduction dims come last: those that stay keep their places.
  std::erase_if(stage.dims, [](const tensor::Dim &dim) { return dim.kind == DimKind::Reduction; });
}

/// \p scalar with each read that falls outside of an empty buffer replaced by the number that it gives.
Scalar withoutReads(const Scalar &scalar, const std::vector<std::optional<double>> &outside) {
  if (scalar->kind == tensor::ScalarKind::Read && outside[static_cast<size_t>(scalar->position)]) {
    return tensor::number(*outside[static_cast<size_t>(scalar->position)], scalar->dtype);
  }
  auto copy = std::make_shared<tensor::ScalarNode>(*scalar);
  for (Scalar &arg : copy->args) arg = withoutReads(arg, outside);
  return copy;
}

/// The reads of \p stage but those of empty buffers.
absl::Status dropReads(const tensor::Kernel &kernel, TensorOp &stage) {
  std::vector<std::optional<double>> outside(stage.reads.size());
  for (size_t i = 0; i < stage.reads.size(); ++i) {
    const tensor::Buffer &buffer = kernel.buffers[static_cast<size_t>(stage.reads[i].buffer)];
    if (!isEmpty(buffer)) continue;
    if (!stage.reads[i].outside) return unsupported("it needs an element of '", buffer.name, "', which has none");
    outside[i] = stage.reads[i].outside;
  }
  for (Scalar &scalar : stage.body) scalar = withoutReads(scalar, outside);
  tensor::orderReads(stage);
  for (size_t b = 0; b < kernel.buffers.size(); ++b) {
    if (!isEmpty(kernel.buffers[b]) || !tensor::loads(stage, static_cast<int>(b))) continue;
    return unsupported("it needs an element of '", kernel.buffers[b].name, "', which has none");
  }
  return absl::OkStatus();
}

/// Buffers are called by their positions in \p moved from here on.
void renumber(TensorOp &stage, const std::vector<int> &moved) {
  for (std::vector<tensor::Access> *accesses : {&stage.reads, &stage.writes}) {
    for (tensor::Access &access : *accesses) access.buffer = moved[static_cast<size_t>(access.buffer)];
  }
  tensor::transform(stage, [&](const Index &index) {
    if (index->kind != tensor::IndexKind::Load) return index;
    return tensor::load(moved[static_cast<size_t>(index->buffer)], index->args);
  });
}

}  // namespace

absl::Status dropEmptyParts(tensor::Kernel &kernel) {
  const bool isWhole = std::none_of(kernel.buffers.begin(), kernel.buffers.end(), isEmpty) &&
                       std::none_of(kernel.stages.begin(), kernel.stages.end(),
                                    [](const TensorOp &stage) { return hasNoPoints(stage) || foldsNothing(stage); });
  if (isWhole) return absl::OkStatus();
  std::erase_if(kernel.stages, hasNoPoints);
  for (TensorOp &stage : kernel.stages) {
    if (foldsNothing(stage)) writeIdentity(stage);
    HONE_RETURN_IF_ERROR(dropReads(kernel, stage));
  }
  std::vector<int> moved;
  int next = 0;
  for (const tensor::Buffer &buffer : kernel.buffers) moved.push_back(isEmpty(buffer) ? -1 : next++);
  std::erase_if(kernel.buffers, isEmpty);
  for (TensorOp &stage : kernel.stages) renumber(stage, moved);
  return absl::OkStatus();
}

}  // namespace hone::frontend
