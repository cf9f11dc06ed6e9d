// Reading and writing the files that the worker has inherited as open descriptors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::worker {

/// Everything from the position of \p descriptor on. RESOURCE_EXHAUSTED for more than \p limit bytes, UNAVAILABLE when
/// it cannot be read.
absl::StatusOr<std::string> readAll(int descriptor, int64_t limit);

absl::Status writeAll(int descriptor, std::string_view bytes);

}  // namespace hone::worker
