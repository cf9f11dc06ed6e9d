// The way of every command that asks a coordinator one thing: flags, connection, answer, exit code. Functions without
// state.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "client/commands.h"
#include "client/service/connection.h"

namespace hone::client {

class CommandLine;

/// Adds --server and --context to \p line, reads the arguments, connects and does \p body. Returns the exit code.
int runRemoteCommand(CommandLine &line, const Invocation &invocation,
                     const std::function<absl::Status(Connection &)> &body);

}  // namespace hone::client
