// What an artifact says of itself, as text. Loads no code. Functions without state.
#pragma once

#include <string>

#include "compiler/artifact/artifact.h"

namespace hone::driver {

/// For people: target, inputs, outputs, memory, sizes, digests, calls, kernels with their schedules.
std::string inspectText(const artifact::Artifact &artifact);

/// The same for programs: {"identity", "members": {name: {"bytes", "sha256"}}, "mod": mod.json as it is}.
std::string inspectJson(const artifact::Artifact &artifact);

/// A schedules file (schedules_file.h) of all kernels: compiling the model with it gives the same artifact.
std::string inspectSchedules(const artifact::Artifact &artifact);

/// The same by task, in the names of the tasks; empty for artifacts before there were tasks.
std::string inspectTaskSchedules(const artifact::Artifact &artifact);

}  // namespace hone::driver
