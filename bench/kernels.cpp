// kernels: times kernels one by one against the machine's own multiply-add peak: those of an artifact, or schedules of
// tasks (task_table.h). Peak and kernel take turns, so that a busy minute of a shared machine slows both.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/loaded_module.h"
#include "bench/task_file.h"
#include "bench/task_table.h"
#include "compiler/base/status.h"
#include "measure/machine.h"
#include "measure/timed_run.h"
#include "runtime/tools/peak.h"

namespace hone::bench {
namespace {

struct Options {
  std::string file;  ///< an artifact or tasks
  std::string match;
  std::string schedulesFile;
  int rounds = 15;
  double seconds = 0.01;
  int artifactThreads = 1;
  bool isCold = false;
  TaskOptions tasks;
};

struct Row {
  std::string name;
  int calls = 0;  ///< that share the kernel
  int64_t flops = 0;
  double milliseconds = 0;
  double gflops = 0;
  double share = 0;  ///< of the peak; the median over the rounds
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

double wallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds that one run of the call takes: the median of batches, as many as fit into the turn. A batch is long enough
/// that reading the clock costs nothing. CPU time of one thread, wall time of several.
double timeCall(measure::Runner &runner, measure::Call &call, const Options &options) {
  constexpr double batchSeconds = 2e-4;
  double (*const clock)() = options.artifactThreads == 1 ? runtime::threadSeconds : wallSeconds;
  const double start = clock();
  runner.run(call);
  const double once = clock() - start;
  const int batch = std::max(1, static_cast<int>(batchSeconds / std::max(once, 1e-7)));
  std::vector<double> samples;
  double begin = clock();
  const double end = begin + options.seconds;
  do {
    for (int i = 0; i < batch; ++i) runner.run(call);
    const double now = clock();
    samples.push_back((now - begin) / batch);
    begin = now;
  } while (begin < end);
  return median(std::move(samples));
}

/// A turn in a thread of its own: the runner pins its threads, and what measures the peak must not be.
absl::StatusOr<double> timeTurn(const LoadedModule &module, measure::Call &call, const Options &options) {
  absl::StatusOr<double> seconds = 0.0;
  std::thread([&] {
    absl::StatusOr<measure::Runner> runner = measure::Runner::make(module.table(), options.artifactThreads);
    if (runner.ok()) {
      seconds = timeCall(*runner, call, options);
    } else {
      seconds = runner.status();
    }
  }).join();
  return seconds;
}

/// Operations per nanosecond that the threads could do; 0: unknown.
double measurePeak(const Options &options, int64_t vectorBytes) {
  const double flops = options.artifactThreads == 1 ? runtime::sustainedFlops(vectorBytes, options.seconds)
                                                    : runtime::measurePeakFlops(options.artifactThreads);
  return flops * 1e-9;
}

absl::StatusOr<Row> measureCall(const LoadedModule &module, int position, const Options &options,
                                std::vector<double> &peaks) {
  const artifact::CallDescription &description = module.description().calls[position];
  const int64_t vectorBytes = module.description().target.vectorBytes;
  const int64_t cacheBytes = options.isCold ? 2 * measure::lastCacheBytes() : 0;
  HONE_ASSIGN_OR_RETURN(measure::Call call, module.call(position, cacheBytes));
  HONE_RETURN_IF_ERROR(timeTurn(module, call, options).status());
  std::vector<double> times, shares;
  double peak = 0;
  for (int round = 0; round < options.rounds; ++round) {
    // With several threads it takes longer than a turn.
    if (options.artifactThreads == 1 || round == 0) peak = measurePeak(options, vectorBytes);
    HONE_ASSIGN_OR_RETURN(const double seconds, timeTurn(module, call, options));
    times.push_back(seconds);
    if (peak == 0) continue;
    peaks.push_back(peak);
    shares.push_back(static_cast<double>(description.flops) / seconds * 1e-9 / peak);
  }
  Row row;
  row.name = description.name;
  row.flops = description.flops;
  row.milliseconds = median(times) * 1e3;
  row.gflops = static_cast<double>(row.flops) / row.milliseconds * 1e-6;
  row.share = shares.empty() ? 0 : median(shares);
  return row;
}

void print(const Row &row) {
  std::printf("| %-48s | %5d | %8.4f | %8.4f | %7.1f | %6.1f |\n", row.name.c_str(), row.calls,
              static_cast<double>(row.flops) * 1e-9, row.milliseconds, row.gflops, row.share * 100);
  std::fflush(stdout);
}

int fail(const absl::Status &status) {
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return 3;
}

absl::StatusOr<std::string> readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError("cannot open " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int runArtifact(const Options &options) {
  absl::StatusOr<LoadedModule> module = LoadedModule::load(options.file);
  if (!module.ok()) return fail(module.status());
  const artifact::ArtifactDescription &description = module->description();
  std::map<int, std::vector<int>> callsOfKernel;
  for (size_t call = 0; call < description.calls.size(); ++call) {
    if (description.calls[call].name.find(options.match) == std::string::npos) continue;
    callsOfKernel[description.calls[call].kernel].push_back(static_cast<int>(call));
  }

  std::printf("target %s, %lld-byte vectors; threads: %d, weights %s, median of %d rounds\n\n",
              description.target.cpu.c_str(), static_cast<long long>(description.target.vectorBytes),
              options.artifactThreads, options.isCold ? "cold" : "hot", options.rounds);
  std::printf("| %-48s | calls |   GFLOP |       ms | GFLOP/s | %% peak |\n", "kernel");
  std::printf("|---|---|---|---|---|---|\n");
  std::vector<double> peaks;
  double seconds = 0, flops = 0;
  for (const auto &[kernel, calls] : callsOfKernel) {
    absl::StatusOr<Row> row = measureCall(*module, calls.front(), options, peaks);
    if (!row.ok()) return fail(row.status());
    row->calls = static_cast<int>(calls.size());
    print(*row);
    seconds += row->milliseconds * 1e-3 * row->calls;
    flops += static_cast<double>(row->flops) * row->calls;
  }
  std::printf("\nall calls: %.3f ms, %.1f GFLOP/s", seconds * 1e3, flops / seconds * 1e-9);
  if (!peaks.empty()) {
    const double peak = median(peaks);
    std::printf(", %.1f %% of the peak of %.1f GFLOP/s", flops / seconds * 1e-9 / peak * 100, peak);
  }
  std::printf("\n");
  return 0;
}

int run(Options &options) {
  const absl::StatusOr<std::string> file = readFile(options.file);
  if (!file.ok()) return fail(file.status());
  if (!isTaskText(*file)) return runArtifact(options);
  if (!options.schedulesFile.empty()) {
    absl::StatusOr<std::string> schedules = readFile(options.schedulesFile);
    if (!schedules.ok()) return fail(schedules.status());
    options.tasks.schedules = *std::move(schedules);
  }
  options.tasks.match = options.match;
  options.tasks.rounds = options.rounds;
  if (absl::Status printed = printTaskTable(*file, options.tasks); !printed.ok()) return fail(printed);
  return 0;
}

}  // namespace
}  // namespace hone::bench

int main(int argc, char **argv) {
  CLI::App app(
      "Times kernels one by one against this machine's multiply-add peak.\n\n"
      "MODEL.tar: the kernels of an artifact, by default in 1 thread and with everything they touch in the caches.\n"
      "TASK.txt: tasks, as `hone compile --dump-code tasks` writes them. Their schedules (the default of each "
      "algorithm,\n"
      "those of --schedules, points of the space by --points) are built in batches, checked against the outputs of "
      "plain sums, "
      "and "
      "timed\n"
      "with weights from the caches (hot) and from memory (cold), in 1 thread and in --threads.\n\n"
      "Times of 1 thread are CPU time, of several wall time.");
  hone::bench::Options options;
  hone::bench::TaskOptions &tasks = options.tasks;
  const auto positive = CLI::PositiveNumber;
  app.add_option("file", options.file, "MODEL.tar, compiled for this machine, or TASK.txt")->required();
  app.add_option("--match", options.match,
                 "only calls whose name contains this, or tasks whose hash, kernels or text do");
  app.add_option("--rounds", options.rounds, "turns of each kernel or schedule")
      ->capture_default_str()
      ->check(positive);
  int threads = 0;
  app.add_option("--threads", threads,
                 "threads, each on a CPU of its own; 0: 1 for MODEL.tar, one per CPU for TASK.txt")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  const auto artifact = "MODEL.tar", task = "TASK.txt";
  app.add_option("--seconds", options.seconds, "length of a turn")
      ->group(artifact)
      ->capture_default_str()
      ->check(positive);
  app.add_flag("--cold", options.isCold, "weights come from memory, as in a network: copies of them take turns")
      ->group(artifact);
  app.add_option("--schedules", options.schedulesFile,
                 "file of schedules: sections `task SHA256`, or `kernel NAME` for any name, in the names of the task")
      ->group(task);
  app.add_option("--target", tasks.target, "what to build for, a target that this machine can run")
      ->group(task)
      ->capture_default_str();
  app.add_option("--points", tasks.points, "how many points of the space to try, by chance")
      ->group(task)
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", tasks.seed, "of the data and of the choice of points")->group(task)->capture_default_str();
  app.add_flag("--builds-only", tasks.buildsOnly, "build the schedules and say how fast, but run nothing")->group(task);
  CLI11_PARSE(app, argc, argv);
  options.artifactThreads = std::max(1, threads);
  tasks.threads = threads;
  return hone::bench::run(options);
}
