// hone-worker as people start it: reads the command line and the signals, runs an Agent, returns the exit code.
#pragma once

#include "worker/kinds/kinds.h"

namespace hone::worker {

/// \p kinds: that are offered to the coordinator. \p hasBuilder: whether this build can take the role of a builder.
int runAgent(int argc, char **argv, WorkKinds kinds, bool hasBuilder);

}  // namespace hone::worker
