#include "tests/server/disk/file_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>

namespace hone::server::testing {
namespace {

// Functions of the C library have no place for an argument of ours.
std::atomic<FileWatcher *> watching{nullptr};

template <typename... Arguments>
int64_t kernel(long number, Arguments... arguments) {
  const long result = syscall(number, arguments...);
  return result < 0 ? -errno : result;
}

std::string nameOf(int descriptor) {
  std::array<char, PATH_MAX> name{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const int64_t size = kernel(SYS_readlinkat, AT_FDCWD, link.c_str(), name.data(), name.size());
  return size < 0 ? std::string() : std::string(name.data(), static_cast<size_t>(size));
}

std::string nameIn(int folder, const char *path) {
  return folder == AT_FDCWD || *path == '/' ? std::string(path) : nameOf(folder) + "/" + path;
}

/// What the C library's function is to return; sets errno.
template <typename Describe>
int64_t pass(Describe describe, const std::function<int64_t()> &make) {
  FileWatcher *const watcher = watching.load(std::memory_order_acquire);
  const int64_t result = watcher == nullptr ? make() : watcher->around(describe(), make);
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

bool hasMode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

int openFile(int folder, const char *path, int flags, mode_t mode) {
  const auto describe = [&] {
    return FileCall{.kind = FileCall::Kind::Open, .path = nameIn(folder, path), .flags = flags};
  };
  return static_cast<int>(pass(describe, [&] { return kernel(SYS_openat, folder, path, flags, mode); }));
}

int sync(int descriptor, long number) {
  const auto describe = [&] {
    return FileCall{.kind = FileCall::Kind::Sync, .path = nameOf(descriptor), .descriptor = descriptor};
  };
  return static_cast<int>(pass(describe, [&] { return kernel(number, descriptor); }));
}

int resize(int descriptor, off_t size) {
  const auto describe = [&] {
    return FileCall{.kind = FileCall::Kind::Resize, .path = nameOf(descriptor), .descriptor = descriptor, .size = size};
  };
  return static_cast<int>(pass(describe, [&] { return kernel(SYS_ftruncate, descriptor, size); }));
}

FileCall describeWrite(int descriptor, const void *bytes, size_t size, int64_t offset) {
  return {.kind = FileCall::Kind::Write,
          .path = nameOf(descriptor),
          .descriptor = descriptor,
          .offset = offset,
          .bytes = {static_cast<const char *>(bytes), size}};
}

FileCall describeRead(int descriptor) {
  return {.kind = FileCall::Kind::Read, .path = nameOf(descriptor), .descriptor = descriptor};
}

ssize_t writeAt(int descriptor, const void *bytes, size_t size, off_t offset) {
  return pass([&] { return describeWrite(descriptor, bytes, size, offset); },
              [&] { return kernel(SYS_pwrite64, descriptor, bytes, size, offset); });
}

ssize_t readAt(int descriptor, void *room, size_t size, off_t offset) {
  return pass([&] { return describeRead(descriptor); },
              [&] { return kernel(SYS_pread64, descriptor, room, size, offset); });
}

int renameFile(int fromFolder, const char *from, int toFolder, const char *to) {
  const auto describe = [&] {
    return FileCall{.kind = FileCall::Kind::Rename, .path = nameIn(fromFolder, from), .other = nameIn(toFolder, to)};
  };
  return static_cast<int>(pass(describe, [&] { return kernel(SYS_renameat2, fromFolder, from, toFolder, to, 0); }));
}

int removeFile(int folder, const char *path, int flags) {
  const auto describe = [&] { return FileCall{.kind = FileCall::Kind::Remove, .path = nameIn(folder, path)}; };
  return static_cast<int>(pass(describe, [&] { return kernel(SYS_unlinkat, folder, path, flags); }));
}

int linkFile(int fromFolder, const char *from, int toFolder, const char *to, int flags) {
  const auto describe = [&] {
    return FileCall{.kind = FileCall::Kind::Link, .path = nameIn(fromFolder, from), .other = nameIn(toFolder, to)};
  };
  return static_cast<int>(pass(describe, [&] { return kernel(SYS_linkat, fromFolder, from, toFolder, to, flags); }));
}

/// The same name again, with O_CREAT and O_EXCL, as the C library makes one up.
int makeUnique(char *pattern, int flags, const char *function) {
  using Function = int (*)(char *, int);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, function));
  const auto describe = [&] {
    return FileCall{.kind = FileCall::Kind::Open, .path = pattern, .flags = flags | O_CREAT | O_EXCL | O_RDWR};
  };
  FileWatcher *const watcher = watching.load(std::memory_order_acquire);
  if (watcher == nullptr) return real(pattern, flags);
  // The name is settled first: a watcher sees the file under it.
  const int chosen = real(pattern, flags);
  if (chosen < 0) return chosen;
  kernel(SYS_close, chosen);
  kernel(SYS_unlinkat, AT_FDCWD, pattern, 0);
  return static_cast<int>(pass(describe, [&] {
    return kernel(SYS_openat, AT_FDCWD, pattern, flags | O_CREAT | O_EXCL | O_RDWR, S_IRUSR | S_IWUSR);
  }));
}

}  // namespace

WatchFiles::WatchFiles(FileWatcher &watcher) {
  EXPECT_EQ(watching.exchange(&watcher), nullptr) << "two watchers at once";
}

WatchFiles::~WatchFiles() { watching = nullptr; }

}  // namespace hone::server::testing

// ------------------------------------------------------------------------------------- in the place of the C library's

#define HONE_IN_PLACE __attribute__((visibility("default")))

namespace here = hone::server::testing;

extern "C" {

HONE_IN_PLACE int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = here::hasMode(flags) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return here::openFile(AT_FDCWD, path, flags, mode);
}
HONE_IN_PLACE int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = here::hasMode(flags) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return here::openFile(AT_FDCWD, path, flags, mode);
}
HONE_IN_PLACE int openat(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = here::hasMode(flags) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return here::openFile(folder, path, flags, mode);
}
HONE_IN_PLACE int mkostemp(char *pattern, int flags) { return here::makeUnique(pattern, flags, "mkostemp"); }
HONE_IN_PLACE int mkostemp64(char *pattern, int flags) { return here::makeUnique(pattern, flags, "mkostemp64"); }

HONE_IN_PLACE ssize_t read(int descriptor, void *room, size_t size) {
  return here::pass([&] { return here::describeRead(descriptor); },
                    [&] { return here::kernel(SYS_read, descriptor, room, size); });
}
HONE_IN_PLACE ssize_t pread(int descriptor, void *room, size_t size, off_t offset) {
  return here::readAt(descriptor, room, size, offset);
}
HONE_IN_PLACE ssize_t pread64(int descriptor, void *room, size_t size, off_t offset) {
  return here::readAt(descriptor, room, size, offset);
}
HONE_IN_PLACE ssize_t write(int descriptor, const void *bytes, size_t size) {
  const auto describe = [&] {
    return here::describeWrite(descriptor, bytes, size, here::kernel(SYS_lseek, descriptor, 0, SEEK_CUR));
  };
  return here::pass(describe, [&] { return here::kernel(SYS_write, descriptor, bytes, size); });
}
HONE_IN_PLACE ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  return here::writeAt(descriptor, bytes, size, offset);
}
HONE_IN_PLACE ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off_t offset) {
  return here::writeAt(descriptor, bytes, size, offset);
}
// What is watched takes the way through memory: there is no telling what this one copied.
HONE_IN_PLACE ssize_t copy_file_range(int from, off_t *fromOffset, int to, off_t *toOffset, size_t size,
                                      unsigned flags) {
  if (here::watching.load() != nullptr) {
    errno = EOPNOTSUPP;
    return -1;
  }
  const int64_t count = here::kernel(SYS_copy_file_range, from, fromOffset, to, toOffset, size, flags);
  if (count >= 0) return count;
  errno = static_cast<int>(-count);
  return -1;
}

HONE_IN_PLACE int ftruncate(int descriptor, off_t size) noexcept { return here::resize(descriptor, size); }
HONE_IN_PLACE int ftruncate64(int descriptor, off_t size) noexcept { return here::resize(descriptor, size); }
HONE_IN_PLACE int fsync(int descriptor) { return here::sync(descriptor, SYS_fsync); }
HONE_IN_PLACE int fdatasync(int descriptor) { return here::sync(descriptor, SYS_fdatasync); }

HONE_IN_PLACE int rename(const char *from, const char *to) noexcept {
  return here::renameFile(AT_FDCWD, from, AT_FDCWD, to);
}
HONE_IN_PLACE int unlink(const char *path) noexcept { return here::removeFile(AT_FDCWD, path, 0); }
HONE_IN_PLACE int unlinkat(int folder, const char *path, int flags) noexcept {
  return here::removeFile(folder, path, flags);
}
HONE_IN_PLACE int rmdir(const char *path) noexcept { return here::removeFile(AT_FDCWD, path, AT_REMOVEDIR); }
HONE_IN_PLACE int remove(const char *path) noexcept {
  const int result = here::removeFile(AT_FDCWD, path, 0);
  return result < 0 && errno == EISDIR ? here::removeFile(AT_FDCWD, path, AT_REMOVEDIR) : result;
}
HONE_IN_PLACE int link(const char *from, const char *to) noexcept {
  return here::linkFile(AT_FDCWD, from, AT_FDCWD, to, 0);
}
HONE_IN_PLACE int linkat(int fromFolder, const char *from, int toFolder, const char *to, int flags) noexcept {
  return here::linkFile(fromFolder, from, toFolder, to, flags);
}
HONE_IN_PLACE int mkdir(const char *path, mode_t mode) noexcept {
  const auto describe = [&] { return here::FileCall{.kind = here::FileCall::Kind::MakeFolder, .path = path}; };
  return static_cast<int>(here::pass(describe, [&] { return here::kernel(SYS_mkdirat, AT_FDCWD, path, mode); }));
}

}  // extern "C"
