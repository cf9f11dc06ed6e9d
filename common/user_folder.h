// Folders that belong to this user alone. Functions without state.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone {

/// UNAVAILABLE unless \p folder is a folder (no link) of this user's.
absl::Status checkOwnFolder(const std::filesystem::path &folder);

/// Makes \p folder for this user alone, unless it is there. UNAVAILABLE when it is a link or anything else, when
/// somebody else has made it, or when others may enter it: where everybody may write, whoever comes first has it.
absl::Status makePrivateFolder(const std::filesystem::path &folder);

/// /tmp/hone-UID, made when it is not there: the same in every shell, service and crontab, on a disk of this machine.
/// UNAVAILABLE when somebody else has made it, or may enter it.
absl::StatusOr<std::filesystem::path> temporaryFolderOfUser();

/// The home folder: $HOME, else that of the account. NOT_FOUND when there is neither.
absl::StatusOr<std::filesystem::path> homeFolder();

}  // namespace hone
