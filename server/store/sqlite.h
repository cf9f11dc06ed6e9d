// SQLite behind values that clean up after themselves and statuses with sentences. A Connection and its Statements
// belong to one thread at a time; a Statement does not outlive its Connection.
//
//   Statement insert(connection, "INSERT INTO blob VALUES(?, ?)");
//   Use use(insert, sha256, size);
//   if (absl::Status status = use.run(); !status.ok()) return status;
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hone::server::sqlite {

/// The command that mends what a server refuses to open, for sentences.
std::string restoreCommand(const std::filesystem::path &folder);

class Connection {
 public:
  enum class Mode : uint8_t {
    Create,     ///< the file must not be there
    ReadWrite,  ///< it must be
    Read,       ///< as ReadWrite (recovery after a crash needs it), but refuses every change
  };
  /// Never checkpoints when it is closed, until setCheckpointing(true).
  static absl::StatusOr<Connection> open(const std::filesystem::path &file, Mode mode, absl::Duration busyTimeout);

  absl::Status execute(const char *sql);
  absl::StatusOr<int64_t> integer(const char *sql);   ///< of the first row and column
  absl::StatusOr<std::string> text(const char *sql);  ///< the same
  /// Whether this connection checkpoints: every \p pages of the log, and when it is closed.
  absl::Status setCheckpointing(bool enabled, int pages = 0);

  bool isInTransaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  int64_t lastRowId() const { return sqlite3_last_insert_rowid(handle_.get()); }
  int64_t changes() const { return sqlite3_changes64(handle_.get()); }
  /// A sentence for \p code, a result code of SQLite's; OK for what is none. Right after the call: errno tells a full
  /// disk (RESOURCE_EXHAUSTED) from one that fails (UNAVAILABLE).
  absl::Status status(int code) const;
  sqlite3 *handle() const { return handle_.get(); }
  const std::filesystem::path &file() const { return file_; }

 private:
  struct Close {
    void operator()(sqlite3 *handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::filesystem::path file_;
};

/// Prepared at its first use, once.
class Statement {
 public:
  Statement(Connection &connection, const char *sql) : connection_(&connection), sql_(sql) {}
  Statement(const Statement &) = delete;
  Statement &operator=(const Statement &) = delete;
  ~Statement() { sqlite3_finalize(handle_); }

 private:
  friend class Use;
  Connection *connection_;
  const char *sql_;
  sqlite3_stmt *handle_ = nullptr;
};

/// Text that is bound as bytes.
struct Bytes {
  std::string_view data;
};

/// One execution of a statement; resets it at the end. One at a time for a statement.
class Use {
 public:
  template <typename... Values>
  explicit Use(Statement &statement, const Values &...values) : statement_(&statement) {
    prepare();
    int index = 0;
    (bind(++index, values), ...);
  }
  Use(const Use &) = delete;
  Use &operator=(const Use &) = delete;
  ~Use() {
    if (statement_->handle_ != nullptr) sqlite3_reset(statement_->handle_);
  }

  /// The next row; false: there is none.
  absl::StatusOr<bool> row();
  /// To the end.
  absl::Status run();

  int64_t integer(int column) const { return sqlite3_column_int64(statement_->handle_, column); }
  bool boolean(int column) const { return integer(column) != 0; }
  /// Text or bytes, until the next row.
  std::string_view view(int column) const;
  std::string text(int column) const { return std::string(view(column)); }

 private:
  void prepare();
  void keep(int code) {
    if (code_ == SQLITE_OK) code_ = code;
  }
  template <std::integral Value>
  void bind(int index, Value value) {
    keep(sqlite3_bind_int64(statement_->handle_, index, static_cast<int64_t>(value)));
  }
  void bind(int index, std::string_view value);
  void bind(int index, const std::string &value) { bind(index, std::string_view(value)); }
  void bind(int index, const char *value) { bind(index, std::string_view(value)); }
  void bind(int index, const Bytes &value);

  Statement *statement_;
  int code_ = SQLITE_OK;
};

}  // namespace hone::server::sqlite
