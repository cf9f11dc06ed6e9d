// What `hone compile`, `hone run` and `hone bench` do with a coordinator: bring the files there, submit, watch, bring
// the result back.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "client/service/connection.h"
#include "client/service/transfer.h"
#include "hone/v1/jobs.pb.h"

namespace hone::client {

class CommandLine;

struct JobFlags {
  int priority = 0;
  uint32_t deadlineSeconds = 0;
  std::string label;
  bool detach = false;
};

/// Adds --priority, --deadline, --label and --detach.
void declareJobFlags(CommandLine &line, JobFlags &flags);

struct JobPlan {
  /// Brings the files to the server and says what is to be done with them.
  std::function<absl::StatusOr<v1::JobSpec>(Transfer &)> prepare;
  /// Takes home what a job that succeeded has made.
  std::function<absl::Status(const v1::Job &, Transfer &)> deliver;
  /// A job that failed: the error to report, for which endOf() is enough in most cases.
  std::function<absl::Status(const v1::Job &)> explain;
};

/// CANCELLED after Ctrl-C, with a sentence that says how to go on.
absl::Status runJob(Connection &connection, const JobPlan &plan, const JobFlags &flags);

/// What the last attempt at a job wrote, for error reports; empty when the server does not tell.
std::string lastLog(Connection &connection, const std::string &job);

}  // namespace hone::client
