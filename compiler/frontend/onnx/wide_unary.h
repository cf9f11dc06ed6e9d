// WideUnary: the operand of a function of single elements, in float32 at least. A formula of several steps would round
// a 16-bit float at each of them; here it is widened once and rounded once. Refers to the node, which must outlive it.
#pragma once

#include <utility>
#include <vector>

#include "compiler/frontend/onnx/node.h"

namespace hone::frontend {

/// The dtype in which formulas of \p dtype are computed.
inline DType widened(DType dtype) { return dtype == DType::F16 || dtype == DType::BF16 ? DType::F32 : dtype; }

class WideUnary {
 public:
  explicit WideUnary(NodeContext &node) : WideUnary(node.build, node.input(0)) {}
  WideUnary(Builder &build, ValueId x)
      : build_(build), given_(build.dtype(x)), dtype_(widened(given_)), x_(build_.cast(x, dtype_)) {}

  DType dtype() const { return dtype_; }
  const Result &x() const { return x_; }
  Result number(double value) const { return build_.number(dtype_, value); }
  Result apply(ScalarOp op, const std::vector<Result> &operands) const { return build_.apply(op, operands); }

  Result magnitude() const { return apply(ScalarOp::Abs, {x_}); }
  /// \p negative where x < 0, else \p other: NaN goes the second way.
  Result bySign(Result negative, Result other) const {
    Result isNegative = apply(ScalarOp::Less, {x_, number(0)});
    return apply(ScalarOp::Select, {isNegative, std::move(negative), std::move(other)});
  }
  /// \p result in the dtype of the operand.
  Result narrow(Result result) const { return build_.cast(std::move(result), given_); }

 private:
  Builder &build_;
  DType given_, dtype_;
  Result x_;
};

}  // namespace hone::frontend
