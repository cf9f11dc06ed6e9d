// Opening a file that a model names: the name comes from a stranger, who may also change the folder while it is read.
// So the kernel is asked for a file below the folder in one step that follows no links; what is open then is what is
// used, and its path is never looked at again. Functions without state.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "client/input_file.h"

namespace hone::client {

/// The plain file \p location below \p folder. DATA_LOSS for a name that is absolute or has '..', for what is reached
/// through a symbolic link, and for what is no plain file; NOT_FOUND when it is not there or cannot be read. All with a
/// sentence.
absl::StatusOr<InputFile> openDataFile(const std::filesystem::path &folder, const std::string &location);

/// The same on kernels before 5.6, folder by folder.
absl::StatusOr<InputFile> openDataFileStepwise(const std::filesystem::path &folder, const std::string &location);

}  // namespace hone::client
