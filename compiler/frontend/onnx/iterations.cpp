#include "compiler/frontend/onnx/iterations.h"

#include <algorithm>

#include "compiler/base/status.h"
#include "compiler/frontend/build/axes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {

absl::Status Collected::add(const Builder &build, const Operand &operand) {
  const ValueId value = tensorOf(operand);
  if (value < 0) return invalid(what_, " is no tensor");
  if (!parts_.empty() && build.type(parts_[0]) != build.type(value)) {
    return invalid(what_, " is ", graph::typeText(build.type(parts_[0])), " in the first iteration and ",
                   graph::typeText(build.type(value)), " in iteration ", parts_.size() + 1);
  }
  parts_.push_back(value);
  return absl::OkStatus();
}

absl::StatusOr<Operand> Collected::join(Builder &build, int64_t axis, bool isBackward) const {
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, build.rank(parts_[0]) + 1));
  Sequence ordered = parts_;
  if (isBackward) std::reverse(ordered.begin(), ordered.end());
  HONE_ASSIGN_OR_RETURN(ValueId joined, stack(build, ordered, axis));
  return Operand(joined);
}

absl::StatusOr<Operand> Collected::none(Builder &build, const Operand &operand, int64_t axis) {
  if (tensorOf(operand) < 0) return invalid("what an iteration leaves is no tensor");
  graph::TensorType type = build.type(tensorOf(operand));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, build.rank(tensorOf(operand)) + 1));
  type.shape.insert(type.shape.begin() + axis, 0);
  HONE_ASSIGN_OR_RETURN(ValueId value, build.constant(graph::makeConstant(type, std::vector<int64_t>())));
  return Operand(value);
}

}  // namespace hone::frontend
