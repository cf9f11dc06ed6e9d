// A lock between processes: a file that one of them has locked. The system lets go of it when the process ends, however
// it ends. The file itself stays. Not thread-safe; owns its descriptor.
#pragma once

#include <filesystem>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::client {

class FileLock {
 public:
  /// Waits until the lock is free.
  static absl::StatusOr<FileLock> wait(const std::filesystem::path &path);
  /// Nothing when somebody else holds it.
  static absl::StatusOr<std::optional<FileLock>> attempt(const std::filesystem::path &path);

  FileLock(FileLock &&other) noexcept;
  FileLock &operator=(FileLock &&other) noexcept;
  ~FileLock();
  int descriptor() const { return descriptor_; }

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace hone::client
