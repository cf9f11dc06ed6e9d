#include "server/store/sqlite.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hone::server::sqlite {

std::string restoreCommand(const std::filesystem::path &folder) {
  return absl::StrCat("restore a backup with 'hone-server restore --data ", folder.string(), " BACKUP'");
}

absl::StatusOr<Connection> Connection::open(const std::filesystem::path &file, Mode mode, absl::Duration busyTimeout) {
  std::error_code error;
  if (mode == Mode::Create && std::filesystem::exists(file, error)) {
    return absl::AlreadyExistsError(absl::StrCat("'", file.string(), "' is there already"));
  }
  Connection connection;
  connection.file_ = file;
  sqlite3 *handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == Mode::Create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  connection.handle_.reset(handle);
  if (code != SQLITE_OK) return connection.status(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(absl::ToInt64Milliseconds(busyTimeout)));
  if (absl::Status status = connection.setCheckpointing(false); !status.ok()) return status;
  int isOn = 0;
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, &isOn);
  // mmap_size: pages read past the library's own checks would turn a torn file into a crash; and see the WAL-reset
  // defect of SQLite before 3.51.3, which mapped files make likelier.
  absl::Status status = connection.execute(
      "PRAGMA trusted_schema=OFF; PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;"
      "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA secure_delete=FAST;");
  if (status.ok() && mode == Mode::Read) status = connection.execute("PRAGMA query_only=ON");
  if (!status.ok()) return status;
  return connection;
}

absl::Status Connection::setCheckpointing(bool enabled, int pages) {
  int isOff = 0;
  int code = sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, enabled ? 0 : 1, &isOff);
  if (code == SQLITE_OK) code = sqlite3_wal_autocheckpoint(handle(), enabled ? pages : 0);
  return status(code);
}

absl::Status Connection::execute(const char *sql) {
  errno = 0;
  return status(sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr));
}

absl::StatusOr<int64_t> Connection::integer(const char *sql) {
  Statement statement(*this, sql);
  Use use(statement);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  return use.integer(0);
}

absl::StatusOr<std::string> Connection::text(const char *sql) {
  Statement statement(*this, sql);
  Use use(statement);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  return use.text(0);
}

absl::Status Connection::status(int code) const {
  const int error = errno;
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return absl::OkStatus();
  const char *message = handle_ != nullptr ? sqlite3_errmsg(handle()) : sqlite3_errstr(code);
  const std::string what = absl::StrCat("'", file_.string(), "': ", message, " (SQLite's code ", code, ")");
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR: {
      // SQLite takes a full disk for one when a write says so, but not when a sync does, nor a quota; and of a
      // statement it forgets what the system said.
      const std::string why = error == 0 ? what : absl::StrCat(what, ": ", std::strerror(error));
      if ((code & 0xff) == SQLITE_FULL || error == ENOSPC || error == EDQUOT || error == EFBIG) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the database cannot grow, nothing was changed: free space on its disk: ", why));
      }
      return absl::UnavailableError(
          absl::StrCat("the database's disk failed, nothing was changed: look into the kernel's log, and mend or "
                       "replace the disk: ",
                       why));
    }
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat("another process uses the database, end it: ", what));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(
          absl::StrCat("the database is damaged, ", restoreCommand(file_.parent_path()), ": ", what));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return absl::UnavailableError(
          absl::StrCat("the database cannot be opened for writing, mind its folder's owner: ", what));
    default:
      return absl::InternalError(absl::StrCat("the database refused a statement: ", what));
  }
}

void Use::prepare() {
  if (statement_->handle_ != nullptr) return;
  keep(sqlite3_prepare_v3(statement_->connection_->handle(), statement_->sql_, -1, SQLITE_PREPARE_PERSISTENT,
                          &statement_->handle_, nullptr));
}

void Use::bind(int index, std::string_view value) {
  // A null pointer would bind NULL.
  const char *data = value.data() != nullptr ? value.data() : "";
  keep(sqlite3_bind_text64(statement_->handle_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Use::bind(int index, const Bytes &value) {
  const char *data = value.data.data() != nullptr ? value.data.data() : "";
  keep(sqlite3_bind_blob64(statement_->handle_, index, data, value.data.size(), SQLITE_TRANSIENT));
}

absl::StatusOr<bool> Use::row() {
  if (code_ != SQLITE_OK) return statement_->connection_->status(code_);
  errno = 0;
  const int code = sqlite3_step(statement_->handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  code_ = code;
  return statement_->connection_->status(code);
}

absl::Status Use::run() {
  for (;;) {
    absl::StatusOr<bool> more = row();
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
  }
}

std::string_view Use::view(int column) const {
  const void *data = sqlite3_column_blob(statement_->handle_, column);
  const int size = sqlite3_column_bytes(statement_->handle_, column);
  return data == nullptr ? std::string_view() : std::string_view(static_cast<const char *>(data), size);
}

}  // namespace hone::server::sqlite
