#include "server/store/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"

namespace hone::server {
namespace {

constexpr size_t kChunk = size_t{1} << 20;

/// Up to \p size bytes at \p offset of \p from appended to \p to, and how many it were; 0 at the end.
absl::StatusOr<int64_t> copyPiece(const Descriptor &from, const Descriptor &to, int64_t offset, std::vector<char> &room,
                                  bool &canShare, const std::filesystem::path &name) {
  if (canShare) {
    off_t source = offset;
    const ssize_t count = copy_file_range(from.get(), &source, to.get(), nullptr, room.size(), 0);
    if (count > 0) return count;
    // 0 is the end, but also what some file systems answer that cannot: the plain way below tells which.
    if (count < 0 && errno != EXDEV && errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS && errno != EPERM) {
      return fileError("copy", name, errno);
    }
    canShare = count == 0;
  }
  ssize_t count = 0;
  do {
    count = pread(from.get(), room.data(), room.size(), offset);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return fileError("read", name, errno);
  if (absl::Status status = writeAll(to, {room.data(), static_cast<size_t>(count)}, name); !status.ok()) return status;
  return count;
}

}  // namespace

absl::Status writeAll(const Descriptor &to, std::string_view bytes, const std::filesystem::path &file) {
  while (!bytes.empty()) {
    const ssize_t count = write(to.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fileError("write", file, errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status syncFile(const Descriptor &file, const std::filesystem::path &name) {
  return fsync(file.get()) == 0 ? absl::OkStatus() : fileError("sync", name, errno);
}

absl::Status syncFolder(const std::filesystem::path &folder) {
  absl::StatusOr<Descriptor> opened = Descriptor::open(folder, O_RDONLY | O_DIRECTORY);
  return opened.ok() ? syncFile(*opened, folder) : opened.status();
}

absl::Status renameFile(const std::filesystem::path &from, const std::filesystem::path &to) {
  return rename(from.c_str(), to.c_str()) == 0 ? absl::OkStatus() : fileError("rename", from, errno);
}

absl::Status makeFolders(const std::filesystem::path &folder) {
  std::error_code error;
  const bool isNew = std::filesystem::create_directories(folder, error);
  if (error) return fileError("make the folder", folder, error.value());
  // Models and results are for those whom the owner lets in later, not for whoever has an account.
  if (isNew && chmod(folder.c_str(), S_IRWXU) != 0) return fileError("close the folder to others", folder, errno);
  return absl::OkStatus();
}

absl::StatusOr<struct stat> statusOf(const Descriptor &file, const std::filesystem::path &name) {
  struct stat info{};
  if (fstat(file.get(), &info) != 0) return fileError("look at", name, errno);
  return info;
}

int64_t freeBytes(const std::filesystem::path &folder) {
  struct statvfs info{};
  if (statvfs(folder.c_str(), &info) != 0) return 0;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

absl::Status hashRest(const Descriptor &file, const std::filesystem::path &name, Sha256 &hash, int64_t &bytes) {
  std::vector<char> room(kChunk);
  for (;;) {
    const ssize_t count = read(file.get(), room.data(), room.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fileError("read", name, errno);
    if (count == 0) return absl::OkStatus();
    hash.append({room.data(), static_cast<size_t>(count)});
    bytes += count;
  }
}

absl::StatusOr<v1::Digest> digestOfFile(const std::filesystem::path &file) {
  absl::StatusOr<Descriptor> opened = Descriptor::open(file, O_RDONLY | O_NOFOLLOW);
  if (!opened.ok()) return opened.status();
  Sha256 hash;
  int64_t bytes = 0;
  if (absl::Status status = hashRest(*opened, file, hash, bytes); !status.ok()) return status;
  v1::Digest digest;
  digest.set_sha256(hash.finishAsHex());
  digest.set_size_bytes(bytes);
  return digest;
}

absl::StatusOr<v1::Digest> copyAndHash(const Descriptor &from, const Descriptor &to,
                                       const std::filesystem::path &name) {
  Sha256 hash;
  std::vector<char> room(kChunk);
  bool canShare = true;
  int64_t offset = 0;
  for (;;) {
    absl::StatusOr<int64_t> copied = copyPiece(from, to, offset, room, canShare, name);
    if (!copied.ok()) return copied.status();
    if (*copied == 0) break;
    // From the copy, while it is in the cache: what is hashed is what is there.
    for (int64_t done = 0; done < *copied;) {
      const ssize_t count = pread(to.get(), room.data(), static_cast<size_t>(*copied - done), offset + done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return fileError("read the copy of", name, count < 0 ? errno : EIO);
      hash.append({room.data(), static_cast<size_t>(count)});
      done += count;
    }
    offset += *copied;
  }
  v1::Digest digest;
  digest.set_sha256(hash.finishAsHex());
  digest.set_size_bytes(offset);
  return digest;
}

}  // namespace hone::server
