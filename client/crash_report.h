// What is kept when hone-worker has met a defect, so that somebody else can see it too.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/worker_process.h"
#include "hone/v1/work.pb.h"

namespace hone::client {

/// What was asked for.
struct Request {
  v1::Work work;
  WorkerFiles files;
  std::string subject;               ///< the file that it is about, for messages; may be empty
  std::vector<std::string> command;  ///< the command line
};

/// The error for a child that died, or whose result is a defect. For a defect, saves log, input and command in a new
/// folder under $XDG_STATE_HOME/hone (else ~/.local/state/hone, else the folder for temporary files) and names it.
absl::Status explainDeath(const Request &request, const WorkerEnd &end);

}  // namespace hone::client
