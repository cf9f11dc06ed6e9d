// Where the other programs of hone are, and which files. Functions without state.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace hone::client {

/// \p name in the folder of this program, else in libexec/hone beside that folder. UNAVAILABLE when it is in neither.
absl::StatusOr<std::filesystem::path> findProgram(const std::string &name);

/// Which files the private server's programs are now: another text when one of them was replaced; empty when one is not
/// there.
std::string identityOfServer();

}  // namespace hone::client
