#include "server/base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace hone::server {

absl::Duration SystemClock::monotonic() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

int64_t SystemClock::wallMicros() const { return absl::ToUnixMicros(absl::Now()); }

}  // namespace hone::server
