// What one user may ask of the service at once. Not thread-safe; a plain value. How many of a user's tasks run at once
// is the task queue's business: they wait, nobody is refused.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"

namespace hone::server {

class Quotas {
 public:
  explicit Quotas(int64_t maxQueued) : maxQueued_(maxQueued) {}

  void queued(const std::string &user) { ++queued_[user]; }
  void unqueued(const std::string &user) {
    const auto found = queued_.find(user);
    if (found != queued_.end() && --found->second == 0) queued_.erase(found);
  }

  /// OK if \p user may submit one more job.
  absl::Status admit(const std::string &user) const {
    const auto found = queued_.find(user);
    const int64_t now = found == queued_.end() ? 0 : found->second;
    if (now < maxQueued_) return absl::OkStatus();
    return withDetail(absl::ResourceExhaustedError(
                          absl::StrCat("user '", user, "' has ", now, " jobs waiting, and may have ", maxQueued_,
                                       "; wait until some have begun, or cancel some with 'hone jobs cancel'")),
                      "QUOTA", "wait until some jobs have begun, or cancel some", absl::Seconds(10));
  }

 private:
  int64_t maxQueued_;
  absl::flat_hash_map<std::string, int64_t> queued_;
};

}  // namespace hone::server
