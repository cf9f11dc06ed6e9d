// Which coordinator a command talks to: --server, else HONE_SERVER, else --context or the current context, else the
// private one of this user. Values; functions without state.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace hone::client {

class CommandLine;

struct ServerFlags {
  std::string server;
  std::string context;
};

/// Adds --server and --context.
void declareServerFlags(CommandLine &line, ServerFlags &flags);

struct Endpoint {
  std::string address;  ///< as gRPC takes it; of the private coordinator: empty
  std::string user;     ///< as whom to call
  std::string origin;   ///< who named it, for messages: "--server", "HONE_SERVER", "context lab"
  std::string flags;    ///< to be appended to a command so that it reaches the same one: "" or " --server X"

  bool isPrivate() const { return address.empty(); }
  /// "the server HOST:PORT (--server)" or "the private server".
  std::string name() const;
};

absl::StatusOr<Endpoint> chooseEndpoint(const ServerFlags &flags);

/// INVALID_ARGUMENT when \p key, or a coordinator that devices attach to, is missing for work on a device.
absl::Status checkKey(const std::string &key, const Endpoint &endpoint);

}  // namespace hone::client
