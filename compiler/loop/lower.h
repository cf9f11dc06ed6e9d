// Lowering: (kernel, schedule) -> loop nests.
#pragma once

#include "absl/status/statusor.h"
#include "compiler/loop/loop_nest.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::loop {

/// The program of \p kernel in the order of \p schedule, which must be legal and already be the result of
/// schedule::parse (lowering sees nothing that the text does not say). \p kernel must carry the schedule's
/// packs and stores (schedule::applyPacks). Fails with UNIMPLEMENTED for what no loop nest can say yet.
absl::StatusOr<Kernel> lower(const tensor::Kernel &kernel, const schedule::Schedule &schedule);

}  // namespace hone::loop
