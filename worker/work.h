// One Work done in this process.
#pragma once

#include <functional>

#include "hone/v1/work.pb.h"

namespace hone::worker {

/// Does \p work; \p progress is called from one thread at a time. Never throws: what goes wrong is in the result.
v1::Result doWork(const v1::Work &work, const std::function<void(const v1::Progress &)> &progress);

}  // namespace hone::worker
