// The command `hone run` for local artifacts, which is also the whole of `hone-run`. Uses the runtime by its public
// interface. One call at a time per process: it watches for SIGINT, SIGTERM and SIGHUP while it runs.
#pragma once

#include <chrono>
#include <functional>
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

/// Sleeps; true when the run was interrupted.
using Sleep = std::function<bool(std::chrono::milliseconds)>;
/// Called before the first run that is measured and between two, outside of what is measured: a place to wait until
/// the machine is quiet, and to let others work. True when they did, and what was in the caches no longer is.
using Rest = std::function<bool(const Sleep &sleep)>;

/// The command after its options are read. \p report holds what was printed. The status's code is 130 when interrupted.
Status runArtifact(const RunOptions &options, const RunSinks &sinks, RunReport &report, const Rest &rest = {});

/// Runs the command with \p arguments (without the program's name, which is \p program in the help). Results go to \p
/// out, one sentence "error: …" and progress to \p err. Returns the exit code: hone_status's values, or 130 when
/// interrupted.
int runTool(const std::string &program, const std::vector<std::string> &arguments, std::ostream &out, std::ostream &err,
            const Rest &rest = {});

}  // namespace hone::runtime
