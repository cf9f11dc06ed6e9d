// How much of the machine the child allows itself, before it looks at the first byte from outside.
#pragma once

#include "absl/status/status.h"
#include "hone/v1/work.pb.h"

namespace hone::worker {

/// Applies the limits of \p work to this process: those of the work until the next one's, and, with the \p isFirst one,
/// those of the process for good. It also leaves no core file: a core of gigabytes helps nobody, who started the child
/// keeps what it worked on.
absl::Status applyLimits(const v1::Work &work, bool isFirst);

}  // namespace hone::worker
