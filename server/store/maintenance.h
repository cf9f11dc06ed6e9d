// What an operator does to a data folder (hone.db, blobs/, lock): backup, restore, fsck. Functions without state; each
// opens what it needs and closes it again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::server {

struct BackupReport {
  std::filesystem::path folder;
  int64_t jobs = 0, blobs = 0, blobBytes = 0;
  int64_t linkedBlobs = 0;  ///< the rest was copied
  /// Blobs that the database names and that are not there or of another size: left out, one sentence each.
  std::vector<std::string> findings;
};

struct BackupOptions {
  bool copyBlobs = false;  ///< also where a hard link would do: a backup for the same disk that shares nothing
};

/// Writes \p backup, a folder that must not exist: a consistent copy of the database, and every blob that it names, as
/// a hard link where that is possible. The server may run. The folder appears under its name when it is whole and
/// synced.
absl::StatusOr<BackupReport> backup(const std::filesystem::path &data, const std::filesystem::path &backup,
                                    const BackupOptions &options = {});

struct RestoreReport {
  std::filesystem::path setAside;  ///< where the folder's former content is now; empty: there was none
  int64_t jobs = 0, blobs = 0, blobBytes = 0;
  std::vector<std::string> findings;  ///< blobs of the backup that are damaged: left out, one sentence each
};

/// Puts a backup into \p data. What was there is moved to a subfolder, nothing is deleted. \p backup is a folder that
/// backup() wrote, or a single database (as one is kept before a migration): then the blobs stay as they are. Every
/// blob is hashed on its way. UNAVAILABLE: a server uses the folder. Interrupted, it leaves a folder that no server
/// opens; the same command goes on.
absl::StatusOr<RestoreReport> restore(const std::filesystem::path &backup, const std::filesystem::path &data);

struct FsckOptions {
  bool repair = false;
};

struct FsckReport {
  int64_t jobs = 0, tasks = 0, blobs = 0, blobBytes = 0, cacheEntries = 0;  ///< looked at
  int64_t databaseErrors = 0;         ///< integrity_check and foreign_key_check; nothing but a restore mends them
  int64_t damagedBlobs = 0;           ///< of another size or of other bytes than their name says
  int64_t missingBlobs = 0;           ///< a row and no file
  int64_t brokenCacheEntries = 0;     ///< they name a blob that is damaged, missing or unknown
  int64_t contradictions = 0;         ///< between the states of jobs, tasks, attempts, events and counters
  int64_t orphanFiles = 0;            ///< a file without a row, as an interrupted upload leaves: no damage
  std::vector<std::string> findings;  ///< a sentence each; the first thousand
  std::vector<std::string> repairs;   ///< what was done about them, a sentence each

  bool isWhole() const {
    return databaseErrors + damagedBlobs + missingBlobs + brokenCacheEntries + contradictions == 0;
  }
};

/// Looks at everything there is, and reads every blob. With repair: damaged blobs are moved to quarantine/, what refers
/// to them in the cache is dropped, so are rows without a file; files without a row are removed; counters are counted
/// anew. The counts tell of what was found, not of what is left. UNAVAILABLE: a server uses the folder.
absl::StatusOr<FsckReport> fsck(const std::filesystem::path &data, const FsckOptions &options = {});

}  // namespace hone::server
