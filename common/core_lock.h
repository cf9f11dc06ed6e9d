// The agreement between what measures and what builds on one machine about its cores: one file, in which everybody who
// takes part marks cores. Marks are the kernel's locks (of open file descriptions, one byte for each core), so they end
// with whoever made them, however it ends, and nobody writes into the file or needs the right to.
//
//   Measurement   marks its cores as measured, waits until no builder is on them, measures, and lets go. Between two
//                 runs it rests if a builder has waited for long.
//   builder       marks the cores that it is on; leaves those that are measured; after a while marks that it waits for
//                 its turn (worker/agent/quiet_lock.h).
//
// docs/design/cores.md says why. A Measurement belongs to one thread at a time, and so does a CoreLock, but that any
// thread may look at what is marked.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>

#include "absl/status/statusor.h"
#include "common/core_set.h"
#include "common/descriptor.h"

namespace hone {

/// How long who waits for whom.
struct CoreTimes {
  std::chrono::milliseconds patience{2000};    ///< how long builders stand still before they ask for a turn
  std::chrono::milliseconds turn{1000};        ///< how long a turn is at least
  std::chrono::milliseconds force{5000};       ///< how long they stand still at a stretch, asked or not
  std::chrono::milliseconds departure{30000};  ///< after which a measurement no longer waits for them to leave
};

/// The file of this machine: /run/hone-worker/cores where the service has one, else one of this user's alone.
absl::StatusOr<std::filesystem::path> coreLockPath();

class CoreLock {
 public:
  enum class Mark { Measuring, Building, Waiting };

  /// Makes the file if it is not there. UNAVAILABLE when it cannot be opened, or everybody may write its folder.
  static absl::StatusOr<CoreLock> open(const std::filesystem::path &path);
  /// One that was opened by who started us: its marks are ours, too.
  explicit CoreLock(Descriptor file) : file_(std::move(file)) {}

  /// We mark \p cores, and no others.
  void mark(Mark mark, const CoreSet &cores) const;
  /// What others mark.
  CoreSet marked(Mark mark) const;
  /// Marks \p cores as measured, unless others measure on one of them, or builders wait for their turn.
  bool claim(const CoreSet &cores) const;

  int descriptor() const { return file_.get(); }

 private:
  Descriptor file_;
};

class Measurement {
 public:
  /// Sleeps; true when there is no point in waiting any longer.
  using Sleep = std::function<bool(std::chrono::milliseconds)>;

  /// Waits until \p cores are ours alone. CANCELLED when \p sleep ended it, UNAVAILABLE when builders did not leave.
  static absl::StatusOr<Measurement> begin(CoreLock lock, const CoreSet &cores, Sleep sleep, CoreTimes times = {});
  /// Goes on with one that who started us has begun.
  static Measurement resume(CoreLock lock, const CoreSet &cores, Sleep sleep) {
    return Measurement(std::move(lock), cores, std::move(sleep), {});
  }

  /// Between two runs: lets builders have their turn if they have waited for long. True if it did so, and what was in
  /// the caches no longer is.
  bool rest();

  int descriptor() const { return lock_.descriptor(); }

 private:
  Measurement(CoreLock lock, const CoreSet &cores, Sleep sleep, CoreTimes times)
      : lock_(std::move(lock)), cores_(cores), sleep_(std::move(sleep)), times_(times) {}
  absl::Status acquire();

  CoreLock lock_;
  CoreSet cores_;
  Sleep sleep_;
  CoreTimes times_;
  std::chrono::steady_clock::time_point lastLook_ = std::chrono::steady_clock::now();
};

}  // namespace hone
