#include "common/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <utility>

#include "common/system_error.h"

namespace hone {

namespace {

absl::StatusOr<Descriptor> openLock(const std::filesystem::path &path) {
  return Descriptor::open(path, O_RDWR | O_CREAT | O_NOFOLLOW);
}

// 0, or the error.
int lock(const Descriptor &file, int how) {
  while (flock(file.get(), how) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

}  // namespace

absl::StatusOr<FileLock> FileLock::wait(const std::filesystem::path &path) {
  auto file = openLock(path);
  if (!file.ok()) return file.status();
  if (const int error = lock(*file, LOCK_EX); error != 0) return fileError("lock", path, error);
  return FileLock(*std::move(file));
}

absl::StatusOr<std::optional<FileLock>> FileLock::attempt(const std::filesystem::path &path) {
  auto file = openLock(path);
  if (!file.ok()) return file.status();
  const int error = lock(*file, LOCK_EX | LOCK_NB);
  if (error == EWOULDBLOCK) return std::optional<FileLock>();
  if (error != 0) return fileError("lock", path, error);
  return std::optional<FileLock>(FileLock(*std::move(file)));
}

}  // namespace hone
