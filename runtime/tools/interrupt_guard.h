// Ending in order when somebody asks for it while the model runs. One object at a time per process, and one thread.
#pragma once

#include <signal.h>

#include <array>

namespace hone::runtime {

/// Exit code, and code of the status, of what was interrupted.
inline constexpr int kInterrupted = 130;

/// While it lives, the first signal that asks to end is noted, so that nothing half-written is left; a second one kills
/// as usual. A run that does not come back soon (a loop of the model may be endless) is not waited for.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard &) = delete;
  InterruptGuard &operator=(const InterruptGuard &) = delete;

  bool interrupted() const;

 private:
  static constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> previous_;
  struct sigaction previousAlarm_;
};

}  // namespace hone::runtime
