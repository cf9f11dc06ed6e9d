// The calls by which this process, its libraries included, asks the kernel for files, shown to a test before the kernel
// gets them: the linker binds open(), write(), fsync() and their like to the ones here, in SQLite and in the standard
// library as well. Whoever watches may count them, let them fail, or do something at just that instant. What maps files
// or sends them (mmap, sendfile) is not seen. Thread-safe, but one watcher at a time in the whole process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace hone::server::testing {

struct FileCall {
  enum class Kind : uint8_t { Open, Read, Write, Resize, Sync, Rename, Remove, Link, MakeFolder };
  Kind kind = Kind::Open;
  std::string path;             ///< as it was given; of an open file, its present name
  std::string other = {};       ///< Rename, Link: the new name
  int descriptor = -1;          ///< of an open file
  int flags = 0;                ///< Open
  int64_t offset = 0;           ///< Write
  std::string_view bytes = {};  ///< Write
  int64_t size = 0;             ///< Resize
};

class FileWatcher {
 public:
  virtual ~FileWatcher() = default;
  /// In the place of one call: \p make makes it. Either answers with what the call returns, or with the negative of an
  /// error number. On the thread that calls.
  virtual int64_t around(const FileCall &call, const std::function<int64_t()> &make) = 0;
};

/// As long as this lives, \p watcher sees the calls.
class WatchFiles {
 public:
  explicit WatchFiles(FileWatcher &watcher);
  WatchFiles(const WatchFiles &) = delete;
  WatchFiles &operator=(const WatchFiles &) = delete;
  ~WatchFiles();
};

/// A watcher that asks \p decide for each call: an error number, with which the call fails, or 0.
class FailCalls : public FileWatcher {
 public:
  explicit FailCalls(std::function<int(const FileCall &)> decide) : decide_(std::move(decide)), watch_(*this) {}
  int64_t around(const FileCall &call, const std::function<int64_t()> &make) override {
    const int error = decide_(call);
    return error != 0 ? -error : make();
  }

 private:
  std::function<int(const FileCall &)> decide_;
  WatchFiles watch_;  // last: it shows calls to what is above
};

}  // namespace hone::server::testing
