// What all work with artifacts has in common: files by their descriptors, flags, statuses of the runtime, cores that
// others wait for. Functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "hone/v1/work.pb.h"
#include "runtime/status.h"
#include "runtime/tools/run_options.h"
#include "runtime/tools/run_tool.h"

namespace hone::worker {

/// For the runtime, which opens it anew and maps the artifact: its parameters are not copied.
std::string pathOf(int descriptor);

/// FAILED_PRECONDITION, as a wrong usage of --\p name.
absl::Status checkFlag(const char *name, int64_t value, int64_t low, int64_t high);

runtime::FillMode fillModeOf(v1::Run::FillMode mode);

/// What is said to the runtime -> what is said to the person.
using Words = std::vector<std::pair<std::string, std::string>>;
/// The runtime's codes are the exit codes of hone, as are the outcomes.
absl::Status statusOf(const runtime::Status &status, const Words &words);

/// Builders get their turn between two runs. \p coreLockDescriptor: of the measurement, which was begun by who started
/// us; 0: nobody has to wait for it.
runtime::Rest restOf(int coreLockDescriptor);

}  // namespace hone::worker
