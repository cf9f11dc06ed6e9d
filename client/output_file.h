// A file that is written aside and takes its place only when it is whole: until commit(), what was there before
// stays, and without commit() nothing remains: where the file system can, the file has no name until then, so that not
// even kill -9 leaves it behind. Not thread-safe; owns its descriptor and its temporary file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/descriptor.h"

namespace hone::client {

class OutputFile {
 public:
  /// Prepares to replace \p path (through symbolic links). UNAVAILABLE when its folder cannot be written.
  static absl::StatusOr<OutputFile> create(const std::filesystem::path &path);
  /// One without a name, for this process alone: it is never committed, and gone when this object is. UNAVAILABLE when
  /// the folder of temporary files cannot be written.
  static absl::StatusOr<OutputFile> createTemporary();

  OutputFile(OutputFile &&other) noexcept;
  OutputFile &operator=(OutputFile &&) = delete;
  ~OutputFile();

  int descriptor() const { return file_.get(); }
  /// By which this process can open it, named or not.
  std::filesystem::path openPath() const;
  absl::Status write(std::string_view bytes);
  absl::Status commit();

 private:
  OutputFile() = default;
  /// Gives the file, which has none, a name beside path_.
  absl::Status name();

  Descriptor file_;
  bool nameless_ = false;
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty when it has no name, and when writing in place (a device or a pipe)
};

/// INVALID_ARGUMENT when one of \p outputs is one of \p inputs, by whatever spelling, and through links of either kind.
absl::Status checkOutputs(const std::vector<std::string> &outputs, const std::vector<std::string> &inputs);

/// create, write and commit in one.
absl::Status writeWholeFile(const std::filesystem::path &path, std::string_view bytes);

}  // namespace hone::client
