// The child that does a lease's works, one after the other; a new one when it is gone or has misbehaved. It serves no
// other lease: it ends with this object. One thread; owns nothing that is passed in.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/failpoint.h"
#include "worker/agent/child_pool.h"
#include "worker/agent/quiet_lock.h"

namespace hone::worker {

class ServingChild {
 public:
  /// How a lease's works are done.
  struct Terms {
    const Cancellation &cancellation;
    std::function<void(const v1::Progress &)> progress;
    /// What each may take from its begin on, apart from the deadline.
    Deadline::duration most = Deadline::duration::max();
    bool isBuilder = false;
    /// Told now and then how long all works had to stand still, for who wants to measure.
    std::function<void(Deadline::duration)> stoodStill = [](Deadline::duration) {};
    /// Asked when the last work is done: whether it no longer matters what the child would still write, so that nobody
    /// has to wait for the end of its process. None: it does.
    std::function<bool()> isIndependent = nullptr;
    std::vector<int> files{};          ///< for each child, in the order of their numbers
    Failpoints *failpoints = nullptr;  ///< outlives the child
  };
  ServingChild(ChildPool &children, QuietLock &quiet, Terms terms)
      : children_(children), quiet_(quiet), terms_(std::move(terms)) {}

  /// Has \p work done. \p isLast: none follows. The time for which it had to stand still moves \p deadline. INTERNAL
  /// when no child can be started, or two in a row were gone before they began: that is not the work's fault.
  absl::StatusOr<ChildEnd> work(const v1::Work &work, bool isLast, Deadline &deadline);

  /// The end of what all its children wrote until now.
  const std::string &log() const { return log_; }

 private:
  absl::StatusOr<ChildEnd> attempt(const v1::Work &work, bool isLast, Deadline &deadline);
  ChildEnd finish();
  void leave();
  void tellStoodStill(Deadline::duration total);

  ChildPool &children_;
  QuietLock &quiet_;
  const Terms terms_;
  std::string log_;
  Deadline::duration stoodStill_{}, told_{};  ///< by all works that have ended; as was told
  std::unique_ptr<Child> child_;
  std::optional<QuietLock::Builder> builder_;  ///< while there is a child
};

}  // namespace hone::worker
