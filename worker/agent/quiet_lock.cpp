#include "worker/agent/quiet_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace hone::worker {

namespace {

// The places of the two locks in the file.
constexpr off_t kWanted = 0;
constexpr off_t kBusy = 1;
constexpr auto kWatchInterval = std::chrono::milliseconds(10);
constexpr int kTryMilliseconds = 3;

struct flock range(short type, off_t place) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = place;
  lock.l_len = 1;
  return lock;
}

bool take(int file, short type, off_t place) {
  struct flock lock = range(type, place);
  return fcntl(file, F_OFD_SETLK, &lock) == 0;
}

bool isTaken(int file, off_t place) {
  struct flock lock = range(F_RDLCK, place);
  return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

QuietLock::QuietLock(std::string path) : path_(std::move(path)), file_(openFile()) {
  if (!file_.isOpen()) {
    state_ = absl::UnavailableError(absl::StrCat("cannot open '", path_, "': ", strerror(errno)));
    return;
  }
  watcher_ = std::thread([this] { watch(); });
}

QuietLock::~QuietLock() {
  {
    const std::scoped_lock lock(mutex_);
    isEnding_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

Descriptor QuietLock::openFile() const {
  // First without O_CREAT: in folders like /tmp the kernel refuses it for files of other users.
  Descriptor file(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file.isOpen() && errno == ENOENT) {
    file = Descriptor(open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
    // Whatever our umask: the lock is everybody's.
    if (file.isOpen()) fchmod(file.get(), 0666);
    if (!file.isOpen() && errno == EEXIST) file = Descriptor(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  }
  return file;
}

bool QuietLock::isWanted() const { return file_.isOpen() && isTaken(file_.get(), kWanted); }

absl::StatusOr<QuietLock::Quiet> QuietLock::measure(const Cancellation &cancellation) {
  Descriptor file = openFile();
  if (!file.isOpen()) return Quiet(Descriptor());
  for (const off_t place : {kWanted, kBusy})
    while (!take(file.get(), F_WRLCK, place))
      if (cancellation.waitFor(kTryMilliseconds)) return absl::CancelledError("the lease is over");
  return Quiet(std::move(file));
}

QuietLock::Builder::Builder(QuietLock &lock, pid_t child) : lock_(lock), child_(child) {
  const std::scoped_lock guard(lock.mutex_);
  lock.children_.insert(child);
  if (lock.isPaused_) kill(child, SIGSTOP);
  lock.changed_.notify_all();
}

QuietLock::Builder::~Builder() {
  const std::scoped_lock guard(lock_.mutex_);
  lock_.children_.erase(child_);
  // Nobody else would wake it.
  if (lock_.isPaused_) kill(child_, SIGCONT);
  lock_.changed_.notify_all();
}

void QuietLock::signalAll(int signal) {
  for (const pid_t child : children_) kill(child, signal);
}

// While there are children, looks whether somebody wants quiet. Stopping the children comes before giving up the busy
// lock, taking it again before letting them go on.
void QuietLock::watch() {
  std::unique_lock lock(mutex_);
  while (!isEnding_) {
    if (children_.empty()) {
      take(file_.get(), F_UNLCK, kBusy);
      isBusy_ = isPaused_ = false;
      changed_.wait(lock, [this] { return isEnding_ || !children_.empty(); });
      continue;
    }
    if (isTaken(file_.get(), kWanted)) {
      signalAll(SIGSTOP);
      isPaused_ = true;
      take(file_.get(), F_UNLCK, kBusy);
      isBusy_ = false;
    } else if (!isBusy_) {
      isBusy_ = take(file_.get(), F_RDLCK, kBusy);
      if (isBusy_ && isPaused_) signalAll(SIGCONT);
      if (isBusy_) isPaused_ = false;
    }
    changed_.wait_for(lock, kWatchInterval, [this] { return isEnding_; });
  }
  if (isPaused_) signalAll(SIGCONT);
}

}  // namespace hone::worker
