#include "client/remote_command.h"

#include <utility>

#include "client/command_line.h"
#include "client/failure.h"
#include "client/service/endpoint.h"

namespace hone::client {

namespace {

absl::Status ask(const ServerFlags &flags, const std::function<absl::Status(Connection &)> &body) {
  auto endpoint = chooseEndpoint(flags);
  if (!endpoint.ok()) return endpoint.status();
  Interrupts interrupts;
  auto connection = Connection::open(*std::move(endpoint), interrupts);
  return connection.ok() ? body(**connection) : connection.status();
}

}  // namespace

int runRemoteCommand(CommandLine &line, const Invocation &invocation,
                     const std::function<absl::Status(Connection &)> &body) {
  ServerFlags flags;
  declareServerFlags(line, flags);
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(ask(flags, body));
}

}  // namespace hone::client
