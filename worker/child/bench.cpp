#include "worker/child/bench.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/tools/race.h"
#include "worker/child/artifacts.h"

namespace hone::worker {

namespace {

absl::StatusOr<runtime::RaceOptions> optionsOf(const v1::Bench &request) {
  constexpr int64_t kMany = 1000000000;
  constexpr int64_t kThreads = 4096;
  const int count = request.artifact_descriptors_size();
  if (count < runtime::kFewestRacers || count > runtime::kMostRacers)
    return absl::FailedPreconditionError(
        absl::StrCat("a race takes ", runtime::kFewestRacers, " to ", runtime::kMostRacers, " artifacts, not ", count));
  absl::Status status = checkFlag("repeat", request.repeat(), runtime::kFewestRounds, runtime::kMostRounds);
  status.Update(checkFlag("number", request.number(), 0, kMany));
  status.Update(checkFlag("warmup", request.warmup(), 0, kMany));
  status.Update(checkFlag("threads", request.threads(), 0, kThreads));
  if (!status.ok()) return status;
  runtime::RaceOptions options;
  for (const int descriptor : request.artifact_descriptors()) options.paths.push_back(pathOf(descriptor));
  if (request.inputs_descriptor() > 0) options.inputs = pathOf(request.inputs_descriptor());
  options.fillMode = fillModeOf(request.fill_mode());
  options.seed = request.seed();
  options.rounds = request.repeat();
  options.number = request.number();
  options.warmup = std::max<int64_t>(request.warmup(), 1);
  options.threads = request.threads();
  options.pin = request.pin();
  return options;
}

std::string nameOf(const v1::Bench &request, int artifact) {
  return artifact < request.names_size() ? request.names(artifact) : absl::StrCat("artifact ", artifact + 1);
}

Words wordsOf(const v1::Bench &request, const runtime::RaceOptions &options) {
  Words words;
  for (int i = 0; i < request.artifact_descriptors_size(); ++i)
    words.emplace_back(absl::StrCat("'", options.paths[static_cast<size_t>(i)], "'"),
                       absl::StrCat("'", nameOf(request, i), "'"));
  if (!options.inputs.empty()) words.emplace_back(absl::StrCat("'", options.inputs, "'"), "the inputs");
  return words;
}

}  // namespace

absl::Status bench(const v1::Work &work, const ReportProgress &progress, Kept &, v1::Result &result) {
  const v1::Bench &request = work.bench();
  auto options = optionsOf(request);
  if (!options.ok()) return options.status();
  // If the code of one of them ends this process, the last of these tells which it was.
  const auto onStep = [&](const char *what, size_t racer, int64_t round) {
    v1::Progress step;
    step.set_phase(absl::StrCat(what, " artifact ", racer + 1));
    step.set_done(static_cast<int32_t>(round));
    step.set_total(static_cast<int32_t>(options->rounds));
    progress(step);
  };
  const Words words = wordsOf(request, *options);
  runtime::RaceReport report;
  const runtime::Status status = runtime::race(*options, report, restOf(request.core_lock_descriptor()), onStep);
  if (!status.ok()) return statusOf(status, words);
  for (const std::string &note : report.notes) result.add_notes(absl::StrReplaceAll(note, words));
  for (size_t i = 0; i < report.racers.size(); ++i) {
    runtime::Racer &racer = report.racers[i];
    racer.name = nameOf(request, static_cast<int>(i));
    v1::BenchSamples &samples = *result.add_bench_samples();
    samples.mutable_seconds()->Add(racer.seconds.begin(), racer.seconds.end());
    samples.set_number(racer.number);
    samples.set_difference(racer.difference);
  }
  std::ostringstream printed;
  request.json() ? runtime::printRaceJson(report, printed) : runtime::printRaceText(report, printed);
  result.set_printed(printed.str());
  return absl::OkStatus();
}

}  // namespace hone::worker
