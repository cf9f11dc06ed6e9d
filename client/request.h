// Asking a worker: from a request to its result, with every way to fail as one sentence.
#pragma once

#include "absl/status/statusor.h"
#include "client/crash_report.h"
#include "client/input_file.h"

namespace hone::client {

/// Has \p request done, under the usual limits and with progress on the terminal.
absl::StatusOr<v1::Result> ask(Request request);

}  // namespace hone::client
