// A lock between processes: a file that one of them has locked (flock). The kernel lets go of it when the process ends,
// however it ends; children do not inherit it. The file itself stays. Movable; one thread at a time; owns its
// descriptor.
#pragma once

#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"
#include "common/descriptor.h"

namespace hone {

class FileLock {
 public:
  /// Waits until the lock is free. The file is made if it is not there, and is no symbolic link.
  static absl::StatusOr<FileLock> wait(const std::filesystem::path &path);
  /// Nothing when somebody else holds it.
  static absl::StatusOr<std::optional<FileLock>> attempt(const std::filesystem::path &path);

  /// Until it is moved away.
  bool isHeld() const { return file_.isOpen(); }
  /// The locked file, open for reading and writing.
  int descriptor() const { return file_.get(); }

 private:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

}  // namespace hone
