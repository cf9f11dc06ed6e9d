// The two ways in which a model is refused. Pure functions; thread-safe.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hone::frontend {

/// The input is wrong.
template <typename... Parts>
absl::Status invalid(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}
/// The input may be right, but is beyond what is supported.
template <typename... Parts>
absl::Status unsupported(const Parts &...parts) {
  return absl::UnimplementedError(absl::StrCat(parts...));
}

}  // namespace hone::frontend
