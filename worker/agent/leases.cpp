#include "worker/agent/leases.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hone::worker {

bool LeaseBook::grant(LeaseId lease, absl::Duration duration, absl::Duration now) {
  return leases_.emplace(lease, Lease{.duration = duration, .confirmed = now}).second;
}

std::vector<LeaseId> LeaseBook::supersededBy(LeaseId lease) const {
  std::vector<LeaseId> older;
  for (auto entry = leases_.lower_bound({lease.task, std::numeric_limits<int64_t>::min()});
       entry != leases_.end() && entry->first < lease; ++entry)
    older.push_back(entry->first);
  return older;
}

bool LeaseBook::add(LeaseId lease, v1::ItemResult item) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return false;
  found->second.waiting.push_back(std::move(item));
  return true;
}

std::optional<v1::LeaseItems> LeaseBook::takeItems(LeaseId lease) {
  // A message has at most 4 MiB, and an item's part in it is much less than what is left.
  constexpr size_t kMostBytes = 1 << 20;
  const auto found = leases_.find(lease);
  if (found == leases_.end() || found->second.waiting.empty()) return std::nullopt;
  auto &[duration, confirmed, stoodStill, result, waiting, sent] = found->second;
  if (!sent.empty() && !result.has_value()) return std::nullopt;
  v1::LeaseItems group;
  group.set_task(lease.task);
  group.set_epoch(lease.epoch);
  for (size_t bytes = 0; !waiting.empty() && bytes < kMostBytes; waiting.pop_front()) {
    bytes += waiting.front().ByteSizeLong();
    *group.add_items() = waiting.front();
    sent[waiting.front().item()] = std::move(waiting.front());
  }
  return group;
}

void LeaseBook::forgetItems(const v1::Ack &ack) {
  const auto found = leases_.find({ack.task(), ack.epoch()});
  if (found == leases_.end()) return;
  for (const int32_t item : ack.items()) found->second.sent.erase(item);
}

void LeaseBook::unsendItems() {
  for (auto &[id, lease] : leases_) {
    for (auto item = lease.sent.rbegin(); item != lease.sent.rend(); ++item)
      lease.waiting.push_front(std::move(item->second));
    lease.sent.clear();
  }
}

bool LeaseBook::finish(LeaseId lease, v1::LeaseResult result) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return false;
  found->second.result = std::move(result);
  return true;
}

void LeaseBook::standStill(LeaseId lease, absl::Duration total) {
  if (const auto found = leases_.find(lease); found != leases_.end()) found->second.stoodStill = total;
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
    one.set_stood_still_seconds(absl::ToDoubleSeconds(lease.stoodStill));
  }
  return held;
}

std::vector<LeaseId> LeaseBook::ids() const {
  std::vector<LeaseId> ids;
  for (const auto &[id, lease] : leases_) ids.push_back(id);
  return ids;
}

std::vector<v1::LeaseResult> LeaseBook::results() const {
  std::vector<v1::LeaseResult> results;
  for (const auto &[id, lease] : leases_)
    if (lease.result.has_value()) results.push_back(*lease.result);
  return results;
}

}  // namespace hone::worker
