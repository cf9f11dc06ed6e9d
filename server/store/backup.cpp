// backup() of maintenance.h.
#include <sys/stat.h>

#include <cerrno>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/store/database_file.h"
#include "server/store/file_io.h"
#include "server/store/maintenance.h"
#include "server/store/maintenance_support.h"

namespace hone::server {
namespace {

namespace fs = std::filesystem;
using sqlite::Connection;

/// Brings one blob; false: it is not there, or of another size.
absl::StatusOr<bool> bringBlob(const fs::path &from, const fs::path &to, const v1::Digest &digest, bool copyOnly,
                               BackupReport &report) {
  struct stat info{};
  if (lstat(from.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size != digest.size_bytes()) return false;
  if (absl::Status status = makeFolders(to.parent_path()); !status.ok()) return status;
  absl::StatusOr<bool> linked = maintenance::linkOrCopy(from, to, copyOnly);
  // Removed between the look and the link.
  if (absl::IsNotFound(linked.status())) return false;
  if (!linked.ok()) return linked.status();
  ++report.blobs;
  report.blobBytes += digest.size_bytes();
  if (*linked) ++report.linkedBlobs;
  return true;
}

/// Rows of \p missing that the running database still has: those blobs are lost, the others were only garbage that was
/// collected since the copy.
absl::Status tellLost(Connection &source, const std::vector<v1::Digest> &missing, BackupReport &report) {
  if (missing.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<v1::Digest>> rows = maintenance::blobRows(source);
  if (!rows.ok()) return rows.status();
  std::set<std::string> names;
  for (const v1::Digest &row : *rows) names.insert(row.sha256());
  for (const v1::Digest &digest : missing) {
    if (!names.contains(digest.sha256())) continue;
    report.findings.push_back(absl::StrCat("the blob ", digest.sha256(), " of ", digest.size_bytes(),
                                           " bytes is missing or of another size: look at it with 'hone-server fsck'"));
  }
  return absl::OkStatus();
}

absl::Status fill(Connection &source, const fs::path &data, const fs::path &draft, const BackupOptions &options,
                  BackupReport &report) {
  const fs::path file = draft / sqlite::kDatabaseName;
  if (absl::Status status = sqlite::copyDatabase(source, file); !status.ok()) return status;
  absl::StatusOr<Connection> copy = maintenance::openDatabase(draft, Connection::Mode::ReadWrite);
  if (!copy.ok()) return copy.status();
  if (absl::Status status = sqlite::checkDatabase(*copy, sqlite::schemaSteps()); !status.ok()) return status;
  absl::StatusOr<int64_t> jobs = copy->integer("SELECT count(*) FROM job");
  if (!jobs.ok()) return jobs.status();
  report.jobs = *jobs;
  absl::StatusOr<std::vector<v1::Digest>> rows = maintenance::blobRows(*copy);
  if (!rows.ok()) return rows.status();
  std::vector<v1::Digest> missing;
  for (const v1::Digest &digest : *rows) {
    absl::StatusOr<bool> brought =
        bringBlob(maintenance::blobPath(data, digest.sha256()), maintenance::blobPath(draft, digest.sha256()), digest,
                  options.copyBlobs, report);
    if (!brought.ok()) return brought.status();
    if (!*brought) missing.push_back(digest);
  }
  if (absl::Status status = tellLost(source, missing, report); !status.ok()) return status;
  if (!missing.empty()) {
    if (absl::Status status = maintenance::dropBlobs(*copy, missing); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BackupReport> backup(const fs::path &data, const fs::path &target, const BackupOptions &options) {
  std::error_code error;
  const fs::path backup = target.has_filename() ? target : target.parent_path();  // "x/" is "x"
  if (fs::exists(backup, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat("'", backup.string(), "' is there already: give the backup a name of its own"));
  }
  if (!fs::exists(data / sqlite::kDatabaseName, error)) {
    return absl::NotFoundError(absl::StrCat("there is no database in '", data.string(), "'"));
  }
  absl::StatusOr<Connection> source = maintenance::openDatabase(data, Connection::Mode::Read);
  if (!source.ok()) return source.status();
  if (absl::Status status = sqlite::checkDatabase(*source, sqlite::schemaSteps()); !status.ok()) return status;
  const fs::path draft = backup.string() + ".unfinished";
  fs::remove_all(draft, error);
  if (absl::Status status = makeFolders(draft); !status.ok()) return status;
  BackupReport report;
  report.folder = backup;
  absl::Status status = fill(*source, data, draft, options, report);
  if (status.ok()) status = maintenance::syncTree(draft);
  if (status.ok()) status = renameFile(draft, backup);
  if (status.ok()) status = syncFolder(fs::absolute(backup).parent_path());
  if (!status.ok()) {
    fs::remove_all(draft, error);
    return status;
  }
  return report;
}

}  // namespace hone::server
