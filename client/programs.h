// Where the other programs of hone are. A function without state.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace hone::client {

/// \p name in the folder of this program, else in libexec/hone beside that folder. UNAVAILABLE when it is in neither.
absl::StatusOr<std::filesystem::path> findProgram(const std::string &name);

}  // namespace hone::client
