#include "common/core_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/system_error.h"
#include "common/user_folder.h"

namespace hone {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kTryInterval{3};
constexpr std::chrono::milliseconds kLookInterval{50};
// Made by the units of workers (RuntimeDirectory=): only root can make a folder there.
constexpr char kServiceFolder[] = "/run/hone-worker";

struct flock range(short type, CoreLock::Mark mark, size_t first, size_t count) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(static_cast<size_t>(mark) * kMostCores + first);
  lock.l_len = static_cast<off_t>(count);
  return lock;
}

// All of \p cores, in as few calls as there are ranges.
void apply(int file, short type, CoreLock::Mark mark, const CoreSet &cores) {
  for (size_t first = 0; first < kMostCores; ++first) {
    if (!cores[first]) continue;
    size_t end = first;
    while (end < kMostCores && cores[end]) ++end;
    struct flock lock = range(type, mark, first, end - first);
    fcntl(file, F_OFD_SETLK, &lock);
    first = end;
  }
}

}  // namespace

absl::StatusOr<fs::path> coreLockPath() {
  if (access(kServiceFolder, X_OK) == 0) return fs::path(kServiceFolder) / "cores";
  auto folder = temporaryFolderOfUser();
  if (!folder.ok()) return folder.status();
  return *folder / "cores";
}

absl::StatusOr<CoreLock> CoreLock::open(const fs::path &path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  struct stat status{};
  if (stat(folder.c_str(), &status) != 0) return fileError("look at", folder, errno);
  // Who may put another file, or a link, in its place would decide which file we open or make.
  if ((status.st_mode & S_IWOTH) != 0)
    return absl::UnavailableError(absl::StrCat("the folder '", folder.string(),
                                               "' may be written by everybody; the file that cores are marked in "
                                               "belongs into one that only its owner may write"));
  // To read is enough for marks, and then nobody can fill it.
  auto file = Descriptor::open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (absl::IsNotFound(file.status()))
    file = Descriptor::open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (!file.ok()) return file.status();
  return CoreLock(*std::move(file));
}

void CoreLock::mark(Mark mark, const CoreSet &cores) const {
  apply(file_.get(), F_RDLCK, mark, cores);
  apply(file_.get(), F_UNLCK, mark, ~cores);
}

CoreSet CoreLock::marked(Mark mark) const {
  CoreSet cores;
  const size_t base = static_cast<size_t>(mark) * kMostCores;
  // The kernel tells one of the locks in a range, not the first: what is on both sides of it is still to be asked for.
  std::vector<std::pair<size_t, size_t>> unknown = {{0, kMostCores}};
  while (!unknown.empty()) {
    const auto [first, end] = unknown.back();
    unknown.pop_back();
    // A lock for writing, which nobody takes, would collide with every mark.
    struct flock lock = range(F_WRLCK, mark, first, end - first);
    if (first >= end || fcntl(file_.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) continue;
    const auto start = static_cast<size_t>(lock.l_start);
    const size_t from = std::max(start, base + first) - base;
    const size_t to = lock.l_len == 0 ? end : std::min(start + static_cast<size_t>(lock.l_len) - base, end);
    for (size_t core = from; core < to; ++core) cores.set(core);
    unknown.emplace_back(first, from);
    unknown.emplace_back(to, end);
  }
  return cores;
}

bool CoreLock::claim(const CoreSet &cores) const {
  // Between the look and the mark nobody else may do the same.
  if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) return false;
  const bool isFree = ((marked(Mark::Measuring) | marked(Mark::Waiting)) & cores).none();
  if (isFree) mark(Mark::Measuring, cores);
  flock(file_.get(), LOCK_UN);
  return isFree;
}

absl::StatusOr<Measurement> Measurement::begin(CoreLock lock, const CoreSet &cores, Sleep sleep, CoreTimes times) {
  Measurement measurement(std::move(lock), cores, std::move(sleep), times);
  if (absl::Status status = measurement.acquire(); !status.ok()) return status;
  return measurement;
}

absl::Status Measurement::acquire() {
  using Mark = CoreLock::Mark;
  auto since = Clock::now();
  bool isClaimed = false;
  absl::Status status;
  while (status.ok()) {
    isClaimed = isClaimed || lock_.claim(cores_);
    if (isClaimed && (lock_.marked(Mark::Building) & cores_).none()) return absl::OkStatus();
    // For another measurement to end one waits as long as it takes.
    if ((lock_.marked(Mark::Measuring) & cores_).any()) since = Clock::now();
    if (Clock::now() - since > times_.departure)
      status = absl::UnavailableError(absl::StrCat("the builders of this machine have not left the cores within ",
                                                   times_.departure.count() / 1000, " seconds"));
    else if (sleep_(kTryInterval))
      status = absl::CancelledError("nobody waits for the measurement");
  }
  lock_.mark(Mark::Measuring, {});
  return status;
}

bool Measurement::rest() {
  const auto now = Clock::now();
  if (now - lastLook_ < kLookInterval) return false;
  lastLook_ = now;
  if ((lock_.marked(CoreLock::Mark::Waiting) & cores_).none()) return false;
  lock_.mark(CoreLock::Mark::Measuring, {});
  // What ended the wait ends what is measured, too.
  acquire().IgnoreError();
  return true;
}

}  // namespace hone
