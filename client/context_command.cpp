// hone context: names for coordinators.
#include <algorithm>
#include <cctype>
#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/failure.h"
#include "client/listing.h"
#include "client/service/config.h"
#include "client/service/folders.h"
#include "client/subcommands.h"
#include "common/address.h"
#include "common/name.h"

namespace hone::client {

namespace {

absl::Status checkContext(const std::string &name) {
  if (name.starts_with('-'))
    return absl::InvalidArgumentError(absl::StrCat("the context '", name, "' begins with a dash, as flags do"));
  if (absl::Status status = checkName(absl::StrCat("the context '", name, "'"), name); !status.ok()) return status;
  if (name == kPrivateName)
    return absl::InvalidArgumentError("the context private is always there: it means the server on this machine");
  return absl::OkStatus();
}

absl::Status mustExist(const Config &config, const std::string &name) {
  if (config.contexts.contains(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("there is no context '", name, "'", namesOfContexts(config)));
}

int add(const Invocation &invocation) {
  CommandLine line{"name a server; the first one that is added becomes the current one", "hone context add"};
  std::string name, server, user;
  line.option("NAME", name, "of the context").required();
  line.option("ADDRESS", server, "HOST[:PORT] (port 9190) or unix:/PATH").required();
  line.option("--user", user, "as whom to call it (default: the login name)");
  line.footer("Example:\n  hone context add lab localhost:9190\n");
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(changeConfig([&](Config &config) {
    absl::Status status = checkContext(name);
    if (!user.empty()) status.Update(checkUser(user));
    if (!status.ok()) return status;
    auto address = parseAddress(server);
    if (!address.ok()) return address.status();
    const bool isFirst = config.contexts.empty();
    config.contexts[name] = {address->text(), user};
    if (isFirst) config.current = name;
    return absl::OkStatus();
  }));
}

int use(const Invocation &invocation) {
  CommandLine line{"make a context the one that commands use when they name no server", "hone context use"};
  std::string name;
  line.option("NAME", name, "of the context; private is the server on this machine").required();
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(changeConfig([&](Config &config) {
    if (name != kPrivateName)
      if (absl::Status status = mustExist(config, name); !status.ok()) return status;
    config.current = name == kPrivateName ? "" : name;
    return absl::OkStatus();
  }));
}

int remove(const Invocation &invocation) {
  CommandLine line{"forget a context", "hone context remove"};
  std::string name;
  line.option("NAME", name, "of the context").required();
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(changeConfig([&](Config &config) {
    if (absl::Status status = mustExist(config, name); !status.ok()) return status;
    config.contexts.erase(name);
    if (config.current == name) config.current.clear();
    return absl::OkStatus();
  }));
}

absl::Status listContexts(const std::string &format) {
  auto config = loadConfig();
  if (!config.ok()) return config.status();
  Listing listing{{"CURRENT", "NAME", "SERVER", "USER"}, {}};
  const auto row = [&](const std::string &name, const std::string &server, const std::string &user, bool isCurrent) {
    listing.rows.push_back({isCurrent ? "*" : "", name, server, orDash(user)});
    listing.json.push_back({{"name", name}, {"server", server}, {"user", user}, {"current", isCurrent}});
  };
  row(kPrivateName, "on this machine", "", config->current.empty());
  for (const auto &[name, context] : config->contexts) row(name, context.server, context.user, name == config->current);
  print(listing, format);
  return absl::OkStatus();
}

int list(const Invocation &invocation) {
  CommandLine line{"show the contexts", "hone context list"};
  std::string format;
  declareFormat(line, format);
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(listContexts(format));
}

constexpr Subcommand kSubcommands[] = {
    {"add", add, "name a server"},
    {"use", use, "choose the one that commands use by themselves"},
    {"list", list, "show them"},
    {"remove", remove, "forget one"},
};

}  // namespace

int contextCommand(const Invocation &invocation) {
  return runSubcommand(
      "context",
      "Names for servers, kept in $XDG_CONFIG_HOME/hone/config.json. A command asks the server of its\n"
      "--server flag, else of its --context flag, else of HONE_SERVER, else of the current context, else a\n"
      "private one on this machine.",
      kSubcommands, invocation);
}

}  // namespace hone::client
