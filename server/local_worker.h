// The private coordinator's worker: a child process, started again when it dies, a little later each time. It ends with
// the coordinator, however that ends. One thread: the kernel ends the child with the thread that started it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log.h"

namespace hone::server {

/// hone-worker, beside this program or in libexec/hone beside that folder. UNAVAILABLE when it is not there.
absl::StatusOr<std::filesystem::path> findWorkerProgram();

class LocalWorker {
 public:
  LocalWorker(std::vector<std::string> command, const Clock &clock, const Log &log);
  ~LocalWorker();  ///< asks it to end, then ends it
  LocalWorker(const LocalWorker &) = delete;
  LocalWorker &operator=(const LocalWorker &) = delete;

  /// Buries it if it has died, and starts it when it is time. Call it several times a second.
  void supervise();

 private:
  void start();

  const std::vector<std::string> command_;
  const Clock &clock_;
  const Log &log_;
  pid_t pid_ = -1;
  absl::Duration startedAt_;
  absl::Duration nextStart_;
  absl::Duration pause_;
};

}  // namespace hone::server
