// Time, handed in: durations are decided by the monotonic part, the wall part is for people. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace hone::server {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Since some fixed point of this process's life; never goes back.
  virtual absl::Duration monotonic() const = 0;
  /// Unix time in microseconds.
  virtual int64_t wallMicros() const = 0;
};

/// The machine's clocks.
class SystemClock : public Clock {
 public:
  absl::Duration monotonic() const override;
  int64_t wallMicros() const override;
};

}  // namespace hone::server
