// A compilation as a job of a coordinator: what is sent, and what its failure means. Refers to its options, which must
// outlive it; used from one thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/request.h"
#include "client/service/connection.h"
#include "client/service/transfer.h"
#include "hone/v1/jobs.pb.h"
#include "hone/v1/work.pb.h"

namespace hone::client {

/// Where the files would be that \p model, at \p path, names as those of its tensors' data; none of them is opened.
absl::StatusOr<std::vector<std::string>> dataFilePaths(const std::string &path, const InputFile &model);

struct CompileJob {
  const std::string &path;  ///< of the model, for messages
  const InputFile &model;
  const v1::Compile &options;                   ///< with the target's description
  const std::vector<std::string> &commandLine;  ///< for reproducers
  bool skipCache = false;

  /// Brings the model to the server, with the files beside it in which its tensors keep their data.
  absl::StatusOr<v1::JobSpec> specify(Transfer &transfer) const;
  /// The error for a \p job that failed; keeps a reproducer of a defect.
  absl::Status explain(const v1::Job &job, Connection &connection) const;

 private:
  absl::Status bringDataFiles(Transfer &transfer, v1::CompileJob &job) const;
};

}  // namespace hone::client
