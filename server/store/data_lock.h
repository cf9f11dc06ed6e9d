// Who owns a data folder: an flock on FOLDER/lock, held as long as the object lives. The kernel lets go of it with the
// process, however that ends; programs that it starts do not inherit it. Movable; one thread at a time.
#pragma once

#include <filesystem>
#include <utility>

#include "absl/status/statusor.h"
#include "common/file_lock.h"

namespace hone::server {

class DataLock {
 public:
  /// Makes the folder when it is not there. UNAVAILABLE: another process holds it; the sentence names its process id.
  static absl::StatusOr<DataLock> take(const std::filesystem::path &folder);

 private:
  explicit DataLock(FileLock lock) : lock_(std::move(lock)) {}

  FileLock lock_;
};

}  // namespace hone::server
