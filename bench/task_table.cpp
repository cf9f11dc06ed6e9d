#include "bench/task_table.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/task_file.h"
#include "compiler/artifact/digest.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/flops.h"
#include "compiler/driver/library.h"
#include "compiler/driver/parallel.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/estimate/least.h"
#include "compiler/schedule/algorithm.h"
#include "compiler/schedule/space.h"
#include "compiler/schedule/task.h"
#include "compiler/tensor/tensor_op.h"
#include "measure/measure.h"
#include "runtime/tools/peak.h"

namespace hone::bench {

namespace {

/// As a search would ask for them.
constexpr size_t kBatch = 32;

struct Named {
  std::string name;
  schedule::Schedule schedule;
};

double wallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Those of the file that are for this task, whose sections are `task` and its hash, or `kernel` and any name.
absl::StatusOr<std::vector<Named>> givenSchedules(const std::string &text, const std::string &hash) {
  HONE_ASSIGN_OR_RETURN(const driver::SchedulesFile file, driver::parseSchedulesFile(text));
  std::vector<Named> schedules;
  for (const auto &[name, section] : file.kernels) {
    HONE_ASSIGN_OR_RETURN(schedule::Schedule parsed, schedule::parse(section));
    schedules.push_back({name, std::move(parsed)});
  }
  if (const auto section = file.tasks.find(hash); section != file.tasks.end()) {
    HONE_ASSIGN_OR_RETURN(schedule::Schedule parsed, schedule::parse(section->second));
    schedules.push_back({"given", std::move(parsed)});
  }
  return schedules;
}

void printBuilt(int64_t schedules, double seconds) {
  std::printf("built %lld schedules in %.3f s of CPU time: %.1f per second\n", static_cast<long long>(schedules),
              seconds, static_cast<double>(schedules) / seconds);
}

class TaskTable {
 public:
  TaskTable(schedule::Task task, TargetDescription target, const TaskOptions &options)
      : task_(std::move(task)), target_(std::move(target)), options_(options) {
    threads_ = options.threads > 0 ? options.threads : driver::availableCpus();
  }

  /// How many schedules were built, and in how much CPU time.
  int64_t built() const { return static_cast<int64_t>(schedules_.size()); }
  double buildSeconds() const { return buildSeconds_; }

  absl::Status print(const std::string &names) {
    const std::string hash = artifact::sha256(task_.text());
    flops_ = driver::countFlops(task_.kernel());
    std::printf("task %s%s%s, %.4f GFLOP\n", hash.c_str(), names.empty() ? "" : ", of ", names.c_str(),
                static_cast<double>(flops_) * 1e-9);
    HONE_RETURN_IF_ERROR(chooseSchedules(hash));
    HONE_RETURN_IF_ERROR(build());
    if (!options_.buildsOnly) HONE_RETURN_IF_ERROR(measure());
    std::printf("\n");
    return absl::OkStatus();
  }

 private:
  absl::Status chooseSchedules(const std::string &hash) {
    const tensor::Kernel &kernel = task_.kernel();
    std::vector<std::string> algorithms;
    for (const schedule::AlgorithmChoice &choice : schedule::algorithmChoices(kernel, target_)) {
      algorithms.push_back(choice.algorithm);
      schedules_.push_back(
          {absl::StrCat("default, ", choice.algorithm), estimate::leastSchedule(kernel, target_, choice.algorithm)});
    }
    HONE_ASSIGN_OR_RETURN(std::vector<Named> given, givenSchedules(options_.schedules, hash));
    for (Named &one : given) schedules_.push_back(std::move(one));
    addPoints(schedule::Space(kernel, target_, algorithms));
    return absl::OkStatus();
  }

  /// Points of the space by chance, other than those that there are; fewer where it has no more.
  void addPoints(const schedule::Space &space) {
    std::set<std::string> known;
    for (const Named &one : schedules_) known.insert(schedule::print(one.schedule));
    std::mt19937_64 rng(options_.seed);
    for (int tries = 0, added = 0; added < options_.points && tries < 20 * options_.points; ++tries) {
      const schedule::Point point = space.random(rng);
      absl::StatusOr<schedule::Schedule> one = space.expand(point);
      if (!one.ok() || !known.insert(schedule::print(*one)).second) continue;
      schedules_.push_back({space.text(point), *std::move(one)});
      ++added;
    }
  }

  absl::Status build() {
    const double start = runtime::threadSeconds();
    for (size_t first = 0; first < schedules_.size(); first += kBatch) {
      std::vector<schedule::Schedule> batch;
      for (size_t s = first; s < std::min(first + kBatch, schedules_.size()); ++s)
        batch.push_back(schedules_[s].schedule);
      HONE_ASSIGN_OR_RETURN(driver::Library library, driver::buildLibrary(task_, batch, target_));
      libraries_.push_back(std::move(library));
    }
    buildSeconds_ = runtime::threadSeconds() - start;
    printBuilt(built(), buildSeconds_);
    return absl::OkStatus();
  }

  absl::Status measure() {
    HONE_ASSIGN_OR_RETURN(measure::Measurement measurement, measure::Measurement::make(task_, target_, options_.seed));
    std::printf("| %-28s | threads | weights | least ms | median ms | GFLOP/s | %% limit | spills |\n", "schedule");
    std::printf("|---|---|---|---|---|---|---|---|\n");
    for (const int threads : {1, threads_}) {
      for (const bool cold : {false, true}) HONE_RETURN_IF_ERROR(measureRows(measurement, threads, cold));
      if (threads_ == 1) break;
    }
    return absl::OkStatus();
  }

  absl::Status measureRows(measure::Measurement &measurement, int threads, bool cold) {
    measure::MeasureOptions options;
    options.clock = threads == 1 ? runtime::threadSeconds : wallSeconds;
    options.threads = threads;
    options.cold = cold;
    options.rounds = options_.rounds;
    // The limit is measured with the kernels: a shared machine has slow minutes.
    const double peak =
        threads == 1 ? runtime::sustainedFlops(target_.vectorBytes, 0.05) : runtime::measurePeakFlops(threads);
    size_t position = 0;
    for (const driver::Library &library : libraries_) {
      HONE_ASSIGN_OR_RETURN(const std::vector<absl::StatusOr<measure::Timing>> timings,
                            measurement.run(library, options));
      for (const absl::StatusOr<measure::Timing> &timing : timings)
        printRow(schedules_[position++].name, timing, threads, cold, peak);
    }
    return absl::OkStatus();
  }

  void printRow(const std::string &name, const absl::StatusOr<measure::Timing> &timing, int threads, bool cold,
                double peak) const {
    std::printf("| %-28s | %7d | %-7s | ", name.c_str(), threads, cold ? "cold" : "hot");
    if (!timing.ok()) {
      std::printf("%s |\n", std::string(timing.status().message()).c_str());
      return;
    }
    const double rate = static_cast<double>(flops_) / timing->minimum;
    std::printf("%8.4f | %9.4f | %7.1f | %7.1f | %6lld |\n", timing->minimum * 1e3, timing->median * 1e3, rate * 1e-9,
                peak > 0 ? rate / peak * 100 : 0, static_cast<long long>(timing->stackReferences));
  }

  schedule::Task task_;
  TargetDescription target_;
  const TaskOptions &options_;
  int threads_ = 1;
  int64_t flops_ = 0;
  double buildSeconds_ = 0;
  std::vector<Named> schedules_;
  std::vector<driver::Library> libraries_;  ///< batches of the schedules, in order
};

}  // namespace

absl::Status printTaskTable(std::string_view tasks, const TaskOptions &options) {
  HONE_ASSIGN_OR_RETURN(const TargetDescription target, codegen::parseTarget(options.target));
  int tables = 0;
  int64_t built = 0;
  double buildSeconds = 0;
  for (const TaskText &one : splitTasks(tasks)) {
    HONE_ASSIGN_OR_RETURN(const tensor::Kernel kernel, tensor::parse(one.text));
    HONE_ASSIGN_OR_RETURN(schedule::Task task, schedule::Task::of(kernel));
    const std::string searched = absl::StrCat(artifact::sha256(task.text()), "\n", one.names, "\n", one.text);
    if (searched.find(options.match) == std::string::npos) continue;
    TaskTable table(std::move(task), target, options);
    HONE_RETURN_IF_ERROR(table.print(one.names));
    ++tables;
    built += table.built();
    buildSeconds += table.buildSeconds();
  }
  if (tables == 0) return absl::NotFoundError(absl::StrCat("no task matches '", options.match, "'"));
  if (tables > 1) {
    std::printf("all %d tasks: ", tables);
    printBuilt(built, buildSeconds);
  }
  return absl::OkStatus();
}

}  // namespace hone::bench
