// hone-worker as a process of its own, started as a person starts it. Killed with this object.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace hone::test {

class WorkerProgram {
 public:
  /// \p folder: for its data and its log. The default is the program without the compiler.
  WorkerProgram(std::string folder, const std::string &server, std::vector<std::string> more = {},
                const std::string &program = HONE_TEST_LIGHT_WORKER);
  ~WorkerProgram();
  pid_t pid() const { return pid_; }
  void signal(int number) const;
  bool isRunning() const;
  /// The exit code, or 1000 + the signal; none when it goes on for \p seconds, or with nothing to do.
  std::optional<int> wait(double seconds = 0);
  std::string log() const;
  /// Names in the place for work in progress.
  std::vector<std::string> litter() const;
  /// Processes that it has started and that live.
  std::vector<pid_t> children() const;
  /// Whether a thread of it, or of its children, runs or would run if a processor were free.
  bool isBusy(bool withChildren) const;

 private:
  std::string folder_;
  pid_t pid_ = -1;
};

/// Waits until \p holds; false when it did not in time.
template <typename Condition>
bool eventually(const Condition &holds);

/// Runs a program to its end; {exit code, standard error}.
std::pair<int, std::string> runProgram(const std::vector<std::string> &arguments);

}  // namespace hone::test

#include <chrono>
#include <thread>

#include "tests/support/patience.h"

template <typename Condition>
bool hone::test::eventually(const Condition &holds) {
  constexpr auto kPause = std::chrono::milliseconds(10);
  // In turns, each of which takes longer where there is much else to do.
  for (auto turns = patience() / kPause; !holds(); --turns) {
    if (turns == 0) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}
