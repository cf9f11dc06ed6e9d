// Where the coordinator listens: "HOST:PORT" on loopback or "unix:/path". Until there is TLS, everything else is
// refused. Functions without state.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/address.h"

namespace hone::server {

/// INVALID_ARGUMENT for what is no address; PERMISSION_DENIED for one that is not on loopback.
absl::StatusOr<Address> listenAddress(const std::string &text);

/// Could one listen there now? UNAVAILABLE with the reason if not. A socket file that nobody listens on is no reason.
absl::Status probeAddress(const Address &address);

}  // namespace hone::server
