// What happens between one commit and the next: the changes of a group of commands, and what is to be said once they
// are durable. Used by the engine's thread only; does not own the store.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/store/store.h"

namespace hone::server {

class Group {
 public:
  explicit Group(Store *store) : store_(store) {}

  /// For a change: the first begins the transaction.
  absl::Status change() {
    ++changes_;
    if (changes_ > 1) return absl::OkStatus();
    return store_->begin();
  }
  int64_t changes() const { return changes_; }

  /// Said after the commit, in this order; never, if it fails.
  void after(std::function<void()> say) { after_.push_back({std::move(say), false}); }
  /// Said in its turn, or when the group has been undone: what does not depend on the store.
  void always(std::function<void()> say) { after_.push_back({std::move(say), true}); }
  /// Watchers of \p job are told after the commit.
  void touch(const std::string &job) { jobs_.insert(job); }
  const std::set<std::string> &touched() const { return jobs_; }

  absl::Status commit() { return changes_ == 0 ? absl::OkStatus() : store_->commit(); }
  void rollback() {
    if (changes_ > 0) store_->rollback();
    for (const Saying &each : after_) {
      if (each.isAlways) each.say();
    }
  }
  void say() {
    for (const Saying &each : after_) each.say();
  }

 private:
  struct Saying {
    std::function<void()> say;
    bool isAlways;
  };

  Store *store_;
  int64_t changes_ = 0;
  std::vector<Saying> after_;
  std::set<std::string> jobs_;
};

}  // namespace hone::server
