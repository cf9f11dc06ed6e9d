// The folders of this user that hone keeps things in, as the XDG base directory specification names them. Functions
// without state; they read the environment and create nothing.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::client {

/// $XDG_CONFIG_HOME/hone, else ~/.config/hone. NOT_FOUND when there is no home folder either; so with the others.
absl::StatusOr<std::filesystem::path> configFolder();
absl::StatusOr<std::filesystem::path> cacheFolder();
absl::StatusOr<std::filesystem::path> dataFolder();
absl::StatusOr<std::filesystem::path> stateFolder();

/// Creates \p folder and those above it, for this user alone. UNAVAILABLE with the reason when that is not possible.
absl::Status makeFolder(const std::filesystem::path &folder);

/// INVALID_ARGUMENT unless \p user can travel as the name of who calls.
absl::Status checkUser(const std::string &user);

/// The login name; "uid-N" for a user without one.
std::string loginName();

}  // namespace hone::client
