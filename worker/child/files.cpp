#include "worker/child/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <streambuf>

#include "absl/strings/str_cat.h"

namespace hone::worker {

namespace {
constexpr size_t kChunkBytes = 1 << 20;
}

absl::StatusOr<std::string> readAll(int descriptor, int64_t limit) {
  std::string bytes;
  struct stat status{};
  // Only a hint: a pipe has no size, and a file may grow.
  if (fstat(descriptor, &status) == 0 && status.st_size > 0)
    bytes.reserve(static_cast<size_t>(std::min<int64_t>(status.st_size, limit)) + 1);
  for (;;) {
    const size_t old = bytes.size();
    bytes.resize(std::max(std::min(bytes.capacity(), old + (kChunkBytes << 4)), old + kChunkBytes));
    const ssize_t count = read(descriptor, bytes.data() + old, bytes.size() - old);
    const int error = errno;
    bytes.resize(old + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && error == EINTR) continue;
    if (count < 0) return absl::UnavailableError(absl::StrCat("cannot read the file: ", strerror(error)));
    if (count == 0) return bytes;
    if (static_cast<int64_t>(bytes.size()) > limit)
      return absl::ResourceExhaustedError(absl::StrCat("the file is larger than the limit of ", limit, " bytes"));
  }
}

absl::Status writeAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannotWrite("the output", errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

// Unbuffered: what is written here are whole tensors.
class DescriptorStream::Buffer : public std::streambuf {
 public:
  explicit Buffer(int descriptor) : descriptor_(descriptor) {}
  int error() const { return error_; }

 private:
  std::streamsize xsputn(const char *bytes, std::streamsize count) override {
    std::streamsize done = 0;
    while (error_ == 0 && done < count) {
      const ssize_t written = write(descriptor_, bytes + done, static_cast<size_t>(count - done));
      if (written < 0 && errno != EINTR) error_ = errno;
      if (written > 0) done += written;
    }
    return done;
  }
  int_type overflow(int_type byte) override {
    const char value = traits_type::to_char_type(byte);
    return xsputn(&value, 1) == 1 ? byte : traits_type::eof();
  }

  int descriptor_;
  int error_ = 0;
};

DescriptorStream::DescriptorStream(int descriptor)
    : buffer_(std::make_unique<Buffer>(descriptor)), stream_(buffer_.get()) {}
DescriptorStream::~DescriptorStream() = default;
int DescriptorStream::error() const { return buffer_->error(); }

absl::Status cannotWrite(const char *what, int error) {
  const std::string sentence = absl::StrCat("cannot write ", what, ": ", strerror(error));
  // Everywhere the same, unlike a disk that is full.
  if (error == EFBIG)
    return absl::ResourceExhaustedError(absl::StrCat(sentence, "; the worker's --child-disk allows longer files"));
  return absl::UnavailableError(sentence);
}

}  // namespace hone::worker
