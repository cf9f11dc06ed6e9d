// bench, as a Kind does it (work.h). A function without state.
#pragma once

#include "worker/child/work.h"

namespace hone::worker {

absl::Status bench(const v1::Work &work, const ReportProgress &progress, Kept &, v1::Result &result);

}  // namespace hone::worker
