// What a simulation does as a client: uploads one small blob, submits run jobs for it, and looks afterwards at what the
// coordinator says of every one of them. Blocks; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::bench {

/// What the coordinator's listing says.
struct Outcome {
  int64_t jobs = 0, succeeded = 0, attempts = 0;
  int64_t repeated = 0;  ///< ids that were listed twice
};

class Client {
 public:
  static std::unique_ptr<Client> connect(const std::string &address);
  virtual ~Client() = default;
  /// The artifact of all jobs; no worker looks at it.
  virtual absl::Status upload() = 0;
  /// Submits jobs numbered from \p first, \p atOnce at a time; retries nothing.
  virtual absl::Status submit(const std::string &key, int64_t first, int64_t count, int atOnce) = 0;
  /// Submits probe jobs of \p tasks tasks in all, each with \p items items.
  virtual absl::Status submitProbes(int64_t tasks, int32_t items) = 0;
  virtual absl::StatusOr<Outcome> outcome() = 0;
  /// Until the coordinator knows that \p worker is no longer attached.
  virtual absl::Status waitUntilGone(const std::string &worker) = 0;
};

}  // namespace hone::bench
