// Where the coordinator listens: "HOST:PORT" on loopback or "unix:/path". Until there is TLS, everything else is
// refused. Functions without state.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::server {

struct Address {
  bool isUnix = false;
  std::string host;  ///< an address in digits
  uint16_t port = 0;
  std::string path;  ///< of a unix socket

  std::string text() const;  ///< as gRPC takes it
};

/// INVALID_ARGUMENT for what is no address; PERMISSION_DENIED for one that is not on loopback.
absl::StatusOr<Address> parseAddress(const std::string &text);

/// Could one listen there now? UNAVAILABLE with the reason if not. A socket file that nobody listens on is no reason.
absl::Status probeAddress(const Address &address);

}  // namespace hone::server
