#include "client/service/digest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/output_file.h"
#include "client/service/connection.h"
#include "client/service/folders.h"

namespace hone::client {

namespace {

constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kHexDigits = 64;
// The coarsest clock that file systems in use stamp with (FAT's) ticks every two seconds.
constexpr int64_t kSettledSeconds = 3;

int64_t nanoseconds(const timespec &time) { return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec; }

std::string identity(const struct stat &status) {
  return absl::StrCat(status.st_dev, " ", status.st_ino, " ", status.st_size, " ", nanoseconds(status.st_mtim), " ",
                      nanoseconds(status.st_ctim));
}

// One file for each inode, so that the cache does not grow with every change of a file.
std::string fileName(const struct stat &status) {
  return sha256Hex(absl::StrCat(status.st_dev, " ", status.st_ino)).substr(0, 32);
}

}  // namespace

std::optional<v1::Digest> DigestCache::find(int descriptor) const {
  struct stat status{};
  if (fstat(descriptor, &status) != 0) return std::nullopt;
  std::ifstream file(folder_ / fileName(status));
  std::string known, digest;
  if (!std::getline(file, known) || !std::getline(file, digest)) return std::nullopt;
  if (known != identity(status) || digest.size() != kHexDigits) return std::nullopt;
  v1::Digest found;
  found.set_sha256(digest);
  found.set_size_bytes(status.st_size);
  return found;
}

void DigestCache::remember(int descriptor, const v1::Digest &digest) const {
  struct stat status{};
  if (fstat(descriptor, &status) != 0 || status.st_size != digest.size_bytes()) return;
  if (time(nullptr) - std::max(status.st_ctim.tv_sec, status.st_mtim.tv_sec) < kSettledSeconds) return;
  // A cache that cannot be written costs time only.
  if (!makeFolder(folder_).ok()) return;
  writeWholeFile(folder_ / fileName(status), absl::StrCat(identity(status), "\n", digest.sha256(), "\n")).IgnoreError();
}

absl::StatusOr<v1::Digest> DigestCache::of(int descriptor, const Interrupts &interrupts) const {
  if (auto known = find(descriptor); known.has_value()) return *std::move(known);
  struct stat before{}, after{};
  fstat(descriptor, &before);
  Sha256 hash;
  std::vector<char> chunk(kChunkBytes);
  off_t position = 0;
  for (;;) {
    if (interrupts.raised()) return interrupted();
    const ssize_t count = pread(descriptor, chunk.data(), chunk.size(), position);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::UnavailableError(absl::StrCat("cannot read the file: ", strerror(errno)));
    if (count == 0) break;
    hash.append({chunk.data(), static_cast<size_t>(count)});
    position += count;
  }
  v1::Digest digest;
  digest.set_sha256(hash.finishAsHex());
  digest.set_size_bytes(position);
  if (fstat(descriptor, &after) == 0 && identity(before) == identity(after)) remember(descriptor, digest);
  return digest;
}

}  // namespace hone::client
