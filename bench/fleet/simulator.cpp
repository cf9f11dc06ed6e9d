// A fleet that does nothing, to see how fast the coordinator hands work out: N simulated workers on N connections, M
// items, each a durable claim and a durable result. Prints one JSON object; fails if any item was not done exactly
// once.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/fleet/crew.h"
#include "bench/fleet/jobs.h"
#include "bench/fleet/usage.h"
#include "nlohmann/json.hpp"

namespace hone::bench {
namespace {

using nlohmann::json;

struct Options {
  std::string server = "127.0.0.1:9190", key = "simulated", submit = "before";
  int serverPid = 0, workers = 20, crews = 1, atOnce = 256;
  int batch = 0;  ///< items of one lease, of probe tasks; 0: run jobs, of one item each
  int itemsPerMessage = 8;
  int64_t items = 500;
  std::vector<double> workMs = {300, 500};
  uint64_t seed = 1;
  double patienceSeconds = 600;
};

/// The whole run: workers of all crews, counted together.
class Simulation {
 public:
  explicit Simulation(Options options) : options_(std::move(options)), client_(Client::connect(options_.server)) {}
  absl::Status run();
  json report() const;
  /// Why this is no measurement; empty: every item was done exactly once.
  std::string fault() const;

 private:
  CrewOptions crewOptions(int firstNumber, int workers) const;
  absl::Status introduceKey();
  absl::Status startCrews();
  absl::Status waitForItems();
  template <typename Count>
  absl::Status waitFor(int64_t wanted, const std::string &what, Count count);
  int64_t sum(int64_t (Crew::*count)() const) const;
  void collect();

  Options options_;
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<Crew>> crews_;
  CrewStats all_;
  Outcome outcome_;
  double submitSeconds_ = 0, runSeconds_ = 0;
  Usage serverBefore_, serverStart_, serverEnd_, ownStart_, ownEnd_;
};

CrewOptions Simulation::crewOptions(int firstNumber, int workers) const {
  return {.address = options_.server,
          .key = options_.batch > 0 ? std::string() : options_.key,
          .itemsPerMessage = options_.itemsPerMessage,
          .firstNumber = firstNumber,
          .workers = workers,
          .shortest = absl::Milliseconds(options_.workMs[0]),
          .longest = absl::Milliseconds(options_.workMs[1]),
          .seed = options_.seed};
}

template <typename Count>
absl::Status Simulation::waitFor(int64_t wanted, const std::string &what, Count count) {
  const absl::Time until = absl::Now() + absl::Seconds(options_.patienceSeconds);
  while (count() < wanted) {
    if (absl::Now() > until) {
      return absl::DeadlineExceededError(
          absl::StrCat(count(), " of ", wanted, " ", what, " after ", options_.patienceSeconds, " s"));
    }
    for (const auto &crew : crews_) {
      if (crew->ended() == 0) continue;
      crew->stop();
      return absl::UnavailableError(absl::StrCat("a worker's stream ended: '", crew->stats().firstEnd, "'"));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::OkStatus();
}

int64_t Simulation::sum(int64_t (Crew::*count)() const) const {
  int64_t total = 0;
  for (const auto &crew : crews_) total += ((*crew).*count)();
  return total;
}

/// A job's key must be known: one worker comes and goes. It has to be gone before there are jobs, or one is leased to
/// it and is done again by another one, which is an attempt too many.
absl::Status Simulation::introduceKey() {
  {
    const std::unique_ptr<Crew> crew = Crew::start(crewOptions(options_.workers, 1));
    absl::Status status = waitFor(1, "workers were welcomed", [&] { return crew->attached(); });
    if (!status.ok()) return status;
  }
  return client_->waitUntilGone(workerName(options_.workers));
}

absl::Status Simulation::startCrews() {
  for (int i = 0; i < options_.crews; ++i) {
    const int first = options_.workers * i / options_.crews, last = options_.workers * (i + 1) / options_.crews;
    crews_.push_back(Crew::start(crewOptions(first, last - first)));
  }
  return waitFor(options_.workers, "workers were welcomed", [&] { return sum(&Crew::attached); });
}

absl::Status Simulation::waitForItems() {
  return waitFor(options_.items, "items were done", [&] { return sum(&Crew::accepted); });
}

absl::Status Simulation::run() {
  serverBefore_ = usageOf(options_.serverPid);
  if (absl::Status status = client_->upload(); !status.ok()) return status;
  const bool isBefore = options_.submit == "before";
  absl::Status status = isBefore ? (options_.batch > 0 ? absl::OkStatus() : introduceKey()) : startCrews();
  if (!status.ok()) return status;
  if (!isBefore) {
    serverStart_ = usageOf(options_.serverPid);
    ownStart_ = usageOf(getpid());
  }
  const absl::Time submitted = absl::Now();
  status = options_.batch > 0 ? client_->submitProbes(options_.items / options_.batch, options_.batch)
                              : client_->submit(options_.key, 0, options_.items, options_.atOnce);
  if (!status.ok()) return status;
  submitSeconds_ = absl::ToDoubleSeconds(absl::Now() - submitted);
  const absl::Time begun = isBefore ? absl::Now() : submitted;
  if (isBefore) {
    serverStart_ = usageOf(options_.serverPid);
    ownStart_ = usageOf(getpid());
    if (status = startCrews(); !status.ok()) return status;
  }
  if (status = waitForItems(); !status.ok()) return status;
  runSeconds_ = absl::ToDoubleSeconds(absl::Now() - begun);
  serverEnd_ = usageOf(options_.serverPid);
  ownEnd_ = usageOf(getpid());
  collect();
  absl::StatusOr<Outcome> outcome = client_->outcome();
  if (!outcome.ok()) return outcome.status();
  outcome_ = *outcome;
  return absl::OkStatus();
}

void Simulation::collect() {
  for (const auto &crew : crews_) crew->stop();
  for (const auto &crew : crews_) {
    const CrewStats &stats = crew->stats();
    std::copy(stats.leased.begin(), stats.leased.end(), std::back_inserter(all_.leased));
    std::copy(stats.freeToLease.begin(), stats.freeToLease.end(), std::back_inserter(all_.freeToLease));
    std::copy(stats.accepted.begin(), stats.accepted.end(), std::back_inserter(all_.accepted));
    all_.dropped += stats.dropped;
    all_.revoked += stats.revoked;
  }
  std::sort(all_.leased.begin(), all_.leased.end());
  std::sort(all_.freeToLease.begin(), all_.freeToLease.end());
  std::sort(all_.accepted.begin(), all_.accepted.end());
}

std::string Simulation::fault() const {
  const auto same = [&](const char *what, int64_t number, int64_t wanted) {
    return number == wanted ? std::string() : absl::StrCat(what, ": ", number, " instead of ", wanted, "; ");
  };
  const int64_t leases = options_.batch > 0 ? options_.items / options_.batch : options_.items;
  // A batch's jobs are few: what they list is compared where each item is a job.
  const int64_t jobs = options_.batch > 0 ? outcome_.jobs : options_.items;
  std::vector<int64_t> tasks = all_.leased;
  tasks.erase(std::unique(tasks.begin(), tasks.end()), tasks.end());
  return absl::StrCat(same("leases", static_cast<int64_t>(all_.leased.size()), leases),
                      same("different tasks", static_cast<int64_t>(tasks.size()), leases),
                      same("accepted results", static_cast<int64_t>(all_.accepted.size()), options_.items),
                      same("dropped results", all_.dropped, 0), same("revoked leases", all_.revoked, 0),
                      same("jobs listed", outcome_.jobs, jobs), same("jobs that succeeded", outcome_.succeeded, jobs),
                      same("attempts listed", outcome_.attempts, leases),
                      same("jobs listed twice", outcome_.repeated, 0));
}

json Simulation::report() const {
  const auto milliseconds = [&](double share) {
    if (all_.freeToLease.empty()) return 0.0;
    const auto last = static_cast<double>(all_.freeToLease.size() - 1);
    return 1e3 * static_cast<double>(all_.freeToLease[static_cast<size_t>(share * last)]);
  };
  // Between the first tenth and the last one: without the crowd's arrival and without the end, when workers idle.
  const size_t count = all_.accepted.size(), from = count / 10, to = count - 1 - count / 10;
  const double seconds = absl::ToDoubleSeconds(all_.accepted[to] - all_.accepted[from]);
  std::vector<int64_t> perSecond;
  for (const absl::Time time : all_.accepted) {
    const auto second = static_cast<size_t>(absl::ToInt64Seconds(time - all_.accepted.front()));
    perSecond.resize(std::max(perSecond.size(), second + 1));
    ++perSecond[second];
  }
  const double mean = (options_.workMs[0] + options_.workMs[1]) / 2;
  return {
      {"workers", options_.workers},
      {"items", options_.items},
      {"batch", options_.batch},
      {"work_ms", options_.workMs},
      {"seed", options_.seed},
      {"submit",
       {{"when", options_.submit},
        {"seconds", submitSeconds_},
        {"items_per_second", static_cast<double>(options_.items) / submitSeconds_}}},
      {"seconds", runSeconds_},
      {"items_per_second", static_cast<double>(to - from) / seconds},
      {"most_items_per_second", mean > 0 ? json(options_.workers * 1e3 / mean) : json()},
      {"items_in_each_second", perSecond},
      {"free_to_lease_ms",
       {{"p50", milliseconds(0.5)},
        {"p90", milliseconds(0.9)},
        {"p99", milliseconds(0.99)},
        {"max", milliseconds(1)},
        {"count", all_.freeToLease.size()}}},
      {"server",
       {{"cpu_seconds", serverEnd_.cpuSeconds - serverStart_.cpuSeconds},
        {"submit_cpu_seconds", serverStart_.cpuSeconds - serverBefore_.cpuSeconds},
        {"resident_bytes", serverEnd_.residentBytes},
        {"peak_bytes", serverEnd_.peakBytes}}},
      {"simulator", {{"cpu_seconds", ownEnd_.cpuSeconds - ownStart_.cpuSeconds}, {"peak_bytes", ownEnd_.peakBytes}}},
  };
}

int run(int argc, char **argv) {
  Options options;
  std::string jsonFile;
  CLI::App app("fleet_simulator: simulated workers against a coordinator on this machine.", "fleet_simulator");
  app.add_option("--server", options.server, "HOST:PORT of the coordinator")->capture_default_str();
  app.add_option("--server-pid", options.serverPid, "Its process, whose CPU time and memory are read; 0: unknown");
  app.add_option("--workers", options.workers)->check(CLI::Range(1, 10000))->capture_default_str();
  app.add_option("--crews", options.crews, "Threads that share the workers")->check(CLI::Range(1, 64));
  app.add_option("--items", options.items)->check(CLI::Range(10, 10000000))->capture_default_str();
  app.add_option("--batch", options.batch, "Items of one lease: probe tasks, which probe_server takes; 0: run jobs")
      ->check(CLI::Range(0, 4096));
  app.add_option("--items-per-message", options.itemsPerMessage)->check(CLI::Range(1, 4096));
  app.add_option("--work-ms", options.workMs, "Shortest and longest item, drawn evenly")->expected(2);
  app.add_option("--submit", options.submit, "Submit before the workers come, or while they work")
      ->check(CLI::IsMember({"before", "during"}));
  app.add_option("--submit-at-once", options.atOnce)->check(CLI::Range(1, 10000));
  app.add_option("--key", options.key)->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--patience", options.patienceSeconds, "Seconds until the run counts as failed");
  app.add_option("--json", jsonFile, "Also write the report to this file");
  CLI11_PARSE(app, argc, argv);
  if (options.batch > 0) options.items -= options.items % options.batch;  // whole leases

  Simulation simulation(options);
  if (const absl::Status status = simulation.run(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
  json report = simulation.report();
  const std::string fault = simulation.fault();
  report["fault"] = fault;
  std::cout << report.dump(2) << "\n";
  if (!jsonFile.empty()) std::ofstream(jsonFile) << report.dump(2) << "\n";
  if (fault.empty()) return 0;
  std::cerr << "error: not every item was done exactly once: " << fault << "\n";
  return 1;
}

}  // namespace
}  // namespace hone::bench

int main(int argc, char **argv) { return hone::bench::run(argc, argv); }
