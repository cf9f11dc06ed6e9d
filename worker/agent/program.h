// hone-worker as people start it: reads the command line and the signals, runs an Agent, returns the exit code.
#pragma once

namespace hone::worker {

/// \p hasCompiler: whether this build can take the role of a builder.
int runAgent(int argc, char **argv, bool hasCompiler);

}  // namespace hone::worker
