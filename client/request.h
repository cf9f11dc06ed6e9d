// Asking a worker: from a request to its result, with every way to fail as one sentence.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "client/crash_report.h"

namespace hone::client {

/// A file opened for a worker to read; closes it at the end.
class InputFile {
 public:
  /// NOT_FOUND unless \p path is a file that can be read.
  static absl::StatusOr<InputFile> open(const std::filesystem::path &path);
  InputFile(InputFile &&other) noexcept;
  InputFile &operator=(InputFile &&) = delete;
  ~InputFile();
  int descriptor() const { return descriptor_; }

 private:
  InputFile() = default;
  int descriptor_ = -1;
};

/// Has \p request done, under the usual limits and with progress on the terminal.
absl::StatusOr<v1::Result> ask(Request request);

}  // namespace hone::client
