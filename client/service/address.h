// Where a coordinator listens, as people write it. Functions without state.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hone::client {

inline constexpr int kDefaultPort = 9190;

/// "HOST", "HOST:PORT", "[::1]:PORT" or "unix:/PATH" -> the same in full ("HOST:9190"), which is also what gRPC takes.
/// INVALID_ARGUMENT for anything else.
absl::StatusOr<std::string> parseAddress(std::string_view text);

/// Whether an address that parseAddress() gave stays on this machine.
bool isLocal(std::string_view address);

}  // namespace hone::client
