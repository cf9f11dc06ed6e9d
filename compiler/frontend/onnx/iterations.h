// What iterations that are written out leave behind. One thread at a time.
#pragma once

#include <string>
#include <utility>

#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/operand.h"

namespace hone::frontend {

/// One tensor of each iteration, joined along a new axis.
class Collected {
 public:
  explicit Collected(std::string what) : what_(std::move(what)) {}

  absl::Status add(const Builder &build, const Operand &operand);
  absl::StatusOr<Operand> join(Builder &build, int64_t axis, bool isBackward) const;

  /// What no iteration has left, when one would leave \p operand.
  static absl::StatusOr<Operand> none(Builder &build, const Operand &operand, int64_t axis);

 private:
  std::string what_;
  Sequence parts_;
};

}  // namespace hone::frontend
