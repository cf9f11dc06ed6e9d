// hone bench: artifacts against each other, in this process; or, with a key, on a device of a coordinator.
#include <cstdio>
#include <functional>
#include <iostream>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/failure.h"
#include "client/input_file.h"
#include "client/progress.h"
#include "client/quiet_cores.h"
#include "client/service/connection.h"
#include "client/service/job_follow.h"
#include "client/service/job_run.h"
#include "runtime/tools/interrupt_guard.h"
#include "runtime/tools/race.h"
#include "text/printable.h"

namespace hone::client {

namespace {

constexpr char kExamples[] =
    "The artifacts run in turns in one process, on the same inputs: A B A B … What else happens on the machine\n"
    "happens to all of them, so that even small differences show. Each is compared with the first one:\n"
    "  ratio          of its time to the first one's, the median over all rounds; below 1 it is faster\n"
    "  95 % interval  of that; with 1 in it, no difference is shown: try more rounds (--repeat)\n"
    "  difference     of its outputs, relative to the largest absolute value of the first one's\n\n"
    "Examples:\n"
    "  hone bench before.tar after.tar                    here\n"
    "  hone bench before.tar after.tar --rpc-key rpi4     on a device\n"
    "  hone bench same.tar same.tar                       what this machine cannot tell apart\n";

struct BenchFlags {
  std::vector<std::string> artifacts;
  std::string inputs, fillMode = "random", format = "text", key;
  uint64_t seed = 0;
  int repeat = 20, number = 0, warmup = 1, threads = 0;
  bool pin = false;
  ServerFlags server;
  JobFlags job;

  bool isRemote() const {
    return !key.empty() || !server.server.empty() || !server.context.empty() || job.detach || job.priority != 0 ||
           job.deadlineSeconds != 0 || !job.label.empty();
  }
};

void declareFlags(CommandLine &line, BenchFlags &flags) {
  constexpr int kMany = 1 << 20;
  line.option("ARTIFACT", flags.artifacts, "2 to 8 compiled models with the same inputs and outputs").required();
  line.option("-i,--inputs", flags.inputs, "npz with arrays by the names of the models' inputs");
  line.option("--fill-mode", flags.fillMode, "values of inputs that are not given: zeros, ones or random")
      .showsDefault()
      .oneOf({"zeros", "ones", "random"});
  line.option("--seed", flags.seed, "of --fill-mode random").showsDefault();
  line.option("--repeat", flags.repeat, "rounds; each gives one measurement of every artifact")
      .showsDefault()
      .between(runtime::kFewestRounds, runtime::kMostRounds);
  line.option("--number", flags.number, "runs per measurement (default: as many as take 20 ms)").between(1, kMany);
  line.option("--warmup", flags.warmup, "runs of each before the first round").showsDefault().between(1, kMany);
  line.option("--threads", flags.threads, "threads (default: what affinity and cgroup allow)").between(1, 4096);
  line.flag("--pin", flags.pin, "bind each thread to one CPU");
  line.option("--output-format", flags.format, "text or json").showsDefault().oneOf({"text", "json"});
  line.option("--rpc-key", flags.key, "race on a device of this key (hone devices list)").inGroup("Server");
  line.option("--rpc-tracker", flags.server.server, "TVMC's word for --server").inGroup("Server");
  declareServerFlags(line, flags.server);
  declareJobFlags(line, flags.job);
}

// -------------------------------------------------------------------------------------------------------------- here

runtime::RaceOptions raceOptions(const BenchFlags &flags) {
  runtime::RaceOptions options;
  options.paths = flags.artifacts;
  options.inputs = flags.inputs;
  options.fillMode = flags.fillMode == "zeros"  ? runtime::FillMode::Zeros
                     : flags.fillMode == "ones" ? runtime::FillMode::Ones
                                                : runtime::FillMode::Random;
  options.seed = flags.seed;
  options.rounds = flags.repeat;
  options.number = flags.number;
  options.warmup = flags.warmup;
  options.threads = flags.threads;
  options.pin = flags.pin;
  return options;
}

absl::Status statusOf(const runtime::Status &status) {
  switch (static_cast<int>(status.code)) {
    case HONE_OK:
      return absl::OkStatus();
    case HONE_USAGE:
      return absl::InvalidArgumentError(status.message);
    case HONE_REFUSED:
      return absl::DataLossError(status.message);
    case HONE_UNAVAILABLE:
      return absl::UnavailableError(status.message);
    case HONE_INTERNAL:
      return absl::InternalError(status.message);
    case runtime::kInterrupted:
      return absl::CancelledError(status.message);
    default:
      return absl::ResourceExhaustedError(status.message);
  }
}

absl::Status raceHere(const BenchFlags &flags) {
  ProgressLine progress;
  QuietCores quiet;
  const auto onStep = [&](const char *what, size_t racer, int64_t round) {
    progress.show(absl::StrCat(what, " ", text::printable(flags.artifacts[racer]), " ", round, "/", flags.repeat));
  };
  runtime::RaceReport report;
  const runtime::Status status = runtime::race(raceOptions(flags), report, std::ref(quiet), onStep);
  progress.clear();
  if (!status.ok()) return statusOf(status);
  for (const std::string &note : report.notes) std::cerr << "note: " << text::printable(note) << "\n";
  flags.format == "json" ? runtime::printRaceJson(report, std::cout) : runtime::printRaceText(report, std::cout);
  std::cout.flush();
  return std::cout ? absl::OkStatus() : absl::UnavailableError("cannot write the report to standard output");
}

// --------------------------------------------------------------------------------------------------------- on a device

v1::Bench benchMessage(const BenchFlags &flags) {
  v1::Bench bench;
  for (const std::string &path : flags.artifacts) bench.add_names(text::asUtf8(path));
  bench.set_fill_mode(flags.fillMode == "zeros"  ? v1::Run::ZEROS
                      : flags.fillMode == "ones" ? v1::Run::ONES
                                                 : v1::Run::RANDOM);
  bench.set_seed(flags.seed);
  bench.set_repeat(flags.repeat);
  bench.set_number(flags.number);
  bench.set_warmup(flags.warmup);
  bench.set_threads(flags.threads);
  bench.set_pin(flags.pin);
  bench.set_json(flags.format == "json");
  return bench;
}

/// One race: what was given, opened.
struct RemoteRace {
  const BenchFlags &flags;
  std::vector<InputFile> artifacts;
  std::optional<InputFile> inputs;

  static absl::StatusOr<RemoteRace> open(const BenchFlags &flags) {
    RemoteRace race{flags, {}, std::nullopt};
    for (const std::string &path : flags.artifacts) {
      auto artifact = InputFile::open(path);
      if (!artifact.ok()) return artifact.status();
      race.artifacts.push_back(*std::move(artifact));
    }
    if (flags.inputs.empty()) return race;
    auto inputs = InputFile::open(flags.inputs);
    if (!inputs.ok()) return inputs.status();
    race.inputs.emplace(*std::move(inputs));
    return race;
  }

  absl::StatusOr<v1::JobSpec> prepare(Transfer &transfer) const {
    v1::JobSpec spec;
    v1::BenchJob &job = *spec.mutable_bench();
    for (size_t i = 0; i < artifacts.size(); ++i) {
      auto digest = transfer.put(artifacts[i].descriptor(), flags.artifacts[i]);
      if (!digest.ok()) return digest.status();
      *job.add_artifacts() = *digest;
    }
    if (inputs.has_value()) {
      auto digest = transfer.put(inputs->descriptor(), flags.inputs);
      if (!digest.ok()) return digest.status();
      *job.mutable_inputs() = *digest;
    }
    *job.mutable_options() = benchMessage(flags);
    job.set_key(flags.key);
    return spec;
  }
};

absl::Status print(const v1::Result &result) {
  for (const std::string &note : result.notes()) fprintf(stderr, "note: %s\n", text::printable(note).c_str());
  fputs(result.printed().c_str(), stdout);
  return absl::OkStatus();
}

absl::Status raceRemotely(const BenchFlags &flags) {
  auto endpoint = chooseEndpoint(flags.server);
  if (!endpoint.ok()) return endpoint.status();
  if (absl::Status complete = checkKey(flags.key, *endpoint); !complete.ok()) return complete;
  auto race = RemoteRace::open(flags);
  if (!race.ok()) return race.status();
  Interrupts interrupts;
  auto connection = Connection::open(*std::move(endpoint), interrupts);
  if (!connection.ok()) return connection.status();
  const JobPlan plan{[&](Transfer &transfer) { return race->prepare(transfer); },
                     [&](const v1::Job &job, Transfer &) { return print(job.result().result()); },
                     [&](const v1::Job &job) { return endOf(job, ""); }};
  return runJob(**connection, plan, flags.job);
}

absl::Status bench(const BenchFlags &flags) {
  const size_t count = flags.artifacts.size();
  if (count < runtime::kFewestRacers || count > runtime::kMostRacers)
    return absl::InvalidArgumentError(absl::StrCat("hone bench takes ", runtime::kFewestRacers, " to ",
                                                   runtime::kMostRacers, " artifacts, but there ",
                                                   count == 1 ? "is 1" : absl::StrCat("are ", count)));
  return flags.isRemote() ? raceRemotely(flags) : raceHere(flags);
}

}  // namespace

int benchCommand(const Invocation &invocation) {
  CommandLine line{"race artifacts against each other: medians, ratios, and how sure they are", "hone bench"};
  BenchFlags flags;
  declareFlags(line, flags);
  line.footer(kExamples);
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(bench(flags));
}

}  // namespace hone::client
