// Where a coordinator is, as people write it: "HOST:PORT", "[::1]:PORT" or "unix:/PATH". Functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hone {

inline constexpr uint16_t kDefaultPort = 9190;

struct Address {
  std::string host;  ///< a name, or an address in digits without brackets
  uint16_t port = 0;
  std::string path;  ///< of a Unix socket; empty: there is a host

  bool isUnix() const { return !path.empty(); }
  /// Stays on this machine, whatever names are resolved to.
  bool isLocal() const;
  std::string text() const;  ///< as people write it, and as gRPC takes it
};

/// Where to reach a coordinator: "HOST" alone has kDefaultPort. INVALID_ARGUMENT for what is no address.
absl::StatusOr<Address> parseAddress(std::string_view text);
/// Where to listen: the port must be there, and 0 is any that is free.
absl::StatusOr<Address> parseListenAddress(std::string_view text);

/// Whether a socket may have that path: it is absolute and short enough.
bool isSocketPath(std::string_view path);

/// Whether somebody accepts connections at the Unix socket \p path.
bool isAnswering(const std::string &path);

}  // namespace hone
