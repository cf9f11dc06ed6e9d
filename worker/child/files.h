// Reading and writing the files that the worker has inherited as open descriptors.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::worker {

/// Everything from the position of \p descriptor on. RESOURCE_EXHAUSTED for more than \p limit bytes, UNAVAILABLE when
/// it cannot be read.
absl::StatusOr<std::string> readAll(int descriptor, int64_t limit);

absl::Status writeAll(int descriptor, std::string_view bytes);

/// "cannot write WHAT: why". RESOURCE_EXHAUSTED for a file that is longer than this child may write, else UNAVAILABLE.
absl::Status cannotWrite(const char *what, int error);

/// A stream that writes to \p descriptor, which it does not own.
class DescriptorStream {
 public:
  explicit DescriptorStream(int descriptor);
  ~DescriptorStream();
  std::ostream &stream() { return stream_; }
  /// errno of the first write that failed; 0: none did.
  int error() const;

 private:
  class Buffer;
  std::unique_ptr<Buffer> buffer_;
  std::ostream stream_;
};

}  // namespace hone::worker
