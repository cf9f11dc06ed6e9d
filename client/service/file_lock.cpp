#include "client/service/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

absl::Status cannotLock(const fs::path &path) {
  return absl::UnavailableError(absl::StrCat("cannot lock '", path.string(), "': ", strerror(errno)));
}

int openLock(const fs::path &path) { return open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); }

}  // namespace

absl::StatusOr<FileLock> FileLock::wait(const fs::path &path) {
  FileLock lock(openLock(path));
  if (lock.descriptor_ < 0) return cannotLock(path);
  while (flock(lock.descriptor_, LOCK_EX) != 0)
    if (errno != EINTR) return cannotLock(path);
  return lock;
}

absl::StatusOr<std::optional<FileLock>> FileLock::attempt(const fs::path &path) {
  FileLock lock(openLock(path));
  if (lock.descriptor_ < 0) return cannotLock(path);
  if (flock(lock.descriptor_, LOCK_EX | LOCK_NB) == 0) return std::optional<FileLock>(std::move(lock));
  if (errno == EWOULDBLOCK) return std::optional<FileLock>();
  return cannotLock(path);
}

FileLock::FileLock(FileLock &&other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock &FileLock::operator=(FileLock &&other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace hone::client
