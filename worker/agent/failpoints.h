// The worker's failpoints. Constants.
#pragma once

#include <string_view>

#include "common/failpoint.h"

namespace hone::worker {

/// Every place before or after something is done for a lease, for tests that visit each once.
inline constexpr std::string_view kFailpoints[] = {
    "worker.lease.received", "worker.child.before",  "worker.child.begun", "worker.child.ended",
    "worker.upload.middle",  "worker.upload.stored", "worker.result.sent", "worker.ack.received",
};

}  // namespace hone::worker
