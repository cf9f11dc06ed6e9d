// The coordinator as a process: takes its data folder, puts its parts together, serves until it is told to end.
// Everything that happens once in a process (signals, children) happens here, on the thread that calls serve().
#pragma once

#include "absl/status/statusor.h"
#include "server/kinds/kinds.h"
#include "server/options.h"

namespace hone::server {

/// Returns the exit code when it has ended as it was told to, or why it could not serve. Signals: SIGTERM, SIGINT and
/// SIGHUP drain; the second one ends the process at once, with exit code 130. \p kinds: the work that people can ask
/// for.
absl::StatusOr<int> serve(Settings settings, const Kinds &kinds = serviceKinds());

}  // namespace hone::server
