// The command `hone run` for local artifacts, which is also the whole of `hone-run`. Uses the runtime by its public
// interface. One call at a time per process: it watches for SIGINT, SIGTERM and SIGHUP while it runs.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "runtime/status.h"
#include "runtime/tools/report.h"
#include "runtime/tools/run_options.h"

namespace hone::runtime {

/// Where a run's results go.
struct RunSinks {
  std::ostream &out;            ///< the report, as text or JSON
  std::ostream &err;            ///< notes and progress
  std::ostream *npz = nullptr;  ///< the outputs, besides RunOptions::outputs; null: not wanted
};

/// The command after its options are read. \p report holds what was printed. The status's code is 130 when interrupted.
Status runArtifact(const RunOptions &options, const RunSinks &sinks, RunReport &report);

/// Runs the command with \p arguments (without the program's name, which is \p program in the help). Results go to \p
/// out, one sentence "error: …" and progress to \p err. Returns the exit code: hone_status's values, or 130 when
/// interrupted.
int runTool(const std::string &program, const std::vector<std::string> &arguments, std::ostream &out,
            std::ostream &err);

}  // namespace hone::runtime
