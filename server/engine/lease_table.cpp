#include "server/engine/lease_table.h"

#include <algorithm>

namespace hone::server {

void LeaseTable::add(const Lease &lease) {
  remove(lease.task);
  leases_[lease.task] = lease;
  byWorker_.insert({lease.worker, lease.task});
  deadlines_.set(lease.task, std::min(lease.silentUntil, lease.workUntil));
}

std::optional<Lease> LeaseTable::remove(int64_t task) {
  const auto found = leases_.find(task);
  if (found == leases_.end()) return std::nullopt;
  Lease lease = std::move(found->second);
  leases_.erase(found);
  byWorker_.erase({lease.worker, task});
  deadlines_.clear(task);
  return lease;
}

const Lease *LeaseTable::find(int64_t task) const {
  const auto found = leases_.find(task);
  return found == leases_.end() ? nullptr : &found->second;
}

bool LeaseTable::renew(const std::string &worker, int64_t task, int64_t epoch, absl::Duration silentUntil) {
  const auto found = leases_.find(task);
  if (found == leases_.end() || found->second.epoch != epoch || found->second.worker != worker) return false;
  found->second.silentUntil = silentUntil;
  deadlines_.set(task, std::min(silentUntil, found->second.workUntil));
  return true;
}

void LeaseTable::standStill(int64_t task, absl::Duration total, absl::Duration now) {
  const auto found = leases_.find(task);
  if (found == leases_.end()) return;
  Lease &lease = found->second;
  // Nobody stood still for longer than we know of the lease.
  total = std::min(total, now - lease.granted);
  if (total <= lease.stoodStill) return;
  lease.workUntil += total - lease.stoodStill;
  lease.stoodStill = total;
  deadlines_.set(task, std::min(lease.silentUntil, lease.workUntil));
}

const Lease *LeaseTable::due(absl::Duration now) const {
  const std::optional<int64_t> task = deadlines_.due(now);
  return task ? find(*task) : nullptr;
}

std::vector<Lease> LeaseTable::of(const std::string &worker) const {
  std::vector<Lease> result;
  for (auto at = byWorker_.lower_bound({worker, INT64_MIN}); at != byWorker_.end() && at->first == worker; ++at) {
    result.push_back(*find(at->second));
  }
  return result;
}

std::vector<Lease> LeaseTable::all() const {
  std::vector<Lease> result;
  result.reserve(leases_.size());
  for (const auto &[worker, task] : byWorker_) result.push_back(*find(task));
  return result;
}

}  // namespace hone::server
