// Compiles a kernel with a schedule and runs it in this process: text round trip, legal, lower, code generation, link,
// dlopen, phases in order with the range split in pieces. What the tests compare with the interpreter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/host_tensor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::testing {

/// The Output buffers of \p kernel for \p arguments (Input and Parameter buffers in order). \p pieces: into how
/// many ranges each phase is split, run from the last to the first. Output bytes start as NaN patterns.
absl::StatusOr<std::vector<tensor::HostTensor>> execute(const tensor::Kernel &kernel,
                                                        const schedule::Schedule &schedule,
                                                        const TargetDescription &target,
                                                        const std::vector<tensor::HostTensor> &arguments,
                                                        int64_t pieces);

/// Runs \p kernel by \p schedule and compares with the interpreter; empty when they agree, else what differs,
/// with schedule and loop nest.
std::string checkAgainstInterpreter(const tensor::Kernel &kernel, const schedule::Schedule &schedule,
                                    const TargetDescription &target, uint64_t seed);

/// Whether this machine can run code for \p target.
bool canRun(const TargetDescription &target);

}  // namespace hone::testing
