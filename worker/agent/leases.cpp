#include "worker/agent/leases.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hone::worker {

bool LeaseBook::grant(LeaseId lease, absl::Duration duration, absl::Duration now) {
  return leases_.emplace(lease, Lease{duration, now, std::nullopt}).second;
}

std::vector<LeaseId> LeaseBook::supersededBy(LeaseId lease) const {
  std::vector<LeaseId> older;
  for (auto entry = leases_.lower_bound({lease.task, std::numeric_limits<int64_t>::min()});
       entry != leases_.end() && entry->first < lease; ++entry)
    older.push_back(entry->first);
  return older;
}

bool LeaseBook::finish(LeaseId lease, v1::LeaseResult result) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return false;
  found->second.result = std::move(result);
  return true;
}

bool LeaseBook::forget(LeaseId lease) { return leases_.erase(lease) > 0; }

void LeaseBook::confirm(absl::Duration when) {
  for (auto &[id, lease] : leases_) lease.confirmed = std::max(lease.confirmed, when);
}

bool LeaseBook::isHopeless(absl::Duration now) const {
  return std::all_of(leases_.begin(), leases_.end(), [now](const auto &entry) {
    return entry.second.result.has_value() && entry.second.confirmed + entry.second.duration <= now;
  });
}

std::vector<v1::HeldLease> LeaseBook::held() const {
  std::vector<v1::HeldLease> held;
  for (const auto &[id, lease] : leases_) {
    v1::HeldLease &one = held.emplace_back();
    one.set_task(id.task);
    one.set_epoch(id.epoch);
  }
  return held;
}

std::vector<v1::LeaseResult> LeaseBook::results() const {
  std::vector<v1::LeaseResult> results;
  for (const auto &[id, lease] : leases_)
    if (lease.result.has_value()) results.push_back(*lease.result);
  return results;
}

}  // namespace hone::worker
