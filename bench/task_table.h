// The table of tasks: how long their schedules take to build and to run, with weights from the caches and from memory,
// with one thread and with several. Prints to standard output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace hone::bench {

struct TaskOptions {
  std::string match;            ///< only tasks whose comment (hash, names of kernels) or text contains this
  std::string schedules;        ///< text of a schedules file; empty: none
  std::string target = "llvm";  ///< as hone compile takes it
  int threads = 0;              ///< of the second half of the rows; 0: one per CPU
  int rounds = 15;
  int points = 0;           ///< so many points of the space, too
  bool buildsOnly = false;  ///< measure nothing but how fast candidates are built
  uint64_t seed = 1;        ///< of data and points
};

/// INVALID_ARGUMENT: task, schedules or target cannot be read.
absl::Status printTaskTable(std::string_view tasks, const TaskOptions &options);

}  // namespace hone::bench
