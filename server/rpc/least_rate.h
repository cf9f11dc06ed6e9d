// Whether a peer keeps up a least rate while it is waited for; what the coordinator itself takes is no fault of the
// peer's. Judged over windows of one grace each, so that whoever is fast and then trickles is found out, too. Of a
// message that is on its way it is not known how far it is: as far as the least rate brings it, until it should be
// there. A plain value: its owner has the lock.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace hone::server {

class LeastRate {
 public:
  LeastRate(int64_t bytesPerSecond, absl::Duration grace) : bytesPerSecond_(bytesPerSecond), grace_(grace) {}

  /// \p most: the bytes that the message may have which is waited for.
  void beginWait(absl::Duration now, int64_t most) {
    since_ = began_ = now;
    most_ = most;
  }
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
    const auto atLeastRate = [this](absl::Duration time) {
      return static_cast<double>(bytesPerSecond_) * absl::ToDoubleSeconds(time);
    };
    const double coming = atLeastRate(now - began_);
    const bool isLate = coming > static_cast<double>(most_);
    const bool isSlow = static_cast<double>(bytes_) + (isLate ? 0 : coming) < atLeastRate(waited);
    waited_ = absl::ZeroDuration();
    since_ = now;
    bytes_ = 0;
    return isSlow;
  }

 private:
  const int64_t bytesPerSecond_;
  const absl::Duration grace_;
  std::optional<absl::Duration> since_;
  absl::Duration began_;   ///< to wait for the message, whatever the window
  absl::Duration waited_;  ///< in this window, before since_
  int64_t bytes_ = 0, most_ = 0;
};

}  // namespace hone::server
