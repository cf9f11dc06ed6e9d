#include "server/store/data_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/store/file_io.h"

namespace hone::server {
namespace {

/// The process id that the owner wrote, for the sentence; "another process" when there is none to read.
std::string ownerOf(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t count = pread(descriptor, text.data(), text.size() - 1, 0);
  int owner = 0;
  if (count <= 0 || !absl::SimpleAtoi(text.data(), &owner)) return "another process";
  return absl::StrCat("process ", owner);
}

}  // namespace

absl::StatusOr<DataLock> DataLock::take(const std::filesystem::path &folder) {
  if (absl::Status status = makeFolders(folder); !status.ok()) return status;
  const std::filesystem::path file = folder / "lock";
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return fileError("open", file, errno);
  DataLock lock(descriptor);
  int code = 0;
  do {
    code = flock(descriptor, LOCK_EX | LOCK_NB);
  } while (code != 0 && errno == EINTR);
  if (code != 0 && errno == EWOULDBLOCK) {
    return absl::UnavailableError(
        absl::StrCat("the data folder '", folder.string(), "' is in use by ", ownerOf(descriptor), ": end it first"));
  }
  if (code != 0) return fileError("lock", file, errno);
  const std::string owner = absl::StrCat(getpid(), "\n");
  if (ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size())) {
    // Only the sentence of the next one suffers: a full disk must not keep a server from starting.
    return lock;
  }
  return lock;
}

DataLock::DataLock(DataLock &&other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

DataLock &DataLock::operator=(DataLock &&other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

DataLock::~DataLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace hone::server
