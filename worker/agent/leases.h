// Which leases this worker has, and until when: the part of the agent that decides, without clock, threads or network.
// One thread.
//
// A lease runs, then its result waits for the coordinator's Ack; at any moment it may be dropped by the coordinator,
// and by nobody else: while that is out of reach the work goes on, and its result is offered when it is back. If
// somebody else has the work by then, the lease's epoch says so.
//
// Results of its items go in groups: while one is on its way, what ends meanwhile makes the next. They wait for an Ack
// of their own.
#pragma once

#include <cstdint>
#include <deque>
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
  /// Keeps the result of an item until it is acknowledged. False: the lease was dropped meanwhile.
  bool add(LeaseId lease, v1::ItemResult item);
  /// The items that are to be sent now, which are on their way from here on. None while others are, unless the lease's
  /// own result is there, which is to come after them: then there may be another group behind this one.
  std::optional<v1::LeaseItems> takeItems(LeaseId lease);
  /// These need not be kept any more.
  void forgetItems(const v1::Ack &ack);
  /// What was on its way is not: the connection broke.
  void unsendItems();

  /// Keeps the result until it is acknowledged. False: the lease was dropped meanwhile; nobody wants the result.
  bool finish(LeaseId lease, v1::LeaseResult result);
  /// How long its work had to stand still up to now, for who wants to measure.
  void standStill(LeaseId lease, absl::Duration total);
  /// Forgets a lease: acknowledged, revoked, dropped. False: it was not there.
  bool forget(LeaseId lease);

  /// The coordinator was heard at \p when.
  void confirm(absl::Duration when);
  /// Whether all that is left are results that came too late by \p now: a worker that wants to end need not wait.
  bool isHopeless(absl::Duration now) const;

  bool isEmpty() const { return leases_.empty(); }
  std::vector<v1::HeldLease> held() const;
  std::vector<LeaseId> ids() const;
  /// Results that wait for their Ack.
  std::vector<v1::LeaseResult> results() const;

 private:
  struct Lease {
    absl::Duration duration;
    absl::Duration confirmed;
    absl::Duration stoodStill{};
    std::optional<v1::LeaseResult> result{};
    std::deque<v1::ItemResult> waiting{};      ///< items to be sent
    std::map<int32_t, v1::ItemResult> sent{};  ///< items on their way, until their Ack
  };
  std::map<LeaseId, Lease> leases_;
};

}  // namespace hone::worker
