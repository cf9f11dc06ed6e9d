// Which leases this worker has, and until when: the part of the agent that decides, without clock, threads or network.
// One thread.
//
// A lease runs, then its result waits for the coordinator's Ack; at any moment it may be dropped by the coordinator. A
// running lease whose coordinator was out of reach for longer than the lease's duration is over: somebody else may have
// it by now.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "hone/v1/fleet.pb.h"

namespace hone::worker {

struct LeaseId {
  int64_t task = 0;
  int64_t epoch = 0;
  auto operator<=>(const LeaseId &) const = default;
};

class LeaseBook {
 public:
  /// \p now: some monotonic time. False: it is known already (a repeated message).
  bool grant(LeaseId lease, absl::Duration duration, absl::Duration now);
  /// Older leases of the same task: no longer ours, as there is a newer one.
  std::vector<LeaseId> supersededBy(LeaseId lease) const;
  /// Keeps the result until it is acknowledged. False: the lease was dropped meanwhile; nobody wants the result.
  bool finish(LeaseId lease, v1::LeaseResult result);
  /// Forgets a lease: acknowledged, revoked, dropped, expired. False: it was not there.
  bool forget(LeaseId lease);

  /// The coordinator has answered what was sent at \p when: until then it knew that we live.
  void confirm(absl::Duration when);
  /// Running leases that are over at \p now. Results are not among them: they are kept until the coordinator is back.
  std::vector<LeaseId> expired(absl::Duration now) const;
  /// When the next one could be; none without running leases.
  std::optional<absl::Duration> nextExpiry() const;
  /// Whether all that is left are results that came too late by \p now: a worker that wants to end need not wait.
  bool isHopeless(absl::Duration now) const;

  bool isEmpty() const { return leases_.empty(); }
  std::vector<v1::HeldLease> held() const;
  /// Results that wait for their Ack.
  std::vector<v1::LeaseResult> results() const;

 private:
  struct Lease {
    absl::Duration duration;
    absl::Duration confirmed;
    std::optional<v1::LeaseResult> result;
  };
  std::map<LeaseId, Lease> leases_;
};

}  // namespace hone::worker
