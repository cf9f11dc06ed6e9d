// How much of the machine the child allows itself, before it looks at the first byte from outside.
#pragma once

#include "absl/status/status.h"
#include "hone/v1/work.pb.h"

namespace hone::worker {

/// Applies \p limits to this process, for good. It also leaves no core file: a core of gigabytes helps nobody, who
/// started the child keeps what it worked on.
absl::Status applyLimits(const v1::Limits &limits);

}  // namespace hone::worker
