// A file as memory that is only read: what of it is looked at takes memory, and may be forgotten again. Thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "compiler/graph/constant_bytes.h"

namespace hone::worker {

class MappedFile : public graph::SharedMemory {
 public:
  /// Maps the whole file and closes \p descriptor. UNAVAILABLE when it cannot be mapped. A file that becomes shorter
  /// later ends this process with SIGBUS once its end is read; who started it knows what that means.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> take(int descriptor);
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile() override;

  std::string_view bytes() const { return bytes_; }
  void letGo(std::string_view bytes) const override;

 private:
  explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}
  const std::string_view bytes_;
};

}  // namespace hone::worker
