// What a child's end means: a result, or a sentence about why there is none. Functions without state.
#pragma once

#include <string>

#include "hone/v1/work.pb.h"
#include "worker/agent/child.h"

namespace hone::worker {

/// The result of \p work, whose child ended so; \p code: what ran in it. A child that died is a failed piece of work:
/// WORK_FAILED for what ran out, DEFECT for a crash.
v1::Result resultOf(ChildEnd &end, const v1::Work &work, const char *code, double deadlineSeconds);

/// What a child wrote, as UTF-8: its end, no longer than it was.
std::string logOf(const std::string &written);

}  // namespace hone::worker
