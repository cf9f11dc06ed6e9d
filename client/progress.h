// One line on the terminal that says how far the work is: from the second on that it takes, and only where a
// person can see it. To a pipe only notes are written. Belongs to one thread.
#pragma once

#include <chrono>
#include <string>

#include "hone/v1/work.pb.h"

namespace hone::client {

class ProgressLine {
 public:
  /// Writes to the standard error if it is a terminal.
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine &) = delete;
  ProgressLine &operator=(const ProgressLine &) = delete;

  void update(const v1::Progress &progress);
  void show(std::string text);
  /// Worth a line of its own where nobody sees the others.
  void note(std::string text);
  /// Repaints; called now and then while nothing is reported.
  void tick();
  void clear();

 private:
  bool terminal_;
  bool painted_ = false;
  std::chrono::steady_clock::time_point start_;
  std::string text_;
};

}  // namespace hone::client
