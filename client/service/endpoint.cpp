#include "client/service/endpoint.h"

#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/service/config.h"
#include "client/service/folders.h"
#include "common/address.h"

namespace hone::client {

namespace {

absl::StatusOr<Endpoint> byAddress(const std::string &text, const std::string &origin, const std::string &flags) {
  Endpoint endpoint{"", loginName(), origin, flags};
  if (text == kPrivateName) return endpoint;
  auto address = parseAddress(text);
  if (!address.ok()) return absl::InvalidArgumentError(absl::StrCat(origin, ": ", address.status().message()));
  endpoint.address = address->text();
  return endpoint;
}

absl::StatusOr<Endpoint> byContext(const std::string &wanted) {
  if (wanted == kPrivateName) return Endpoint{"", loginName(), "", absl::StrCat(" --context ", kPrivateName)};
  auto config = loadConfig();
  if (!config.ok()) return config.status();
  const std::string name = wanted.empty() ? config->current : wanted;
  if (name.empty()) return Endpoint{"", loginName(), "", ""};
  const auto found = config->contexts.find(name);
  if (found == config->contexts.end())
    return absl::InvalidArgumentError(absl::StrCat("there is no context '", name, "'", namesOfContexts(*config)));
  auto endpoint = byAddress(found->second.server, absl::StrCat("context ", name),
                            wanted.empty() ? "" : absl::StrCat(" --context ", name));
  if (!endpoint.ok() || found->second.user.empty()) return endpoint;
  if (absl::Status status = checkUser(found->second.user); !status.ok()) return status;
  endpoint->user = found->second.user;
  return endpoint;
}

}  // namespace

void declareServerFlags(CommandLine &line, ServerFlags &flags) {
  line.option("--server", flags.server,
              "the coordinator: HOST[:PORT] (port 9190), unix:/PATH, or private for the one on this machine; "
              "default: that of --context, else HONE_SERVER, else the current context, else private")
      .inGroup("Server");
  line.option("--context", flags.context, "the coordinator, by the name that `hone context add` gave it")
      .inGroup("Server");
}

std::string Endpoint::name() const {
  if (isPrivate()) return "the private server";
  return absl::StrCat("the server ", address, " (", origin, ")");
}

absl::StatusOr<Endpoint> chooseEndpoint(const ServerFlags &flags) {
  if (!flags.server.empty()) return byAddress(flags.server, "--server", absl::StrCat(" --server ", flags.server));
  if (!flags.context.empty()) return byContext(flags.context);
  if (const char *server = getenv("HONE_SERVER"); server != nullptr && *server != '\0')
    return byAddress(server, "HONE_SERVER", "");
  return byContext("");
}

absl::Status checkKey(const std::string &key, const Endpoint &endpoint) {
  if (key.empty())
    return absl::InvalidArgumentError(
        absl::StrCat("a run on a device needs --rpc-key KEY; `hone devices list", endpoint.flags, "` shows the keys"));
  if (endpoint.isPrivate() && endpoint.flags.empty())
    return absl::InvalidArgumentError(
        "--rpc-key needs a server: name it with --rpc-tracker HOST[:PORT], HONE_SERVER or `hone context use`");
  return absl::OkStatus();
}

}  // namespace hone::client
