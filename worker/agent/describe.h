// What this worker is, for its Hello. Functions without state.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "hone/v1/work.pb.h"
#include "worker/agent/cancellation.h"
#include "worker/agent/child_pool.h"
#include "worker/agent/log.h"

namespace hone::worker {

/// The machine's target, as a child describes it: the first child, so it also shows that children can be started. Its
/// walls are written to the log.
absl::StatusOr<v1::TargetDescription> describeTarget(ChildPool &children, const Log &log, Cancellation &cancellation);

/// Names the code that this process has loaded, this program and its libraries: equal ids compile alike.
std::string buildId();

uint64_t physicalBytes();

}  // namespace hone::worker
