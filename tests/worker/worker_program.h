// hone-worker as a process of its own, started as a person starts it. Killed with this object.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace hone::test {

class WorkerProgram {
 public:
  /// \p folder: for its data and its log. \p isLight: the program without the compiler.
  WorkerProgram(std::string folder, const std::string &server, std::vector<std::string> more = {}, bool isLight = true);
  ~WorkerProgram();
  pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// The exit code, or 1000 + the signal; none when it goes on for too long.
  std::optional<int> wait(double seconds = 60);
  std::string log() const;
  /// Names in the place for work in progress.
  std::vector<std::string> litter() const;
  /// Processes that it has started and that live.
  std::vector<pid_t> children() const;

 private:
  std::string folder_;
  pid_t pid_ = -1;
};

/// Waits until \p holds, generously; false when it never did.
template <typename Condition>
bool eventually(const Condition &holds);

/// Runs a program to its end; {exit code, standard error}.
std::pair<int, std::string> runProgram(const std::vector<std::string> &arguments);

}  // namespace hone::test

#include <chrono>
#include <thread>

template <typename Condition>
bool hone::test::eventually(const Condition &holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}
