// What the programs return to the shell. docs/exit-codes.md explains them to users.
#pragma once

namespace hone::client {

enum class ExitCode : int {
  Done = 0,
  Defect = 1,  ///< of hone
  WrongUsage = 2,
  InputRefused = 3,  ///< model, artifact, tensor, schedules
  WorkFailed = 4,
  Unavailable = 5,  ///< a file, device or server
  NotAllowed = 6,
  Interrupted = 130,
};

}  // namespace hone::client
