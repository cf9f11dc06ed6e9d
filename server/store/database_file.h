// The file hone.db: found sound and made ready for writing, or refused with a sentence that names the remedy. Functions
// without state.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/schema.h"
#include "server/store/sqlite.h"
#include "server/store/sqlite_store.h"

namespace hone::server::sqlite {

inline constexpr char kDatabaseName[] = "hone.db";
/// Lies in a data folder as long as a restore into it has not ended.
inline constexpr char kUnfinishedRestore[] = "restore-unfinished";

/// FAILED_PRECONDITION for the number (statfs's f_type) of a file system that other machines share: SQLite's log needs
/// memory shared with every process that uses the file.
absl::Status checkFileSystem(int64_t type, const std::filesystem::path &folder);

/// Of another program, of a version that \p steps do not know, or damaged: refused.
absl::Status checkDatabase(Connection &connection, Steps steps);

/// The writer's connection, as openSqliteStore() promises. An older database is copied to hone.db.version-N first.
absl::StatusOr<Connection> openDatabase(const SqliteOptions &options, Steps steps);

/// A consistent copy of \p source in a new file, synced; \p source may be written meanwhile.
absl::Status copyDatabase(Connection &source, const std::filesystem::path &file);

}  // namespace hone::server::sqlite
