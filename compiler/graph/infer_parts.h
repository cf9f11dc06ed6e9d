// The parts of inferType() that are shared by the files which it is spread over. Internal to the folder; pure
// functions. Errors are sentences about the operands.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "compiler/graph/graph.h"

namespace hone::graph::inference {

using Types = std::vector<TensorType>;
using Result = absl::StatusOr<TensorType>;

/// Attributes are limited so that kernel * dilation and extent + pads stay far from overflow.
inline constexpr int64_t kMaximumAttribute = int64_t{1} << 30;

template <typename... Parts>
absl::Status error(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status checkArity(const Types &inputs, size_t low, size_t high);
absl::Status checkSameDType(const Types &inputs);
absl::Status checkAxis(int64_t axis, const TensorType &type);
/// \p count entries within \p low and kMaximumAttribute.
absl::Status checkList(const char *what, const Shape &list, size_t count, int64_t low);

template <typename T>
absl::StatusOr<const T *> attributesAs(const Attributes &attributes) {
  if (const T *result = std::get_if<T>(&attributes)) return result;
  return error("attributes of the op are missing");
}

// Ops that move elements and compute nothing.
Result inferTranspose(const Attributes &attributes, const Types &inputs);
Result inferConcat(const Attributes &attributes, const Types &inputs);
Result inferSlice(const Attributes &attributes, const Types &inputs, const TensorType &given);
Result inferPad(const Attributes &attributes, const Types &inputs);
Result inferGather(const Attributes &attributes, const Types &inputs);

}  // namespace hone::graph::inference
