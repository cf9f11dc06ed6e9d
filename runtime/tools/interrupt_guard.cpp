#include "runtime/tools/interrupt_guard.h"

#include <unistd.h>

#include <string_view>

namespace hone::runtime {
namespace {

constexpr unsigned kPatienceSeconds = 3;

/// A signal handler can reach nothing but a variable of this kind.
volatile sig_atomic_t interruptSeen = 0;

void noteInterrupt(int) {
  interruptSeen = 1;
  alarm(kPatienceSeconds);
}

void giveUp(int) {
  constexpr std::string_view kSentence = "error: interrupted\n";
  // Nobody is left to hear that it could not be said.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kSentence.data(), kSentence.size());
  _exit(kInterrupted);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interruptSeen = 0;
  struct sigaction action = {};
  action.sa_handler = noteInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &previous_[i]);
  action.sa_handler = giveUp;
  sigaction(SIGALRM, &action, &previousAlarm_);
}

InterruptGuard::~InterruptGuard() {
  alarm(0);
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &previous_[i], nullptr);
  sigaction(SIGALRM, &previousAlarm_, nullptr);
}

bool InterruptGuard::interrupted() const { return interruptSeen != 0; }

}  // namespace hone::runtime
