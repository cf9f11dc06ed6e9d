// The coordinator's gRPC server: its services, health and reflection, on unix sockets and loopback addresses. Owns the
// threads of the services. start(), setServing(), close() from one thread; what Parts holds outlives it.
//
// Keepalive, a pair with the clients': a side that has nothing to say pings every 30 s, also without a call, and takes
// the other for dead after 20 s without an answer. A peer that pings more often than every 10 s is closed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/address.h"
#include "server/rpc/site.h"

namespace hone::server {

struct RpcOptions {
  std::vector<std::string> addresses;  ///< HOST:PORT on loopback (port 0: any) or unix:/path
  std::string privateUser;             ///< not empty: the private coordinator's one user
  std::string programs;                ///< of that one, as Capabilities has them
  RpcLimits limits;
  Policy policy;
  uint64_t seed = 0;                   ///< of the request ids that are given to calls without one
  std::function<void(bool now)> stop;  ///< what Server.Stop asks for; called on any thread
};

class RpcServer {
 public:
  /// Serves when it returns. PERMISSION_DENIED: an address beyond loopback. UNAVAILABLE: one that cannot be had.
  static absl::StatusOr<std::unique_ptr<RpcServer>> start(RpcOptions options, Site::Parts parts);
  virtual ~RpcServer() = default;  ///< closes

  /// Where it listens, with the ports that were chosen.
  virtual const std::vector<Address> &addresses() const = 0;
  /// What the health service answers.
  virtual void setServing(bool isServing) = 0;
  /// Since when nobody but workers has called.
  virtual absl::Duration idle() const = 0;
  /// Takes no more calls, tells workers and watchers to come back, and waits for what is under way, but not longer than
  /// \p grace.
  virtual void close(absl::Duration grace) = 0;
};

}  // namespace hone::server
