// One lease from its blobs to its result: fetches the inputs, has a child do the work, or its items one after the
// other, and stores the outputs. Called on a thread of the lease; several leases at once. Owns nothing that is passed
// in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/failpoint.h"
#include "hone/v1/fleet.pb.h"
#include "worker/agent/blobs.h"
#include "worker/agent/cancellation.h"
#include "worker/agent/child_pool.h"
#include "worker/agent/log.h"
#include "worker/agent/quiet_lock.h"
#include "worker/agent/serving_child.h"
#include "worker/kinds/kinds.h"

namespace hone::worker {

class LeaseRunner {
 public:
  struct Parts {
    WorkKinds kinds;
    Blobs *blobs;
    ChildPool *children;
    QuietLock *quiet;
    const Log *log;
    uint64_t childMemoryBytes;
    uint64_t childDiskBytes;
    Failpoints *failpoints;
  };
  explicit LeaseRunner(Parts parts) : parts_(parts) {}

  /// What is told of a lease while its work goes on.
  struct Listener {
    std::function<void(const v1::Progress &)> progress;
    std::function<void(v1::ItemResult)> itemEnded;
    /// How long it had to stand still up to now, altogether.
    std::function<void(Deadline::duration)> stoodStill;
  };
  /// Of a lease whose kind of work is known. Its result, after those of its items; none when it was cancelled: nobody
  /// wants one. \p deadline: of the work, by our clock.
  std::optional<v1::LeaseResult> run(const v1::Lease &lease, Deadline deadline, Cancellation &cancellation,
                                     const Listener &listener) const;

 private:
  struct Files;
  struct Order;
  absl::Status work(const v1::Lease &lease, Errand errand, const Listener &listener, v1::LeaseResult &result) const;
  absl::StatusOr<Files> openFiles(const std::vector<v1::Digest> &inputs, const Errand &errand) const;
  /// \p errand: gets the time by which the work may take longer, since it had to stand still.
  absl::Status converse(const v1::Lease &lease, Files &files, Errand &errand, const Listener &listener,
                        v1::LeaseResult &result) const;
  absl::Status doWhole(const Order &order, ServingChild &child, Errand &errand, v1::LeaseResult &result) const;
  absl::Status doItems(const Order &order, ServingChild &child, Errand &errand, const Listener &listener,
                       v1::LeaseResult &result) const;
  bool isIndependent(const Order &order, Files &files, const Errand &errand) const;
  v1::Limits limits(double seconds, uint64_t fileBytes) const;
  static uint64_t bytesOf(const Files &files);
  bool isDiskFull() const;

  const Parts parts_;
};

}  // namespace hone::worker
