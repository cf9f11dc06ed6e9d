// TVM's tracker, spoken by the coordinator: TVM's RPC servers register here, TVM's clients are handed them, TVM's
// query_rpc_tracker shows them together with hone's own devices. The protocol has no authentication, so it listens on
// loopback only. docs/tvm-tracker.md is its manual.
//
// A thread of its own does everything; start() and the destructor may be called on any thread. Owns its thread and
// sockets; what Parts holds must outlive it, except that an answer of `fleet` may come later and is then dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hone/v1/fleet.pb.h"
#include "server/base/clock.h"

namespace hone::server {

/// Reads one page of the fleet, as Engine::listWorkers does; answers once, on any thread, at once or later.
using FleetReader = std::function<void(v1::ListWorkersRequest request,
                                       std::function<void(absl::StatusOr<v1::ListWorkersResponse>)> done)>;

class TvmTracker {
 public:
  struct Options {
    std::string host =
        "127.0.0.1";  ///< an IPv4 address of loopback: TVM's servers are reached under what they dial from
    int port = 9191;  ///< 0: any that is free
    size_t maxConnections = 1024;
    absl::Duration messageTime = absl::Seconds(10);  ///< for the greeting, for a message once begun, for taking a reply
    absl::Duration reconnectGrace = absl::Seconds(10);  ///< how long a key stays known without a server
    int64_t maxLogLines = 10;                           ///< in a second; what is more is counted
    absl::Duration fleetTime = absl::Seconds(5);        ///< then a summary goes without hone's devices
  };
  struct Parts {
    const Clock *clock;
    FleetReader fleet;
    std::function<void(std::string_view line)> log;  ///< called on the tracker's thread; a line for each refusal
  };

  /// INVALID_ARGUMENT: not on loopback. UNAVAILABLE: the port.
  static absl::StatusOr<std::unique_ptr<TvmTracker>> start(Options options, Parts parts);
  /// Closes everything.
  virtual ~TvmTracker() = default;
  virtual int port() const = 0;
};

}  // namespace hone::server
