#include "compiler/tensor/winograd_match.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/base/status.h"
#include "compiler/tensor/affine.h"
#include "compiler/tensor/algorithm_rules.h"
#include "compiler/tensor/dims.h"

namespace hone::tensor {

namespace {

bool isWeightAccess(const Access &access) { return !access.outside && isPlain(access); }

/// The directions of the data's indices; empty when one of them is neither a direction nor plain.
std::optional<std::vector<Direction>> directions(const TensorOp &op, const Access &data) {
  std::vector<Direction> result;
  for (size_t i = 0; i < data.indices.size(); ++i) {
    const Index &index = data.indices[i];
    if (isPlain(index)) continue;
    const std::optional<Affine> form = affineForm(index);
    if (!form || form->coefficients.size() != 2) return std::nullopt;
    Direction direction;
    direction.dataDim = i;
    direction.offset = form->constant;
    bool hasOut = false, hasTap = false;
    for (const auto &[d, coefficient] : form->coefficients) {
      if (coefficient != 1) return std::nullopt;
      if (op.dims[d].kind == DimKind::Parallel) direction.out = d, hasOut = true;
      if (op.dims[d].kind == DimKind::Reduction && op.dims[d].extent == kWinogradTaps) direction.tap = d, hasTap = true;
    }
    if (!hasOut || !hasTap) return std::nullopt;
    result.push_back(direction);
  }
  return result;
}

/// What else must hold of a direction: nothing but the sliding depends on it, and tiles may hang over.
absl::Status checkDirection(const Kernel &kernel, const TensorOp &op, const Access &data, const Access &weight,
                            const Direction &direction) {
  for (size_t i = 0; i < data.indices.size(); ++i) {
    const bool again = mentions(data.indices[i], direction.out) || mentions(data.indices[i], direction.tap);
    if (i != direction.dataDim && again) return broken(AlgorithmRule::WinogradDirectionsOccurOnce, op.name);
  }
  if (mentions(weight, direction.out)) return broken(AlgorithmRule::WinogradWeightsKeepPlaces, op.name);
  if (!mentions(weight, direction.tap)) return broken(AlgorithmRule::WinogradWeightsHaveTaps, op.name);
  // Where tiles hang over the edge, what they write there must fall outside the buffer.
  const Access &write = op.writes[0];
  const std::vector<int64_t> &shape = kernel.buffers[write.buffer].shape;
  for (size_t i = 0; i < write.indices.size(); ++i) {
    if (!mentions(write.indices[i], direction.out)) continue;
    if (write.indices[i]->kind != IndexKind::Dim || shape[i] != op.dims[direction.out].extent) {
      return broken(AlgorithmRule::WinogradWritesWhole, op.name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WinogradMatch> matchWinograd(const Kernel &kernel, const TensorOp &op) {
  if (op.combiner.kind != CombinerKind::Sum || op.body.size() != 1 || !isFloat(op.body[0]->dtype)) {
    return broken(AlgorithmRule::WinogradSums, op.name);
  }
  const ScalarNode &body = *op.body[0];
  const bool isProduct = body.kind == ScalarKind::Apply && body.op == ScalarOp::Mul &&
                         body.args[0]->kind == ScalarKind::Read && body.args[1]->kind == ScalarKind::Read;
  if (!isProduct || body.args[0]->position == body.args[1]->position) {
    return broken(AlgorithmRule::WinogradMultiplies, op.name);
  }
  if (op.dims.front().kind == DimKind::Scan) return broken(AlgorithmRule::WinogradIsNoScan, op.name);
  WinogradMatch result;
  result.data = body.args[0]->position;
  result.weight = body.args[1]->position;
  if (isWeightAccess(op.reads[result.data])) std::swap(result.data, result.weight);
  const Access &data = op.reads[result.data], &weight = op.reads[result.weight];
  if (!isWeightAccess(weight)) return broken(AlgorithmRule::WinogradWeightsArePlain, op.name);
  if (data.outside.value_or(0) != 0) return broken(AlgorithmRule::WinogradPadsWithZeros, op.name);
  const Buffer &weights = kernel.buffers[weight.buffer];
  if (weights.role != BufferRole::Parameter || weights.dtype != DType::F32)
    return broken(AlgorithmRule::WinogradWeightsAreParameters, op.name);
  const std::optional<std::vector<Direction>> found = directions(op, data);
  if (!found || found->size() != 2 || (*found)[0].out == (*found)[1].out || (*found)[0].tap == (*found)[1].tap) {
    return broken(AlgorithmRule::WinogradSlidesTwice, op.name);
  }
  result.y = (*found)[0];
  result.x = (*found)[1];
  for (const Direction *direction : {&result.y, &result.x}) {
    HONE_RETURN_IF_ERROR(checkDirection(kernel, op, data, weight, *direction));
  }
  for (int d = 0; d < static_cast<int>(op.dims.size()); ++d) {
    if (d == result.y.out || d == result.x.out || d == result.y.tap || d == result.x.tap) continue;
    (op.dims[d].kind == DimKind::Reduction ? result.reduction : result.parallel).push_back(d);
  }
  if (result.reduction.empty()) return broken(AlgorithmRule::WinogradSumsChannels, op.name);
  return result;
}

}  // namespace hone::tensor
