// Failed calls of the system as sentences. Functions without state.
#pragma once

#include <cerrno>
#include <filesystem>
#include <string_view>

#include "absl/status/status.h"

namespace hone {

/// "cannot WHAT: why", as UNAVAILABLE.
absl::Status systemError(std::string_view what, int error = errno);

/// "cannot WHAT 'FILE': why". RESOURCE_EXHAUSTED for a full disk or quota, NOT_FOUND for what is not there, else
/// UNAVAILABLE.
absl::Status fileError(std::string_view what, const std::filesystem::path &file, int error);

}  // namespace hone
