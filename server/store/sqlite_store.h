// The Store in one SQLite database, FOLDER/hone.db: write-ahead log, synced at every commit, one writer connection that
// alone checkpoints, and a pool of readers. Threads: as store.h says. Owns its connections; the failpoints outlive it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/failpoint.h"
#include "server/store/store.h"

namespace hone::server {

struct SqliteOptions {
  std::filesystem::path folder;  ///< on a file system of this machine; made when it is not there
  int readers = 4;               ///< connections kept for reading; more are opened while more threads read
  absl::Duration busyTimeout = absl::Seconds(5);
  int64_t maxPages = 0;  ///< of the database, 4 KiB each; 0: SQLite's own limit
};

/// Opens the database, makes it when there is none, and brings an older one to the present version (after a copy beside
/// it). The caller holds the folder's DataLock. FAILED_PRECONDITION: of a newer version, of another program, or on a
/// network file system; DATA_LOSS: damaged. RESOURCE_EXHAUSTED: the disk is full.
absl::StatusOr<std::unique_ptr<Store>> openSqliteStore(const SqliteOptions &options, Failpoints &failpoints);

}  // namespace hone::server
