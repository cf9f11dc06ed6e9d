// A TVM tracker on a free port of loopback with a fleet that the command line describes, for the tests in Python:
//
//   tracker_host [--port N] [--grace S] [--message-time S] [--fleet-time S] [--connections N] [--log-lines N] [--fleet
//   answers|fails|silent]
//                [--worker NAME:KEY:ROLE[:gone]]...
//
// Prints "port N", then what the tracker logs; ends when its standard input does.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_split.h"
#include "server/tracker/tracker.h"

namespace hone::server {
namespace {

v1::ListWorkersResponse describeFleet(const std::vector<std::string> &texts) {
  v1::ListWorkersResponse fleet;
  for (const std::string &text : texts) {
    const std::vector<std::string> parts = absl::StrSplit(text, ':');
    v1::Worker &worker = *fleet.add_workers();
    worker.set_name(parts.at(0));
    worker.set_key(parts.at(1));
    const bool isDevice = parts.at(2) == "device", isGone = parts.size() > 3;
    worker.add_roles(isDevice ? v1::ROLE_DEVICE : v1::ROLE_BUILDER);
    worker.set_state(isGone ? v1::WORKER_GONE : v1::WORKER_READY);
    v1::KeyQueue &queue = *fleet.add_queues();
    queue.set_key(isDevice ? worker.key() : "");
    queue.set_total(isGone ? 0 : 1);
    queue.set_free(isGone ? 0 : 1);
    queue.set_pending(3);
  }
  return fleet;
}

/// Pages of one worker each, so that the tracker has to walk.
FleetReader readerOf(const v1::ListWorkersResponse &fleet) {
  return [fleet](const v1::ListWorkersRequest &request, const auto &done) {
    const int index = request.page_token().empty() ? 0 : std::stoi(request.page_token());
    v1::ListWorkersResponse page;
    if (index < fleet.workers_size()) *page.add_workers() = fleet.workers(index);
    *page.mutable_queues() = fleet.queues();
    if (index + 1 < fleet.workers_size()) page.set_next_page_token(std::to_string(index + 1));
    done(page);
  };
}

int run(int argc, char **argv) {
  TvmTracker::Options options;
  options.port = 0;
  options.maxLogLines = 1000;
  double grace = 0, messageTime = 10, fleetTime = 5;
  std::string mode = "answers";
  std::vector<std::string> workers;
  CLI::App app;
  app.add_option("--grace", grace);
  app.add_option("--message-time", messageTime);
  app.add_option("--fleet-time", fleetTime);
  app.add_option("--connections", options.maxConnections);
  app.add_option("--port", options.port);
  app.add_option("--log-lines", options.maxLogLines);
  app.add_option("--fleet", mode)->check(CLI::IsMember({"answers", "fails", "silent"}));
  app.add_option("--worker", workers);
  CLI11_PARSE(app, argc, argv);
  options.reconnectGrace = absl::Seconds(grace);
  options.messageTime = absl::Seconds(messageTime);
  options.fleetTime = absl::Seconds(fleetTime);

  const SystemClock clock;
  FleetReader reader = readerOf(describeFleet(workers));
  if (mode == "fails") reader = [](const auto &, const auto &done) { done(absl::UnavailableError("no store")); };
  if (mode == "silent") reader = [](const auto &, const auto &) {};
  const auto log = [](std::string_view line) { std::cout << "log " << line << std::endl; };
  const auto tracker = TvmTracker::start(options, {.clock = &clock, .fleet = reader, .log = log});
  if (!tracker.ok()) {
    std::cerr << tracker.status().message() << "\n";
    return 1;
  }
  std::cout << "port " << (*tracker)->port() << std::endl;
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  return 0;
}

}  // namespace
}  // namespace hone::server

int main(int argc, char **argv) { return hone::server::run(argc, argv); }
