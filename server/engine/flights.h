// Single flight: which tasks wait for the same result, and whether somebody is working on it. Knows tasks by number and
// their work by specificationKey() without "fresh:". O(log n). Not thread-safe; a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"

namespace hone::server {

class Flights {
 public:
  /// \p task would take the result of equal work.
  void await(const std::string &work, int64_t task) { waiting_.insert({absl::HashOf(work), task}); }
  void leave(const std::string &work, int64_t task) { waiting_.erase({absl::HashOf(work), task}); }

  /// A lease on \p work begins, ends.
  void depart(const std::string &work) { ++flying_[work]; }
  void land(const std::string &work) {
    const auto found = flying_.find(work);
    if (found != flying_.end() && --found->second == 0) flying_.erase(found);
  }
  bool isFlying(const std::string &work) const { return flying_.contains(work); }

  /// Who waits, by number; among them may be, very rarely, a task with other work.
  std::vector<int64_t> waiting(const std::string &work) const {
    std::vector<int64_t> tasks;
    const size_t hash = absl::HashOf(work);
    for (auto at = waiting_.lower_bound({hash, INT64_MIN}); at != waiting_.end() && at->first == hash; ++at) {
      tasks.push_back(at->second);
    }
    return tasks;
  }

 private:
  absl::btree_set<std::pair<size_t, int64_t>> waiting_;  // hashes: a hundred thousand texts would be many bytes
  absl::flat_hash_map<std::string, int64_t> flying_;
};

}  // namespace hone::server
