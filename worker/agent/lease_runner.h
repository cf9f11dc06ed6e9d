// One lease from its blobs to its result: fetches the inputs, has a child do the work, stores the outputs. Called on a
// thread of the lease; several leases at once. Owns nothing that is passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "hone/v1/fleet.pb.h"
#include "worker/agent/blobs.h"
#include "worker/agent/cancellation.h"
#include "worker/agent/child_pool.h"
#include "worker/agent/log.h"
#include "worker/agent/quiet_lock.h"

namespace hone::worker {

class LeaseRunner {
 public:
  struct Parts {
    Blobs *blobs;
    ChildPool *children;
    QuietLock *quiet;
    const Log *log;
    uint64_t childMemoryBytes;
    uint64_t childDiskBytes;
  };
  explicit LeaseRunner(Parts parts) : parts_(parts) {}

  /// Of a lease whose kind of work is known. Its result; none when it was cancelled: nobody wants one. \p deadline: of
  /// the work, by our clock.
  std::optional<v1::LeaseResult> run(const v1::Lease &lease, Deadline deadline, Cancellation &cancellation,
                                     const std::function<void(const v1::Progress &)> &progress) const;

 private:
  struct Files;
  /// \p errand: with the time by which the work may take longer, since it had to stand still.
  absl::Status work(const v1::Lease &lease, Errand errand, const std::function<void(const v1::Progress &)> &progress,
                    v1::LeaseResult &result) const;
  absl::StatusOr<Files> openFiles(const std::vector<v1::Digest> &inputs, const Errand &errand) const;
  absl::Status converse(const v1::Lease &lease, v1::Work &work, const Files &files, Errand &errand,
                        const std::function<void(const v1::Progress &)> &progress, v1::LeaseResult &result) const;
  static uint64_t bytesOf(const Files &files);
  bool isDiskFull() const;

  const Parts parts_;
};

}  // namespace hone::worker
