// Work done in a child: spawns hone-worker, hands it one Work, waits for its Result. The child may crash without
// harm: models are hostile, and LLVM aborts on defects of its own. One thread; nothing outlives the call.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/progress.h"
#include "hone/v1/work.pb.h"

namespace hone::client {

/// Numbers that the files have in the child; a Work names them.
inline constexpr int kInputDescriptor = 4;
inline constexpr int kOutputDescriptor = 5;

/// Files that the child inherits; -1 for none. Not owned.
struct WorkerFiles {
  int input = -1;
  int output = -1;
};

/// How the child ended.
struct WorkerEnd {
  std::optional<v1::Result> result;  ///< none: it died
  int waitStatus = 0;                ///< as waitpid gives it
  std::string phase;                 ///< the last one that it reported
  std::string log;                   ///< what it wrote to its standard output and error
};

/// CANCELLED when a signal (Ctrl-C) ended the wait: the child is dead then.
absl::StatusOr<WorkerEnd> runWorker(const std::filesystem::path &program, const v1::Work &work,
                                    const WorkerFiles &files, ProgressLine &progress);

}  // namespace hone::client
