// What programs that are a hone-worker have in common: the agent and its child are one program, told apart by its
// arguments. A function without state.
#pragma once

#include <vector>

#include "worker/child/work.h"
#include "worker/kinds/kinds.h"

namespace hone::worker {

/// What a program can do.
struct Abilities {
  WorkKinds kinds;          ///< of tasks, as the agent sees them
  std::vector<Kind> works;  ///< as its children do them
  bool hasBuilder = false;  ///< it may have the role of a builder
};

/// `--server ADDRESS`: attaches to a coordinator and takes leases (worker/agent). `--once --fd N` or `--serve --fd N`:
/// the process of a lease's work (worker/child), which does the works that arrive on the socket N and answers with
/// Reports (proto/hone/v1/work.proto); not for people. Returns the exit code, or ends the process with it.
int workerMain(int argc, char **argv, const Abilities &abilities);

}  // namespace hone::worker
