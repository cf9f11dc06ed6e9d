// The program hone-server, but for the kinds of work that it takes. Called once in a process, on its main thread.
#pragma once

#include "server/kinds/kinds.h"

namespace hone::server {

/// Returns the exit code (docs/exit-codes.md). \p kinds outlives it.
int runProgram(int argc, char **argv, const Kinds &kinds);

}  // namespace hone::server
