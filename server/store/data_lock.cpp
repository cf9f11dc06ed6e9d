#include "server/store/data_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <optional>
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
  absl::StatusOr<std::optional<FileLock>> lock = FileLock::attempt(folder / "lock");
  if (!lock.ok()) return lock.status();
  if (!lock->has_value()) {
    const absl::StatusOr<Descriptor> held = Descriptor::open(folder / "lock", O_RDONLY);
    return absl::UnavailableError(absl::StrCat("the data folder '", folder.string(), "' is in use by ",
                                               held.ok() ? ownerOf(held->get()) : "another process", ": end it first"));
  }
  const std::string owner = absl::StrCat(getpid(), "\n");
  // If this fails, only the sentence of the next one suffers: a full disk must not keep a server from starting.
  if (ftruncate((*lock)->descriptor(), 0) == 0) [[maybe_unused]]
    const ssize_t written = pwrite((*lock)->descriptor(), owner.data(), owner.size(), 0);
  return DataLock(*std::move(*lock));
}

}  // namespace hone::server
