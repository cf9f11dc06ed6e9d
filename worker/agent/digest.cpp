#include "worker/agent/digest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"

namespace hone::worker {

absl::StatusOr<v1::Digest> digestOf(int descriptor) {
  Sha256 hash;
  struct stat facts{};
  if (fstat(descriptor, &facts) != 0) facts.st_size = 0;
  std::vector<char> buffer(static_cast<size_t>(std::clamp<off_t>(facts.st_size, 1 << 12, 1 << 20)));
  off_t position = 0;
  for (;;) {
    const ssize_t count = pread(descriptor, buffer.data(), buffer.size(), position);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::InternalError(absl::StrCat("cannot read a file of this worker: ", strerror(errno)));
    if (count == 0) break;
    hash.append({buffer.data(), static_cast<size_t>(count)});
    position += count;
  }
  v1::Digest digest;
  digest.set_sha256(hash.finishAsHex());
  digest.set_size_bytes(position);
  return digest;
}

}  // namespace hone::worker
