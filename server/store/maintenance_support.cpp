#include "server/store/maintenance_support.h"

#include <fcntl.h>
#include <unistd.h>

#include "server/store/database_file.h"
#include "server/store/file_io.h"

namespace hone::server::maintenance {

namespace fs = std::filesystem;

fs::path blobPath(const fs::path &folder, const std::string &sha256) {
  return folder / "blobs" / "sha256" / sha256.substr(0, 2) / sha256;
}

absl::StatusOr<std::vector<v1::Digest>> blobRows(sqlite::Connection &connection) {
  sqlite::Statement statement(connection, "SELECT sha256, size FROM blob ORDER BY sha256");
  sqlite::Use use(statement);
  std::vector<v1::Digest> digests;
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return digests;
    v1::Digest &digest = digests.emplace_back();
    digest.set_sha256(use.text(0));
    digest.set_size_bytes(use.integer(1));
  }
}

absl::Status dropBlobs(sqlite::Connection &connection, const std::vector<v1::Digest> &blobs) {
  sqlite::Statement dropCache(
      connection, "DELETE FROM cache WHERE cache_key IN (SELECT cache_key FROM cache_blob WHERE sha256 = ?)");
  sqlite::Statement dropBlob(connection, "DELETE FROM blob WHERE sha256 = ?");
  absl::Status status = connection.execute("BEGIN IMMEDIATE");
  for (const v1::Digest &digest : blobs) {
    if (status.ok()) status = sqlite::Use(dropCache, digest.sha256()).run();
    if (status.ok()) status = sqlite::Use(dropBlob, digest.sha256()).run();
  }
  if (status.ok()) status = connection.execute("COMMIT");
  if (connection.isInTransaction()) connection.execute("ROLLBACK").IgnoreError();
  return status;
}

absl::StatusOr<sqlite::Connection> openDatabase(const fs::path &folder, sqlite::Connection::Mode mode) {
  return sqlite::Connection::open(folder / sqlite::kDatabaseName, mode, absl::Seconds(30));
}

absl::StatusOr<bool> linkOrCopy(const fs::path &from, const fs::path &to, bool copyOnly) {
  if (!copyOnly && link(from.c_str(), to.c_str()) == 0) return true;
  absl::StatusOr<Descriptor> source = Descriptor::open(from, O_RDONLY | O_NOFOLLOW);
  if (!source.ok()) return source.status();
  absl::StatusOr<Descriptor> target = Descriptor::open(to, O_RDWR | O_CREAT | O_EXCL, 0444);
  if (!target.ok()) return target.status();
  if (absl::StatusOr<v1::Digest> copied = copyAndHash(*source, *target, from); !copied.ok()) return copied.status();
  if (absl::Status status = syncFile(*target, to); !status.ok()) return status;
  return false;
}

absl::Status syncTree(const fs::path &folder) {
  std::error_code error;
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(folder, error)) {
    if (!entry.is_directory(error)) continue;
    if (absl::Status status = syncFolder(entry.path()); !status.ok()) return status;
  }
  if (error) return fileError("list", folder, error.value());
  return syncFolder(folder);
}

}  // namespace hone::server::maintenance
