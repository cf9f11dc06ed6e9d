// What follows when work comes back without a result: a table. docs/operators-guide.md shows it. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "server/store/store.h"

namespace hone::server {

/// A way in which work comes back.
struct ComesBack {
  AttemptEnd end;     ///< as the list of attempts shows it
  bool blamesWorker;  ///< it counts towards holding the worker back
  bool pausesWork;    ///< the next attempt waits, longer each time
  bool avoidsWorker;  ///< the next attempt is another worker's, if there is one
};

/// It was granted by a coordinator before this one, and may never have been sent.
inline constexpr ComesBack kNeverSent = {AttemptEnd::Lost, false, false, false};
/// The worker came back without it: it was restarted.
inline constexpr ComesBack kForgotten = {AttemptEnd::Returned, false, false, false};
/// No heartbeat named it for the length of a lease, or it went on for too long. That was pause enough.
inline constexpr ComesBack kExpired = {AttemptEnd::Expired, false, false, true};
/// The worker says that it cannot do it, or its result names what is not there.
inline constexpr ComesBack kGivenBack = {AttemptEnd::Returned, true, true, true};

/// Before the next attempt of work that has come back so often, the first time as 1.
inline absl::Duration pauseAfter(int32_t attempts) {
  constexpr std::array<int, 4> kSeconds = {1, 5, 20, 60};
  const auto step = static_cast<size_t>(attempts < 1 ? 0 : attempts - 1);
  return absl::Seconds(kSeconds[step < kSeconds.size() ? step : kSeconds.size() - 1]);
}

/// How long a worker gets no lease that has given back so much in a row; zero: it goes on. After the pause it is given
/// one lease, and a success ends the count.
inline absl::Duration heldBackAfter(int32_t inARow) {
  constexpr std::array<int, 5> kSeconds = {0, 5, 20, 60, 300};
  const auto step = static_cast<size_t>(inARow < 1 ? 0 : inARow - 1);
  return absl::Seconds(kSeconds[step < kSeconds.size() ? step : kSeconds.size() - 1]);
}

/// How long work that avoids its last worker waits for another one that is attached and busy.
inline constexpr absl::Duration kAvoidFor = absl::Seconds(10);

}  // namespace hone::server
