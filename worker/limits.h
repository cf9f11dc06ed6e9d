// What the worker denies itself before it reads anything from outside.
#pragma once

#include "absl/status/status.h"
#include "hone/v1/work.pb.h"

namespace hone::worker {

/// Applies \p limits to this process, which also leaves no core file (a core of gigabytes helps nobody: the client
/// keeps a reproducer) and dies with the process that started it.
absl::Status applyLimits(const v1::Limits &limits);

}  // namespace hone::worker
