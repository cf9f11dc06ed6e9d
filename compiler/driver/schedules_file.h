// A schedules file: the schedules of several kernels as text that a person edits and gives back with --schedules.
//
//   # comment, to the end of the line
//   kernel conv_12
//   algorithm direct
//   conv   vector oc 16   registers x 7, oc 2   order n, oc/32, y | x/7 | ic, ky, kx
//
// A header line `kernel NAME`, then the schedule's lines up to the next header. Values only; thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hone::driver {

/// Text of the schedule by the kernel's name. Each text starts with as many line breaks as there are lines before it
/// in the file, so that the line numbers of schedule::parse are the file's.
/// INVALID_ARGUMENT for text before the first header, a header without a name and a name given twice.
absl::StatusOr<std::map<std::string, std::string>> parseSchedulesFile(std::string_view text);

/// The section of one kernel, as parseSchedulesFile reads it.
std::string schedulesFileSection(std::string_view kernel, std::string_view schedule);

}  // namespace hone::driver
