// Expressions in the text of kernels, on the way to Scalars. Internal to parse(). Pure functions; their errors name the
// reader's place.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/text_reader.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

// An expression whose dtype its own text does not tell: a plain number, or an operation on such. Whoever learns the
// dtype makes it a Scalar.
struct Untyped {
  std::string number;  ///< empty: an operation
  ScalarOp op = ScalarOp::Add;
  std::vector<Untyped> args;
  std::optional<Scalar> made;  ///< the condition of a select, which has a dtype of its own
};
using Expression = std::variant<Scalar, Untyped>;

/// \p op of \p args; typed where one of them is.
absl::StatusOr<Expression> applied(const TextReader &in, ScalarOp op, std::vector<Expression> args);
/// \p expression, of \p type where it is untyped.
absl::StatusOr<Scalar> typed(const TextReader &in, const Expression &expression, DType type);
/// The constant that \p text is as a number of \p type.
absl::StatusOr<Scalar> constantOf(const TextReader &in, const std::string &text, DType type);

}  // namespace hone::tensor
