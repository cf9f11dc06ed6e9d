// The way of every command that asks a coordinator one thing: flags, connection, answer, exit code. Functions without
// state.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "client/commands.h"
#include "client/service/connection.h"

namespace CLI {
class App;
}

namespace hone::client {

/// Adds --server and --context to \p app, reads the arguments, connects and does \p body. Returns the exit code.
int runRemoteCommand(CLI::App &app, const Invocation &invocation,
                     const std::function<absl::Status(Connection &)> &body);

}  // namespace hone::client
