#include "server/store/database_file.h"

#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/store/file_io.h"

namespace hone::server::sqlite {
namespace {

namespace fs = std::filesystem;

// Pages of the log between checkpoints: 6 MiB. Fewer make every commit pay; more make each checkpoint a long one, which
// is the tail of the time to the next lease: with 1,000 workers its p99 was 17 ms with 1,500 pages and 121 ms with
// 4,000.
constexpr int kCheckpointPages = 1500;

struct FileSystem {
  int64_t type;
  const char *name;
};
constexpr FileSystem kShared[] = {{0x6969, "nfs"},      {0x517b, "smb"},        {0xff534d42, "cifs"},
                                  {0xfe534d42, "smb2"}, {0x01021997, "9p"},     {0x00c36400, "ceph"},
                                  {0x5346414f, "afs"},  {0x0bd00bd0, "lustre"}, {0x47504653, "gpfs"},
                                  {0x73757245, "coda"}, {0x01161970, "gfs2"},   {0x7461636f, "ocfs2"}};

absl::Status syncNamed(const fs::path &file) {
  absl::StatusOr<Descriptor> opened = Descriptor::open(file, O_RDONLY);
  return opened.ok() ? syncFile(*opened, file) : opened.status();
}

absl::Status renameDurably(const fs::path &from, const fs::path &to) {
  absl::Status status = renameFile(from, to);
  return status.ok() ? syncFolder(to.parent_path()) : status;
}

void removeDatabase(const fs::path &file) {
  std::error_code ignored;
  for (const char *suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(fs::path(file.string() + suffix), ignored);
}

/// Written under another name and renamed: a database under its own name has its tables, so that an empty file there is
/// always damage.
absl::Status createDatabase(const fs::path &file, Steps steps, absl::Duration busyTimeout) {
  const fs::path draft = file.string() + ".new";
  removeDatabase(draft);
  {
    absl::StatusOr<Connection> connection = Connection::open(draft, Connection::Mode::Create, busyTimeout);
    if (!connection.ok()) return connection.status();
    if (absl::Status status = migrate(*connection, steps); !status.ok()) return status;
  }
  if (absl::Status status = syncNamed(draft); !status.ok()) return status;
  return renameDurably(draft, file);
}

absl::Status checkHeader(const fs::path &file) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::array<char, 100> header{};
  absl::StatusOr<Descriptor> opened = Descriptor::open(file, O_RDONLY);
  if (!opened.ok()) return opened.status();
  const ssize_t count = read(opened->get(), header.data(), header.size());
  if (count == static_cast<ssize_t>(header.size()) && std::string_view(header.data(), kMagic.size()) == kMagic) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("'", file.string(), "' does not begin as a database does, ", restoreCommand(file.parent_path())));
}

absl::Status checkFolder(const fs::path &folder) {
  if (absl::Status status = makeFolders(folder); !status.ok()) return status;
  struct statfs info{};
  if (statfs(folder.c_str(), &info) != 0) return fileError("look at the file system of", folder, errno);
  // The magic numbers are 32 bits wide; f_type is wider and may carry their sign.
  if (absl::Status status = checkFileSystem(static_cast<uint32_t>(info.f_type), folder); !status.ok()) return status;
  if (std::error_code error; fs::exists(folder / kUnfinishedRestore, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat("a restore into '", folder.string(),
                     "' was interrupted: do it again with 'hone-server restore --data ", folder.string(), " BACKUP'"));
  }
  return absl::OkStatus();
}

absl::Status setUpWriter(Connection &connection, const SqliteOptions &options) {
  absl::StatusOr<std::string> mode = connection.text("PRAGMA journal_mode=WAL");
  if (!mode.ok()) return mode.status();
  if (*mode != "wal") {
    return absl::FailedPreconditionError(absl::StrCat("'", connection.file().string(),
                                                      "' cannot have a write-ahead log on this file system (mode ",
                                                      *mode, "): use a data folder on a local disk"));
  }
  absl::Status status = connection.execute("PRAGMA cache_size=-65536; PRAGMA journal_size_limit=67108864");
  if (status.ok()) status = connection.setCheckpointing(true, kCheckpointPages);
  if (!status.ok() || options.maxPages == 0) return status;
  return connection.execute(absl::StrCat("PRAGMA max_page_count=", options.maxPages).c_str());
}

}  // namespace

absl::Status checkFileSystem(int64_t type, const fs::path &folder) {
  for (const FileSystem &shared : kShared) {
    if (shared.type != type) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("'", folder.string(), "' lies on a network file system (", shared.name,
                     "), where a database is not safe: choose a data folder on a local disk"));
  }
  return absl::OkStatus();
}

absl::Status checkDatabase(Connection &connection, Steps steps) {
  const std::string name = connection.file().string();
  const std::string remedy = restoreCommand(connection.file().parent_path());
  if (absl::Status status = checkHeader(connection.file()); !status.ok()) return status;
  absl::StatusOr<int64_t> application = connection.integer("PRAGMA application_id");
  if (!application.ok()) return application.status();
  absl::StatusOr<int64_t> version = connection.integer("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*application != kApplicationId) {
    return absl::FailedPreconditionError(absl::StrCat("'", name, "' is not a database of hone (application id ",
                                                      *application, " instead of ", kApplicationId, "): ", remedy));
  }
  if (*version > static_cast<int64_t>(steps.size())) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", name, "' is of version ", *version, ", and this hone-server knows versions up to ",
                     steps.size(), ": start a newer hone-server, or ", remedy, " with a backup of that version"));
  }
  if (*version < 1) {
    return absl::DataLossError(absl::StrCat("'", name, "' has no version, it is damaged: ", remedy));
  }
  Statement check(connection, "PRAGMA quick_check(3)");
  Use use(check);
  std::vector<std::string> problems;
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) break;
    problems.push_back(use.text(0));
  }
  if (problems == std::vector<std::string>{"ok"}) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("'", name, "' is damaged, ", remedy, ": quick_check says: ", absl::StrJoin(problems, "; ")));
}

absl::Status copyDatabase(Connection &source, const fs::path &file) {
  const fs::path draft = file.string() + ".new";
  removeDatabase(draft);
  {
    absl::StatusOr<Connection> target = Connection::open(draft, Connection::Mode::Create, absl::Seconds(5));
    if (!target.ok()) return target.status();
    sqlite3_backup *copy = sqlite3_backup_init(target->handle(), "main", source.handle(), "main");
    if (copy == nullptr) return target->status(sqlite3_extended_errcode(target->handle()));
    // All in one step: a source with a write-ahead log is written on meanwhile, and the copy is of one instant.
    const int step = sqlite3_backup_step(copy, -1);
    const int code = sqlite3_backup_finish(copy);
    if (step != SQLITE_DONE) return target->status(code != SQLITE_OK ? code : step);
    // The copy stands alone: no log beside it.
    absl::StatusOr<std::string> mode = target->text("PRAGMA journal_mode=DELETE");
    if (!mode.ok()) return mode.status();
  }
  if (absl::Status status = syncNamed(draft); !status.ok()) return status;
  return renameDurably(draft, file);
}

absl::StatusOr<Connection> openDatabase(const SqliteOptions &options, Steps steps) {
  if (absl::Status status = checkFolder(options.folder); !status.ok()) return status;
  const fs::path file = options.folder / kDatabaseName;
  std::error_code error;
  if (!fs::exists(file, error)) {
    const fs::path log = file.string() + "-wal";
    if (fs::exists(log, error) && fs::file_size(log, error) > 0) {
      return absl::DataLossError(absl::StrCat("'", file.string(), "' is not there, but its log '", log.string(),
                                              "' is: ", restoreCommand(options.folder)));
    }
    if (absl::Status status = createDatabase(file, steps, options.busyTimeout); !status.ok()) return status;
  }
  // Before SQLite sees it: an empty file would be a new database to it.
  if (absl::Status status = checkHeader(file); !status.ok()) return status;
  absl::StatusOr<Connection> connection = Connection::open(file, Connection::Mode::ReadWrite, options.busyTimeout);
  if (!connection.ok()) return connection.status();
  if (absl::Status status = checkDatabase(*connection, steps); !status.ok()) return status;
  absl::StatusOr<int64_t> version = connection->integer("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version < static_cast<int64_t>(steps.size())) {
    const fs::path copy = absl::StrCat(file.string(), ".version-", *version);
    if (absl::Status status = copyDatabase(*connection, copy); !status.ok()) return status;
    if (absl::Status status = migrate(*connection, steps); !status.ok()) return status;
  }
  if (absl::Status status = setUpWriter(*connection, options); !status.ok()) return status;
  return connection;
}

}  // namespace hone::server::sqlite
