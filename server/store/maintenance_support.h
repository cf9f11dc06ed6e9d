// What backup, restore and fsck share: the database's blobs, and files brought from one folder to another. Functions
// without state.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hone/v1/blobs.pb.h"
#include "server/store/sqlite.h"

namespace hone::server::maintenance {

/// Where a blob lies under a data folder or a backup, which are laid out alike.
std::filesystem::path blobPath(const std::filesystem::path &folder, const std::string &sha256);

/// The blobs that the database names, in the order of their names.
absl::StatusOr<std::vector<v1::Digest>> blobRows(sqlite::Connection &connection);

/// Removes the rows of \p blobs, and the cache entries that name them.
absl::Status dropBlobs(sqlite::Connection &connection, const std::vector<v1::Digest> &blobs);

/// An existing database in \p folder.
absl::StatusOr<sqlite::Connection> openDatabase(const std::filesystem::path &folder, sqlite::Connection::Mode mode);

/// \p from under another name, as a hard link, or, where that cannot be or is not wanted, as a synced copy. True:
/// linked.
absl::StatusOr<bool> linkOrCopy(const std::filesystem::path &from, const std::filesystem::path &to, bool copyOnly);

/// Syncs \p folder and every folder below.
absl::Status syncTree(const std::filesystem::path &folder);

}  // namespace hone::server::maintenance
