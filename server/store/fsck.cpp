// fsck() of maintenance.h.
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/data_lock.h"
#include "server/store/database_file.h"
#include "server/store/file_io.h"
#include "server/store/fsck_rules.h"
#include "server/store/maintenance.h"
#include "server/store/maintenance_support.h"

namespace hone::server {
namespace {

namespace fs = std::filesystem;
using sqlite::Connection;

constexpr size_t kMostSentences = 1000;

class Check {
 public:
  Check(const fs::path &data, Connection &connection, bool repair)
      : data_(data), connection_(connection), repair_(repair) {}

  absl::Status run() {
    for (auto step : {&Check::lookAtDatabase, &Check::lookAtBlobs, &Check::lookForOrphans, &Check::lookAtCache,
                      &Check::lookAtStates}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
      // What a damaged database says of anything else means nothing.
      if (report.databaseErrors > 0) return absl::OkStatus();
    }
    return repair_ ? repairAll() : absl::OkStatus();
  }

  FsckReport report;

 private:
  absl::Status lookAtDatabase();
  absl::Status lookAtBlobs();
  absl::Status lookForOrphans();
  absl::Status lookAtCache();
  absl::Status lookAtStates();
  absl::Status repairAll();
  absl::Status quarantine(const v1::Digest &digest);

  void find(std::string sentence) {
    if (report.findings.size() < kMostSentences) report.findings.push_back(std::move(sentence));
  }
  void repaired(std::string sentence) {
    if (report.repairs.size() < kMostSentences) report.repairs.push_back(std::move(sentence));
  }

  const fs::path &data_;
  Connection &connection_;
  const bool repair_;
  std::set<std::string> rows_, whole_;
  std::vector<v1::Digest> damaged_, missing_;
  std::vector<fs::path> orphans_;
  std::vector<std::string> brokenKeys_;
  bool hasContradictions_ = false;
};

absl::Status Check::lookAtDatabase() {
  absl::StatusOr<std::vector<std::string>> problems =
      maintenance::texts(connection_, "SELECT integrity_check FROM pragma_integrity_check(100)");
  if (!problems.ok()) return problems.status();
  for (const std::string &problem : *problems) {
    if (problem == "ok") continue;
    ++report.databaseErrors;
    find(absl::StrCat("the database is damaged, ", sqlite::restoreCommand(data_), ": ", problem));
  }
  problems = maintenance::texts(connection_,
                                "SELECT \"table\" || ' row ' || ifnull(rowid, '?') || ' refers to a row of ' || parent "
                                "|| ' that is not there' FROM pragma_foreign_key_check");
  if (!problems.ok()) return problems.status();
  for (const std::string &problem : *problems) {
    ++report.databaseErrors;
    find(absl::StrCat("the database is damaged, ", sqlite::restoreCommand(data_), ": ", problem));
  }
  for (const auto &[count, sql] :
       {std::pair{&report.jobs, "SELECT count(*) FROM job"}, std::pair{&report.tasks, "SELECT count(*) FROM task"},
        std::pair{&report.cacheEntries, "SELECT count(*) FROM cache"}}) {
    absl::StatusOr<int64_t> counted = connection_.integer(sql);
    if (!counted.ok()) return counted.status();
    *count = *counted;
  }
  return absl::OkStatus();
}

absl::Status Check::lookAtBlobs() {
  absl::StatusOr<std::vector<v1::Digest>> rows = maintenance::blobRows(connection_);
  if (!rows.ok()) return rows.status();
  for (const v1::Digest &digest : *rows) {
    rows_.insert(digest.sha256());
    ++report.blobs;
    report.blobBytes += digest.size_bytes();
    absl::StatusOr<v1::Digest> found = digestOfFile(maintenance::blobPath(data_, digest.sha256()));
    if (absl::IsNotFound(found.status())) {
      ++report.missingBlobs;
      missing_.push_back(digest);
      find(absl::StrCat("the blob ", digest.sha256(), " has no file"));
    } else if (!found.ok()) {
      ++report.damagedBlobs;
      damaged_.push_back(digest);
      find(absl::StrCat("the blob ", digest.sha256(), " cannot be read: ", found.status().message()));
    } else if (found->sha256() != digest.sha256() || found->size_bytes() != digest.size_bytes()) {
      ++report.damagedBlobs;
      damaged_.push_back(digest);
      find(absl::StrCat("the blob ", digest.sha256(), " of ", digest.size_bytes(), " bytes is damaged: its file has ",
                        found->size_bytes(), " bytes and the SHA-256 ", found->sha256()));
    } else {
      whole_.insert(digest.sha256());
    }
  }
  return absl::OkStatus();
}

absl::Status Check::lookForOrphans() {
  const fs::path top = data_ / "blobs";
  std::error_code error;
  if (!fs::exists(top, error)) return absl::OkStatus();
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(top, error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error)) continue;
    const std::string name = entry.path().filename().string();
    if (rows_.contains(name) && entry.path() == maintenance::blobPath(data_, name)) continue;
    ++report.orphanFiles;
    orphans_.push_back(entry.path());
    find(absl::StrCat("the file '", entry.path().string(), "' belongs to no blob (harmless: an interrupted upload)"));
  }
  return error ? fileError("list", top, error.value()) : absl::OkStatus();
}

absl::Status Check::lookAtCache() {
  sqlite::Statement statement(connection_, "SELECT cache_key, sha256 FROM cache_blob ORDER BY cache_key");
  sqlite::Use use(statement);
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    const std::string key = use.text(0);
    if (whole_.contains(use.text(1)) || (!brokenKeys_.empty() && brokenKeys_.back() == key)) continue;
    ++report.brokenCacheEntries;
    brokenKeys_.push_back(key);
    find(absl::StrCat("the cache's entry ", key, " names the blob ", use.text(1), ", which is not there or damaged"));
  }
}

absl::Status Check::lookAtStates() {
  absl::StatusOr<std::vector<std::string>> found = maintenance::contradictions(connection_);
  if (!found.ok()) return found.status();
  for (std::string &sentence : *found) {
    ++report.contradictions;
    find(std::move(sentence));
  }
  hasContradictions_ = !found->empty();
  return absl::OkStatus();
}

absl::Status Check::quarantine(const v1::Digest &digest) {
  const fs::path folder = data_ / "quarantine";
  if (absl::Status status = makeFolders(folder); !status.ok()) return status;
  fs::path to = folder / digest.sha256();
  std::error_code error;
  for (int number = 2; fs::exists(to, error); ++number) to = folder / absl::StrCat(digest.sha256(), ".", number);
  if (absl::Status status = renameFile(maintenance::blobPath(data_, digest.sha256()), to); !status.ok()) return status;
  repaired(absl::StrCat("moved the damaged blob ", digest.sha256(), " to '", to.string(), "'"));
  return syncFolder(folder);
}

absl::Status Check::repairAll() {
  for (const v1::Digest &digest : damaged_) {
    if (absl::Status status = quarantine(digest); !status.ok()) return status;
  }
  std::vector<v1::Digest> gone = damaged_;
  gone.insert(gone.end(), missing_.begin(), missing_.end());
  if (absl::Status status = maintenance::dropBlobs(connection_, gone); !status.ok()) return status;
  for (const v1::Digest &digest : gone) repaired(absl::StrCat("forgot the blob ", digest.sha256()));
  sqlite::Statement dropEntry(connection_, "DELETE FROM cache WHERE cache_key = ?");
  for (const std::string &key : brokenKeys_) {
    if (absl::Status status = sqlite::Use(dropEntry, key).run(); !status.ok()) return status;
    repaired(absl::StrCat("dropped the cache's entry ", key));
  }
  for (const fs::path &orphan : orphans_) {
    if (unlink(orphan.c_str()) != 0) return fileError("remove", orphan, errno);
    repaired(absl::StrCat("removed '", orphan.string(), "'"));
  }
  if (!hasContradictions_) return absl::OkStatus();
  if (absl::Status status = maintenance::recount(connection_); !status.ok()) return status;
  repaired("counted the accounts and grants anew");
  absl::StatusOr<std::vector<std::string>> left = maintenance::contradictions(connection_);
  if (!left.ok()) return left.status();
  if (!left->empty()) {
    repaired(absl::StrCat("left ", left->size(), " contradictions between jobs as they are: ",
                          sqlite::restoreCommand(data_), " if they matter"));
  }
  return absl::OkStatus();
}

/// For a database that is refused: what the refusal says is the finding.
FsckReport refused(const absl::Status &status) {
  FsckReport report;
  report.databaseErrors = 1;
  report.findings.emplace_back(status.message());
  return report;
}

}  // namespace

absl::StatusOr<FsckReport> fsck(const fs::path &data, const FsckOptions &options) {
  std::error_code error;
  if (!fs::exists(data / sqlite::kDatabaseName, error)) {
    return absl::NotFoundError(absl::StrCat("there is no database in '", data.string(), "'"));
  }
  absl::StatusOr<DataLock> lock = DataLock::take(data);
  if (!lock.ok()) return lock.status();
  const Connection::Mode mode = options.repair ? Connection::Mode::ReadWrite : Connection::Mode::Read;
  absl::StatusOr<Connection> connection = maintenance::openDatabase(data, mode);
  if (absl::IsDataLoss(connection.status())) return refused(connection.status());
  if (!connection.ok()) return connection.status();
  const absl::Status sound = sqlite::checkDatabase(*connection, sqlite::schemaSteps());
  if (absl::IsFailedPrecondition(sound)) return sound;
  if (absl::IsDataLoss(sound)) return refused(sound);
  if (!sound.ok()) return sound;
  Check check(data, *connection, options.repair);
  absl::Status status = check.run();
  if (absl::IsDataLoss(status)) return refused(status);
  if (!status.ok()) return status;
  return std::move(check.report);
}

}  // namespace hone::server
