// hone devices: the workers of a server, and taking them out of work.
#include <algorithm>
#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command_line.h"
#include "client/listing.h"
#include "client/remote_command.h"
#include "client/service/calls.h"
#include "client/service/fleet_list.h"
#include "client/service/target.h"
#include "client/subcommands.h"

namespace hone::client {

namespace {

std::string stateName(v1::WorkerState state) {
  const std::string name = v1::WorkerState_Name(state);
  return absl::AsciiStrToLower(name.starts_with("WORKER_") ? name.substr(7) : name);
}

std::vector<std::string> rolesOf(const v1::Worker &worker) {
  std::vector<std::string> roles;
  if (isBuilder(worker)) roles.emplace_back("builder");
  if (isDevice(worker)) roles.emplace_back("device");
  return roles;
}

// What waits for a worker: for its key, for builders, or both.
struct Waiting {
  int pending = 0;
  double oldestSeconds = 0;
};
Waiting waitingFor(const v1::Worker &worker, const FleetList &fleet) {
  Waiting waiting;
  for (const v1::KeyQueue &queue : fleet.queues) {
    const bool isItsQueue = queue.key().empty() ? isBuilder(worker) : isDevice(worker) && queue.key() == worker.key();
    if (!isItsQueue) continue;
    waiting.pending += queue.pending();
    waiting.oldestSeconds = std::max(waiting.oldestSeconds, queue.oldest_seconds());
  }
  return waiting;
}

Json workerJson(const v1::Worker &worker, const Waiting &waiting) {
  Json holdings = Json::array();
  for (const v1::Holding &holding : worker.holdings())
    holdings.push_back({{"job", holding.job()}, {"user", holding.user()}, {"seconds", holding.seconds()}});
  return {{"name", worker.name()},
          {"key", worker.key().empty() ? Json() : Json(worker.key())},
          {"roles", rolesOf(worker)},
          {"state", stateName(worker.state())},
          {"reason", worker.reason().empty() ? Json() : Json(worker.reason())},
          {"holdings", holdings},
          {"queue", waiting.pending},
          {"queue_oldest_seconds", waiting.oldestSeconds},
          {"completed", worker.completed()},
          {"failures", worker.failures()},
          {"slots", worker.slots()},
          {"target", shortText(worker.target())},
          {"version", worker.version()},
          {"peer", worker.peer()},
          {"attached", timeJson(worker.attached_micros())},
          {"seen", timeJson(worker.seen_micros())}};
}

// One row for each lease that the worker holds; one with dashes when it holds none.
void addRows(const v1::Worker &worker, const Waiting &waiting, Listing &listing) {
  const auto add = [&](const std::string &holder, const std::string &job, const std::string &age) {
    listing.rows.push_back({orDash(worker.key()), worker.name(), absl::StrJoin(rolesOf(worker), "+"),
                            stateName(worker.state()), holder, job, age, std::to_string(waiting.pending),
                            std::to_string(worker.failures()), worker.reason()});
  };
  for (const v1::Holding &holding : worker.holdings())
    add(holding.user(), holding.job(), durationText(holding.seconds()));
  if (worker.holdings().empty()) add("-", "-", "-");
}

// Work that waits for somebody to come: no row of the list tells of it.
void printUnserved(const FleetList &fleet) {
  for (const v1::KeyQueue &queue : fleet.queues) {
    if (queue.pending() == 0 || queue.total() > 0) continue;
    printf("%d waiting for %s, none of which is attached\n", queue.pending(),
           queue.key().empty() ? "builders" : absl::StrCat("devices with the key '", queue.key(), "'").c_str());
  }
}

absl::Status listDevices(const std::string &key, const std::string &format, Connection &connection) {
  auto fleet = listFleet(connection, key);
  if (!fleet.ok()) return fleet.status();
  Listing listing{{"KEY", "NAME", "ROLES", "STATE", "HOLDER", "JOB", "AGE", "QUEUE", "FAILURES", "REASON"}, {}};
  for (const v1::Worker &worker : fleet->workers) {
    const Waiting waiting = waitingFor(worker, *fleet);
    addRows(worker, waiting, listing);
    listing.json.push_back(workerJson(worker, waiting));
  }
  print(listing, format);
  if (format != "json") printUnserved(*fleet);
  return absl::OkStatus();
}

int list(const Invocation &invocation) {
  CommandLine line{"show the workers: who holds them, for how long, what waits, what failed", "hone devices list"};
  std::string key, format;
  line.option("--key", key, "only the devices of this key");
  declareFormat(line, format);
  return runRemoteCommand(line, invocation,
                          [&](Connection &connection) { return listDevices(key, format, connection); });
}

absl::Status setDrain(const v1::DrainRequest &request, Connection &connection) {
  auto worker = drainWorker(connection, request);
  if (!worker.ok()) return worker.status();
  printf("%s  %s\n", worker->name().c_str(), stateName(worker->state()).c_str());
  return absl::OkStatus();
}

int drain(const Invocation &invocation) {
  CommandLine line{"give a worker nothing new; what it does, it finishes", "hone devices drain"};
  v1::DrainRequest request;
  std::string name, reason;
  line.option("NAME", name, "of the worker").required();
  line.option("--reason", reason, "for listings");
  return runRemoteCommand(line, invocation, [&](Connection &connection) {
    request.set_name(name);
    request.set_reason(reason);
    return setDrain(request, connection);
  });
}

int undrain(const Invocation &invocation) {
  CommandLine line{"let a worker work again, also one that is held back or in quarantine", "hone devices undrain"};
  v1::DrainRequest request;
  std::string name;
  line.option("NAME", name, "of the worker").required();
  return runRemoteCommand(line, invocation, [&](Connection &connection) {
    request.set_name(name);
    request.set_undo(true);
    return setDrain(request, connection);
  });
}

constexpr Subcommand kSubcommands[] = {
    {"list", list, "the workers and what they do"},
    {"drain", drain, "give one nothing new"},
    {"undrain", undrain, "let one work again, also out of quarantine"},
};

}  // namespace

int devicesCommand(const Invocation &invocation) {
  return runSubcommand("devices", "The workers of a server: builders and devices.", kSubcommands, invocation);
}

}  // namespace hone::client
