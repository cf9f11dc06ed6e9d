// A schedules file: the schedules of several kernels as text that a person edits and gives back with --schedules.
//
//   # comment, to the end of the line
//   kernel conv_12
//   algorithm direct
//   conv   vector oc 16   registers x 7, oc 2   order n, oc/32, y | x/7 | ic, ky, kx
//
//   task 7b0c…                      of all kernels of that task, in its names
//   algorithm direct
//   s0   vector d1 16 …
//
// A header line, then the schedule's lines up to the next header. Values only; thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hone::driver {

/// The text of each schedule, which starts with as many line breaks as there are lines before it in the file, so that
/// the line numbers of schedule::parse are the file's.
struct SchedulesFile {
  std::map<std::string, std::string> kernels;  ///< by the kernel's name
  std::map<std::string, std::string> tasks;    ///< by the task's SHA-256
};

/// INVALID_ARGUMENT for text before the first header, a header without a name, a task that is no SHA-256, and what is
/// given twice.
absl::StatusOr<SchedulesFile> parseSchedulesFile(std::string_view text);

/// The section of one kernel, or of one task, as parseSchedulesFile reads it.
std::string schedulesFileSection(std::string_view kernel, std::string_view schedule);
std::string taskSection(std::string_view task, std::string_view schedule);

}  // namespace hone::driver
