// restore() of maintenance.h. The order of its steps: a mark that no server passes; what was there set aside; the
// blobs; the database; the mark goes. Interrupted anywhere, the next try begins with the mark and goes on.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "server/store/data_lock.h"
#include "server/store/database_file.h"
#include "server/store/file_io.h"
#include "server/store/maintenance.h"
#include "server/store/maintenance_support.h"

namespace hone::server {
namespace {

namespace fs = std::filesystem;
using sqlite::Connection;

absl::Status mark(const fs::path &data) {
  const fs::path file = data / sqlite::kUnfinishedRestore;
  absl::StatusOr<Descriptor> opened = Descriptor::open(file, O_WRONLY | O_CREAT);
  if (!opened.ok()) return opened.status();
  if (absl::Status status = syncFile(*opened, file); !status.ok()) return status;
  return syncFolder(data);
}

absl::Status unmark(const fs::path &data) {
  const fs::path file = data / sqlite::kUnfinishedRestore;
  if (unlink(file.c_str()) != 0) return fileError("remove", file, errno);
  return syncFolder(data);
}

/// Moves what a restore replaces into a new subfolder.
absl::StatusOr<fs::path> setAside(const fs::path &data, bool withBlobs) {
  std::vector<std::string> names;
  for (const char *suffix : {"", "-wal", "-shm", "-journal"}) {
    names.push_back(absl::StrCat(sqlite::kDatabaseName, suffix));
  }
  if (withBlobs) names.insert(names.end(), {"blobs", "uploads", "quarantine"});
  std::error_code error;
  std::erase_if(names, [&](const std::string &name) { return !fs::exists(data / name, error); });
  if (names.empty()) return fs::path();
  fs::path folder;
  for (int number = 1;; ++number) {
    folder = data / absl::StrCat("set-aside-", number);
    if (!fs::exists(folder, error)) break;
  }
  if (absl::Status status = makeFolders(folder); !status.ok()) return status;
  for (const std::string &name : names) {
    if (absl::Status status = renameFile(data / name, folder / name); !status.ok()) return status;
  }
  if (absl::Status status = syncFolder(folder); !status.ok()) return status;
  if (absl::Status status = syncFolder(data); !status.ok()) return status;
  return folder;
}

/// Brings and hashes every blob that \p connection names; what is missing or damaged is left out of files and rows.
absl::Status bringBlobs(const fs::path &backup, const fs::path &data, Connection &connection, RestoreReport &report) {
  absl::StatusOr<std::vector<v1::Digest>> rows = maintenance::blobRows(connection);
  if (!rows.ok()) return rows.status();
  std::vector<v1::Digest> lost;
  for (const v1::Digest &digest : *rows) {
    const fs::path from = maintenance::blobPath(backup, digest.sha256());
    const fs::path to = maintenance::blobPath(data, digest.sha256());
    absl::StatusOr<v1::Digest> found = digestOfFile(from);
    if (!found.ok() || found->sha256() != digest.sha256() || found->size_bytes() != digest.size_bytes()) {
      report.findings.push_back(absl::StrCat("the backup's blob ", digest.sha256(), " of ", digest.size_bytes(),
                                             " bytes is ", found.ok() ? "damaged" : "missing", " and was left out"));
      lost.push_back(digest);
      continue;
    }
    if (absl::Status status = makeFolders(to.parent_path()); !status.ok()) return status;
    if (absl::StatusOr<bool> linked = maintenance::linkOrCopy(from, to, false); !linked.ok()) return linked.status();
    ++report.blobs;
    report.blobBytes += digest.size_bytes();
  }
  if (!lost.empty()) {
    if (absl::Status status = maintenance::dropBlobs(connection, lost); !status.ok()) return status;
  }
  std::error_code error;
  const fs::path blobs = data / "blobs";
  return fs::exists(blobs, error) ? maintenance::syncTree(blobs) : absl::OkStatus();
}

/// The backup's database as hone.db.restored: checked, and changed where blobs are lost.
absl::Status bringDatabase(const fs::path &database, const fs::path &draft) {
  absl::StatusOr<Connection> source = Connection::open(database, Connection::Mode::Read, absl::Seconds(30));
  if (!source.ok()) return source.status();
  if (absl::Status status = sqlite::checkDatabase(*source, sqlite::schemaSteps()); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("the backup cannot be used: ", status.message()));
  }
  std::error_code ignored;
  fs::remove(draft, ignored);
  return sqlite::copyDatabase(*source, draft);
}

absl::Status place(const fs::path &backup, const fs::path &data, bool withBlobs, RestoreReport &report) {
  const fs::path draft = data / absl::StrCat(sqlite::kDatabaseName, ".restored");
  const fs::path database = withBlobs ? backup / sqlite::kDatabaseName : backup;
  if (absl::Status status = bringDatabase(database, draft); !status.ok()) return status;
  if (absl::Status status = mark(data); !status.ok()) return status;
  absl::StatusOr<fs::path> aside = setAside(data, withBlobs);
  if (!aside.ok()) return aside.status();
  report.setAside = *aside;
  {
    absl::StatusOr<Connection> connection = Connection::open(draft, Connection::Mode::ReadWrite, absl::Seconds(30));
    if (!connection.ok()) return connection.status();
    absl::StatusOr<int64_t> jobs = connection->integer("SELECT count(*) FROM job");
    if (!jobs.ok()) return jobs.status();
    report.jobs = *jobs;
    if (withBlobs) {
      if (absl::Status status = bringBlobs(backup, data, *connection, report); !status.ok()) return status;
    }
  }
  if (absl::Status status = renameFile(draft, data / sqlite::kDatabaseName); !status.ok()) return status;
  if (absl::Status status = syncFolder(data); !status.ok()) return status;
  return unmark(data);
}

}  // namespace

absl::StatusOr<RestoreReport> restore(const fs::path &backup, const fs::path &data) {
  std::error_code error;
  const bool isFolder = fs::is_directory(backup, error);
  if (!fs::exists(isFolder ? backup / sqlite::kDatabaseName : backup, error)) {
    return absl::NotFoundError(absl::StrCat("there is no backup at '", backup.string(), "'"));
  }
  absl::StatusOr<DataLock> lock = DataLock::take(data);
  if (!lock.ok()) return lock.status();
  RestoreReport report;
  if (absl::Status status = place(backup, data, isFolder, report); !status.ok()) return status;
  return report;
}

}  // namespace hone::server
