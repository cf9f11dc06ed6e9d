// `hone run` on a device of a coordinator. Values; functions without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/service/endpoint.h"
#include "client/service/job_run.h"

namespace hone::client {

/// The arguments of `hone run`, told apart: those about the coordinator, and those that a local run has too.
struct RunArguments {
  std::vector<std::string> local;
  ServerFlags server;
  std::string key;
  JobFlags job;
  bool isRemote = false;  ///< a coordinator or a key is named
  bool isHelp = false;
};

/// INVALID_ARGUMENT for a flag about the coordinator without its value.
absl::StatusOr<RunArguments> splitRunArguments(const std::vector<std::string> &arguments);

/// Prints what a local run prints, and writes the outputs.
absl::Status runRemotely(const RunArguments &arguments);

/// The part of the help about coordinators.
std::string remoteRunHelp();

}  // namespace hone::client
