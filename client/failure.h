// Failure: how a command ends when it does not succeed: one sentence for the person, one code for the shell.
// The functions of this folder return absl::Status; exitCode() is the one place that maps its codes.
#pragma once

#include "absl/status/status.h"
#include "client/exit_code.h"

namespace hone::client {

/// INVALID_ARGUMENT: wrong usage. DATA_LOSS: input refused. NOT_FOUND, UNAVAILABLE: a file or device cannot be had.
/// PERMISSION_DENIED, CANCELLED (interrupted), INTERNAL (a defect): as they say. Anything else: the work failed.
ExitCode exitCode(const absl::Status &status);

/// Prints "error: <sentence>" to the standard error and returns the code.
int report(const absl::Status &status);

}  // namespace hone::client
