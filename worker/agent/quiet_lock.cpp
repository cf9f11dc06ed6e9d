#include "worker/agent/quiet_lock.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace hone::worker {

using Clock = std::chrono::steady_clock;
using Mark = CoreLock::Mark;

namespace {

constexpr auto kWatchInterval = std::chrono::milliseconds(10);

}  // namespace

QuietLock::QuietLock(const absl::StatusOr<std::filesystem::path> &path, const CoreSet &cores, CoreTimes times)
    : path_(path.ok() ? *path : ""), cores_(cores), measuredCores_(withSiblings(cores)), times_(times), taken_(cores) {
  auto file = path.ok() ? CoreLock::open(path_) : path.status();
  if (!file.ok()) {
    state_ = file.status();
    return;
  }
  file_.emplace(*std::move(file));
  watcher_ = std::thread([this] { watch(); });
}

QuietLock::~QuietLock() { stop(); }

void QuietLock::stop() {
  {
    const MutexLock lock(mutex_);
    isEnding_ = true;
  }
  changed_.notifyAll();
  if (watcher_.joinable()) watcher_.join();
}

bool QuietLock::isWanted() const { return file_.has_value() && (file_->marked(Mark::Measuring) & cores_).any(); }

absl::StatusOr<QuietLock::Quiet> QuietLock::measure(const Cancellation &cancellation) {
  if (!file_.has_value()) return Quiet();
  auto file = CoreLock::open(path_);
  if (!file.ok()) return Quiet();
  auto measurement = Measurement::begin(
      *std::move(file), measuredCores_,
      [&cancellation](std::chrono::milliseconds time) { return cancellation.waitFor(static_cast<int>(time.count())); },
      times_);
  if (!measurement.ok()) return measurement.status();
  return Quiet(*std::move(measurement));
}

QuietLock::Builder::Builder(QuietLock &lock, pid_t child) : lock_(lock), child_(child), lostBefore_(lock.add(child)) {}

QuietLock::Builder::~Builder() { lock_.remove(child_); }

QuietLock::Duration QuietLock::Builder::lost() const { return lock_.lost() - lostBefore_; }

QuietLock::Duration QuietLock::add(pid_t child) {
  const MutexLock lock(mutex_);
  const bool isFirst = children_.empty();
  children_.insert(child);
  // Before it begins: from here on a measurement sees that it is there.
  if (isFirst && file_.has_value()) occupy();
  if (taken_ != cores_) place(child);
  changed_.notifyAll();
  return lost_;
}

void QuietLock::remove(pid_t child) {
  const MutexLock lock(mutex_);
  children_.erase(child);
  // Nobody else would wake it.
  if (taken_.none()) kill(child, SIGCONT);
  changed_.notifyAll();
}

QuietLock::Duration QuietLock::lost() const {
  const MutexLock lock(mutex_);
  return lost_;
}

void QuietLock::place(pid_t child) const {
  if (taken_.none()) {
    kill(child, SIGSTOP);
    return;
  }
  moveProcess(child, taken_);
  kill(child, SIGCONT);
}

void QuietLock::placeAll() const {
  for (const pid_t child : children_) place(child);
}

// While there are children, looks whether somebody measures.
void QuietLock::watch() {
  const MutexLock lock(mutex_);
  auto last = Clock::now();
  while (!isEnding_) {
    if (children_.empty()) {
      forget();
      while (!isEnding_ && children_.empty()) changed_.wait(mutex_);
      last = Clock::now();
    }
    const auto now = Clock::now();
    look(now - last);
    last = now;
    const auto end = Clock::now() + kWatchInterval;
    while (!isEnding_ && changed_.waitUntil(mutex_, end)) continue;
  }
  taken_ = cores_;
  placeAll();
}

void QuietLock::look(Duration sinceLast) {
  const double lostPart = static_cast<double>((cores_ & ~taken_).count()) / static_cast<double>(cores_.count());
  lost_ += std::chrono::duration_cast<Duration>(lostPart * sinceLast);
  const bool isStill = taken_.none();
  if (isStill) {
    stoodStill_ += sinceLast;
    atAStretch_ += sinceLast;
  }
  const CoreSet measured = file_->marked(Mark::Measuring) & cores_;
  if (measured.none()) {
    occupy();
  } else if (isStill && atAStretch_ >= times_.force) {
    beginTurn();
  } else if (Clock::now() >= turnUntil_) {
    leave(measured);
  }
}

// Marks before it looks, as a measurement does: of two that come at once, at least one sees the other.
void QuietLock::occupy() {
  file_->mark(Mark::Building, cores_);
  if (const CoreSet measured = file_->marked(Mark::Measuring) & cores_; measured.any()) {
    leave(measured);
  } else if (isWaiting_) {
    beginTurn();
  } else if (taken_ != cores_) {
    taken_ = cores_;
    atAStretch_ = {};
    placeAll();
  }
}

// A turn lasts, whoever wants to measure meanwhile, and asked or not.
void QuietLock::beginTurn() {
  turnUntil_ = Clock::now() + times_.turn;
  stoodStill_ = atAStretch_ = {};
  taken_ = cores_;
  file_->mark(Mark::Building, cores_);
  placeAll();
  isWaiting_ = false;
  file_->mark(Mark::Waiting, {});
}

// The children are gone from there before the mark is.
void QuietLock::leave(const CoreSet &measured) {
  const CoreSet left = cores_ & ~measured;
  if (left != taken_) {
    taken_ = left;
    placeAll();
  }
  file_->mark(Mark::Building, taken_);
  if (taken_.any()) stoodStill_ = atAStretch_ = {};
  const bool waits = taken_.none() && stoodStill_ >= times_.patience;
  if (waits != isWaiting_) file_->mark(Mark::Waiting, waits ? cores_ : CoreSet());
  isWaiting_ = waits;
}

void QuietLock::forget() {
  for (const Mark mark : {Mark::Building, Mark::Waiting}) file_->mark(mark, {});
  taken_ = cores_;
  isWaiting_ = false;
  stoodStill_ = atAStretch_ = {};
  turnUntil_ = {};
}

}  // namespace hone::worker
