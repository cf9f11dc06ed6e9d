// Probe jobs: a kind of work that costs nothing, for tests of the engine and of the service. A job fans out, adds up
// what came back, and fans out again by the sum: what it ends with depends on every task and on the order of the
// rounds, but not on who did what when. Pure functions.
#pragma once

#include "server/kinds/kinds.h"
#include "tests/server/probe/number.h"

namespace hone::server::testing {

/// The kinds of the service, and probe.
const Kinds &kindsWithProbe();

using test::probeNumber;

/// What a probe job ends with, computed without a service.
int64_t probeSum(const v1::ProbeJob &job);

}  // namespace hone::server::testing
