// A file that is open for reading, and closed at the end of the object. Not thread-safe.
#pragma once

#include <filesystem>

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

}  // namespace hone::client
