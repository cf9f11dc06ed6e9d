// When what is due: one time per number. O(log n) each. Not thread-safe; a plain value.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace hone::server {

class Deadlines {
 public:
  /// Replaces the one that \p id has.
  void set(int64_t id, absl::Duration at) {
    clear(id);
    times_[id] = at;
    order_.insert({at, id});
  }

  void clear(int64_t id) {
    const auto found = times_.find(id);
    if (found == times_.end()) return;
    order_.erase({found->second, id});
    times_.erase(found);
  }

  /// Whose time is \p now or before, if anybody's: the earliest.
  std::optional<int64_t> due(absl::Duration now) const {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    return order_.begin()->second;
  }

  std::optional<absl::Duration> next() const {
    return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
  }

  std::optional<absl::Duration> of(int64_t id) const {
    const auto found = times_.find(id);
    return found == times_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  absl::btree_set<std::pair<absl::Duration, int64_t>> order_;
  absl::flat_hash_map<int64_t, absl::Duration> times_;
};

}  // namespace hone::server
