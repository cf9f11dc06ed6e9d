// hone server: the private coordinator of this user.
#include <cstdio>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/failure.h"
#include "client/listing.h"
#include "client/service/calls.h"
#include "client/service/private_server.h"
#include "client/subcommands.h"

namespace hone::client {

namespace {

// A connection to the private coordinator if it runs. It is not started for being asked.
absl::StatusOr<std::unique_ptr<Connection>> connectIfRunning(const PrivatePaths &paths, Interrupts &interrupts) {
  if (!isAnswering(paths.socket)) return nullptr;
  auto opened =
      Connection::open({absl::StrCat("unix:", paths.socket.string()), "", "the private server", ""}, interrupts);
  // It may have ended between the two.
  if (absl::IsUnavailable(opened.status()) && !isAnswering(paths.socket)) return nullptr;
  return opened;
}

void printStatus(const PrivatePaths &paths, const v1::Capabilities *running, const std::string &format) {
  if (format == "json") {
    Json json = {{"running", running != nullptr},
                 {"data", paths.data.string()},
                 {"socket", paths.socket.string()},
                 {"log", paths.log.string()},
                 {"version", running == nullptr ? Json() : Json(running->version())},
                 {"started", running == nullptr ? Json() : timeJson(running->started_micros())}};
    puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  if (running == nullptr)
    puts("not running; the next command that needs it starts it");
  else
    printf("running: hone %s, since %s\n", running->version().c_str(), timeText(running->started_micros()).c_str());
  printf("data     %s\nsocket   %s\nlog      %s\n", paths.data.c_str(), paths.socket.c_str(), paths.log.c_str());
}

absl::Status showStatus(const std::string &format) {
  auto paths = privatePaths();
  if (!paths.ok()) return paths.status();
  Interrupts interrupts;
  auto connection = connectIfRunning(*paths, interrupts);
  if (!connection.ok()) return connection.status();
  printStatus(*paths, *connection == nullptr ? nullptr : &(*connection)->capabilities(), format);
  return absl::OkStatus();
}

absl::Status stopPrivate(bool now) {
  auto paths = privatePaths();
  if (!paths.ok()) return paths.status();
  Interrupts interrupts;
  auto connection = connectIfRunning(*paths, interrupts);
  if (!connection.ok()) return connection.status();
  if (*connection == nullptr) {
    puts("not running");
    return absl::OkStatus();
  }
  auto response = stopServer(**connection, now);
  if (!response.ok()) return response.status();
  if (!now && response->unfinished_jobs() > 0) {
    printf("ends when its work is done: %d jobs; --now ends it at once, and they go on with its next start\n",
           response->unfinished_jobs());
    return absl::OkStatus();
  }
  if (absl::Status ended = waitForEnd(*paths, interrupts); !ended.ok()) return ended;
  puts("stopped");
  return absl::OkStatus();
}

int status(const Invocation &invocation) {
  CommandLine line{"whether the private server runs, and where it keeps what", "hone server status"};
  std::string format;
  declareFormat(line, format);
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(showStatus(format));
}

int stop(const Invocation &invocation) {
  CommandLine line{"end the private server when its work is done", "hone server stop"};
  bool now = false;
  line.flag("--now", now, "end it at once; unfinished jobs go on with its next start");
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(stopPrivate(now));
}

constexpr Subcommand kSubcommands[] = {
    {"status", status, "whether it runs, and where"},
    {"stop", stop, "end it"},
};

}  // namespace

int serverCommand(const Invocation &invocation) {
  return runSubcommand(
      "server", "The private server of this user: hone starts it where no other is named, and it ends when idle.",
      kSubcommands, invocation);
}

}  // namespace hone::client
