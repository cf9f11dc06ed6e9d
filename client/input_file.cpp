#include "client/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hone::client {

absl::StatusOr<InputFile> InputFile::open(const std::filesystem::path &path) {
  // Not blocking: a named pipe without a writer is refused below, not waited for.
  InputFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.descriptor() < 0)
    return absl::NotFoundError(absl::StrCat("cannot open '", path.string(), "': ", strerror(errno)));
  struct stat status{};
  if (fstat(file.descriptor(), &status) != 0 || !S_ISREG(status.st_mode))
    return absl::NotFoundError(absl::StrCat("cannot read '", path.string(), "': it is not a regular file"));
  return file;
}

absl::StatusOr<std::string> readWholeFile(const std::filesystem::path &path) {
  const InputFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string bytes;
  for (char block[1 << 16];;) {
    const ssize_t count = file.descriptor() < 0 ? -1 : read(file.descriptor(), block, sizeof block);
    if (count < 0 && errno == EINTR && file.descriptor() >= 0) continue;
    if (count < 0) return absl::NotFoundError(absl::StrCat("cannot read '", path.string(), "': ", strerror(errno)));
    if (count == 0) return bytes;
    bytes.append(block, static_cast<size_t>(count));
  }
}

}  // namespace hone::client
