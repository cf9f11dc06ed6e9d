// estimates: how well estimates predict measurements. For each task: random points of its space, the default schedule
// among them, measured with one thread and weights from memory, beside what the estimate says of them.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/task_file.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "compiler/loop/lower.h"
#include "compiler/schedule/algorithm.h"
#include "compiler/schedule/space.h"
#include "compiler/schedule/task.h"
#include "measure/measure.h"
#include "runtime/tools/peak.h"

namespace hone::bench {
namespace {

struct Options {
  std::string file, match, target = "llvm", table;
  int points = 200, rounds = 9;
  uint64_t seed = 1;
  bool plain = false;
};

struct Row {
  std::string text;  ///< of the point
  schedule::Schedule schedule;
  estimate::Cycles cycles;
  double seconds = 0;
  int64_t spills = 0;
};

/// Spearman's: 1 where both orders agree.
double rankCorrelation(const std::vector<Row> &rows) {
  const auto ranks = [&](auto key) {
    std::vector<size_t> order(rows.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(rows[a]) < key(rows[b]); });
    std::vector<double> ranks(rows.size());
    for (size_t i = 0; i < order.size(); ++i) ranks[order[i]] = static_cast<double>(i);
    return ranks;
  };
  const std::vector<double> a = ranks([](const Row &row) { return row.seconds; });
  const std::vector<double> b = ranks([](const Row &row) { return row.cycles.total; });
  const auto n = static_cast<double>(rows.size());
  double squares = 0;
  for (size_t i = 0; i < rows.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return n < 2 ? 1 : 1 - 6 * squares / (n * (n * n - 1));
}

class TaskStudy {
 public:
  TaskStudy(schedule::Task task, TargetDescription target, const Options &options)
      : task_(std::move(task)), target_(std::move(target)), options_(options) {}

  absl::Status run(const std::string &names) {
    std::vector<std::string> algorithms;
    for (const schedule::AlgorithmChoice &choice : schedule::algorithmChoices(task_.kernel(), target_))
      if (!options_.plain || !choice.algorithm.starts_with("winograd")) algorithms.push_back(choice.algorithm);
    const schedule::Space space(task_.kernel(), target_, algorithms);
    HONE_RETURN_IF_ERROR(choosePoints(space));
    HONE_RETURN_IF_ERROR(measure());
    if (rows_.empty()) return absl::OkStatus();
    print(names, space.size());
    return absl::OkStatus();
  }

  const std::vector<Row> &rows() const { return rows_; }

 private:
  absl::Status choosePoints(const schedule::Space &space) {
    const estimate::Least least = estimate::leastOf(space, target_);
    rows_.push_back({"least", least.schedule, least.cycles});
    std::set<std::string> known = {schedule::print(least.schedule)};
    std::mt19937_64 rng(options_.seed);
    for (int tries = 0; tries < 4 * options_.points && static_cast<int>(rows_.size()) <= options_.points; ++tries) {
      const schedule::Point point = space.random(rng);
      absl::StatusOr<schedule::Schedule> schedule = space.expand(point);
      if (!schedule.ok() || !known.insert(schedule::print(*schedule)).second) continue;
      const tensor::Kernel &kernel = space.rewritten(point);
      HONE_ASSIGN_OR_RETURN(const loop::Kernel nest, loop::lower(schedule::applyPacks(kernel, *schedule), *schedule));
      rows_.push_back({space.text(point), *std::move(schedule), estimate::estimate(nest, kernel, target_)});
    }
    return absl::OkStatus();
  }

  absl::Status measure() {
    HONE_ASSIGN_OR_RETURN(measure::Measurement measurement, measure::Measurement::make(task_, target_, options_.seed));
    measure::MeasureOptions how;
    how.clock = runtime::threadSeconds;
    how.rounds = options_.rounds;
    std::vector<Row> measured;
    constexpr size_t kBatch = 32;
    for (size_t first = 0; first < rows_.size(); first += kBatch) {
      const size_t end = std::min(first + kBatch, rows_.size());
      std::vector<schedule::Schedule> batch;
      // The least takes part in each batch: what a minute of the machine was like.
      for (size_t i = first; i < end; ++i) batch.push_back(rows_[i].schedule);
      HONE_ASSIGN_OR_RETURN(const driver::Library library, driver::buildLibrary(task_, batch, target_, 2));
      HONE_ASSIGN_OR_RETURN(const auto timings, measurement.run(library, how));
      for (size_t i = first; i < end; ++i) {
        const absl::StatusOr<measure::Timing> &timing = timings[i - first];
        if (!timing.ok()) {
          std::fprintf(stderr, "%s: %s\n", rows_[i].text.c_str(), std::string(timing.status().message()).c_str());
          continue;
        }
        rows_[i].seconds = timing->minimum;
        rows_[i].spills = timing->stackReferences;
        measured.push_back(rows_[i]);
      }
    }
    rows_ = std::move(measured);
    return absl::OkStatus();
  }

  void print(const std::string &names, int64_t size) const {
    const Row &best =
        *std::min_element(rows_.begin(), rows_.end(), [](const Row &a, const Row &b) { return a.seconds < b.seconds; });
    std::printf("| %-24s | %8lld | %6zu | %8.4f | %8.4f | %6.1f | %6.2f | %-12s |\n", names.c_str(),
                static_cast<long long>(size), rows_.size(), rows_[0].seconds * 1e3, best.seconds * 1e3,
                (rows_[0].seconds / best.seconds - 1) * 100, rankCorrelation(rows_),
                std::string(rows_[0].cycles.limit()).c_str());
    std::fflush(stdout);
  }

  schedule::Task task_;
  TargetDescription target_;
  const Options &options_;
  std::vector<Row> rows_;
};

void writeRows(std::ofstream &file, const std::string &names, const std::vector<Row> &rows) {
  for (const Row &row : rows) {
    const estimate::Cycles &c = row.cycles;
    file << names << '\t' << row.seconds << '\t' << c.total << '\t' << row.spills;
    for (const double part : {c.arithmetic, c.loads, c.stores, c.divisions, c.instructions, c.latency, c.loops,
                              c.fromL2, c.fromL3, c.fromMemory, c.threads})
      file << '\t' << part;
    file << '\t' << row.text << '\n';
  }
}

absl::Status study(const Options &options) {
  std::ifstream stream(options.file, std::ios::binary);
  if (!stream) return absl::NotFoundError("cannot open " + options.file);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  HONE_ASSIGN_OR_RETURN(TargetDescription target, codegen::parseTarget(options.target));
  target.cores = 1;
  std::ofstream table;
  if (!options.table.empty()) table.open(options.table);
  std::printf("| %-24s | %8s | %6s | %8s | %8s | %6s | %6s | %-12s |\n", "kernels", "space", "points", "least", "best",
              "+%", "rank", "limit");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  for (const TaskText &one : splitTasks(text)) {
    if (absl::StrCat(one.names, "\n", one.text).find(options.match) == std::string::npos) continue;
    HONE_ASSIGN_OR_RETURN(const tensor::Kernel kernel, tensor::parse(one.text));
    HONE_ASSIGN_OR_RETURN(schedule::Task task, schedule::Task::of(kernel));
    TaskStudy study(std::move(task), target, options);
    HONE_RETURN_IF_ERROR(study.run(one.names));
    if (table.is_open()) writeRows(table, one.names, study.rows());
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace hone::bench

int main(int argc, char **argv) {
  CLI::App app(
      "Measures random points of the spaces of tasks, with 1 thread and weights from memory, beside the schedule that\n"
      "the estimate finds least. A row per task: points of the space and measured ones, milliseconds of the least and "
      "of the\n"
      "best, how much longer the least takes, and the rank correlation (Spearman's) of estimate and measurement.");
  hone::bench::Options options;
  app.add_option("file", options.file, "TASK.txt, as `hone compile --dump-code tasks` writes it")->required();
  app.add_option("--match", options.match, "only tasks whose kernels or text contain this");
  app.add_option("--points", options.points, "random points of each space")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.rounds, "turns of each schedule")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--target", options.target, "what to build for, a target that this machine can run")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of points and data")->capture_default_str();
  app.add_option("--table", options.table, "writes all points, with the parts of their estimates, into this file");
  app.add_flag("--plain", options.plain, "only schedules that sum directly");
  CLI11_PARSE(app, argc, argv);
  if (const absl::Status status = hone::bench::study(options); !status.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return 3;
  }
  return 0;
}
