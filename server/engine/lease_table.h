// Who holds which task until when. Decides nothing about results (the store's epochs do): it knows when a lease is due,
// and what a worker holds. All O(log n). Not thread-safe; a plain value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "server/engine/deadlines.h"

namespace hone::server {

struct Lease {
  int64_t task = 0;
  int64_t epoch = 0;
  std::string worker;
  std::string key;  ///< of the queue, and so of the slot
  absl::Duration granted;
  int64_t grantedMicros = 0;
  absl::Duration silentUntil;  ///< a heartbeat moves it
  absl::Duration workUntil;    ///< what the worker stood still moves it
  absl::Duration stoodStill{};
  bool isInherited = false;  ///< granted by a coordinator before this one: whether it was sent is not known
};

class LeaseTable {
 public:
  void add(const Lease &lease);
  std::optional<Lease> remove(int64_t task);
  const Lease *find(int64_t task) const;

  /// A sign of life from \p worker. False: it does not hold this lease.
  bool renew(const std::string &worker, int64_t task, int64_t epoch, absl::Duration silentUntil);

  /// The work of a lease that is held had to stand still for \p total up to \p now.
  void standStill(int64_t task, absl::Duration total, absl::Duration now);

  /// The earliest lease whose time is over.
  const Lease *due(absl::Duration now) const;
  std::optional<absl::Duration> next() const { return deadlines_.next(); }

  std::vector<Lease> of(const std::string &worker) const;  ///< by task
  std::vector<Lease> all() const;                          ///< by worker and task
  int64_t size() const { return static_cast<int64_t>(leases_.size()); }

 private:
  absl::node_hash_map<int64_t, Lease> leases_;
  absl::btree_set<std::pair<std::string, int64_t>> byWorker_;
  Deadlines deadlines_;
};

}  // namespace hone::server
