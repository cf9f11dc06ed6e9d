// Whether a peer keeps up a least rate while it is waited for; what the coordinator itself takes is no fault of the
// peer's. Judged over windows of one grace each, so that whoever is fast and then trickles is found out, too. A plain
// value: its owner has the lock.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace hone::server {

class LeastRate {
 public:
  LeastRate(int64_t bytesPerSecond, absl::Duration grace) : bytesPerSecond_(bytesPerSecond), grace_(grace) {}

  void beginWait(absl::Duration now) { since_ = now; }
  /// What was waited for has come, \p bytes of it.
  void endWait(absl::Duration now, int64_t bytes) {
    if (since_) waited_ += now - *since_;
    since_.reset();
    bytes_ += bytes;
  }

  /// While something is waited for: the window is over, and too little has come in it. Begins the next window.
  bool isTooSlow(absl::Duration now) {
    if (!since_) return false;
    const absl::Duration waited = waited_ + (now - *since_);
    if (waited < grace_) return false;
    const bool isSlow =
        static_cast<double>(bytes_) < static_cast<double>(bytesPerSecond_) * absl::ToDoubleSeconds(waited);
    waited_ = absl::ZeroDuration();
    since_ = now;
    bytes_ = 0;
    return isSlow;
  }

 private:
  const int64_t bytesPerSecond_;
  const absl::Duration grace_;
  std::optional<absl::Duration> since_;
  absl::Duration waited_;
  int64_t bytes_ = 0;
};

}  // namespace hone::server
