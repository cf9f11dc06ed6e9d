// Probe tasks, as a worker does them: the coordinator's side is tests/server/probe. Functions without state.
#pragma once

#include "worker/child/work.h"
#include "worker/kinds/kinds.h"

namespace hone::test {

/// What each item may take; less where one of them hangs, which is waited for.
inline constexpr double kProbeItemSeconds = 60;
inline constexpr double kHangingItemSeconds = 4;

extern const worker::WorkKind kProbe;

/// Each is told on standard error: "process P work W item I cpu SOFT of HARD", with W counted by what is kept in the
/// child.
absl::Status probe(const v1::Work &work, const worker::ReportProgress &progress, worker::Kept &kept,
                   v1::Result &result);

}  // namespace hone::test
