// Files that a person names: one that is open for reading, and closed at the end of the object; and all of one at once.
// Not thread-safe.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "common/descriptor.h"

namespace hone::client {

class InputFile {
 public:
  /// NOT_FOUND unless \p path is a file that can be read.
  static absl::StatusOr<InputFile> open(const std::filesystem::path &path);
  /// Takes over an open one.
  explicit InputFile(int descriptor) : file_(descriptor) {}
  int descriptor() const { return file_.get(); }

 private:
  Descriptor file_;
};

/// All bytes of a file, or of a pipe until its end. NOT_FOUND when it cannot be read, as a folder cannot.
absl::StatusOr<std::string> readWholeFile(const std::filesystem::path &path);

}  // namespace hone::client
