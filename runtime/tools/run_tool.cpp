#include "runtime/tools/run_tool.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <hone/runtime.hpp>
#include <thread>

#include "runtime/tools/index_checks.h"
#include "runtime/tools/interrupt_guard.h"
#include "runtime/tools/output_path.h"
#include "runtime/tools/peak.h"
#include "runtime/tools/report.h"
#include "runtime/tools/run_options.h"
#include "runtime/tools/tensor_data.h"
#include "text/printable.h"

namespace hone::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kQuietTime{1};
constexpr std::chrono::milliseconds kProgressInterval{100};

/// "run 12 of 100" on a terminal, once the work has lasted for a second; nothing in a pipe.
class Progress {
 public:
  Progress(std::ostream &err, int64_t total) : err_(err), total_(total), shows_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (shown_) err_ << "\r\033[K" << std::flush;
  }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void step() {
    ++done_;
    if (!shows_) return;
    const Clock::time_point now = Clock::now();
    if (now - start_ < kQuietTime || now - last_ < kProgressInterval) return;
    last_ = now;
    shown_ = true;
    err_ << "\rrun " << done_ << " of " << total_ << "\033[K" << std::flush;
  }

 private:
  std::ostream &err_;
  const int64_t total_;
  const bool shows_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_{};
  int64_t done_ = 0;
  bool shown_ = false;
};

/// One execution of the command, after its options are read.
class Run {
 public:
  Run(const RunOptions &options, const RunSinks &sinks, RunReport &report, const Rest &rest)
      : options_(options),
        sinks_(sinks),
        report_(report),
        rest_(rest),
        context_(static_cast<int32_t>(options.threads), options.pin),
        model_(Model::load(options.path, options.copyParameters ? HONE_LOAD_COPY_PARAMETERS : 0)),
        session_(context_, model_) {}

  Status execute() {
    if (options_.checkIndices && model_.indexCheckCount() < 0)
      return failure(HONE_REFUSED, "'", options_.path,
                     "' was compiled without index checks; compile it with hone compile --check-indices");
    std::vector<std::string> filled;
    Result<std::vector<std::string>> inputs = makeInputs(model_, options_, filled);
    if (!inputs.ok()) return inputs.status();
    if (!options_.inputs.empty())
      for (const std::string &name : filled)
        sinks_.err << "note: input '" << name << "' is not in '" << options_.inputs << "' and is filled\n";
    inputs_ = std::move(*inputs);
    setInputs();
    if (options_.printTime || options_.profile) {
      measure();
    } else if (!guard_.interrupted()) {
      session_.run();
    }
    if (guard_.interrupted()) return {static_cast<hone_status>(kInterrupted), "interrupted"};
    if (options_.checkIndices) {
      if (const std::string found = indicesOutside(model_, session_); !found.empty()) return {HONE_FAILED, found};
    }
    return finish();
  }

 private:
  void setInputs() {
    for (size_t i = 0; i < inputs_.size(); ++i)
      session_.setInput(static_cast<int32_t>(i), inputs_[i].data(), inputs_[i].size());
  }

  void fetchOutputs() {
    fetched_.resize(static_cast<size_t>(model_.outputCount()));
    for (size_t i = 0; i < fetched_.size(); ++i) {
      size_t bytes = 0;
      const char *data = static_cast<const char *>(session_.output(static_cast<int32_t>(i), &bytes));
      fetched_[i].assign(data, bytes);
    }
  }

  void runOnce() {
    if (options_.endToEnd) setInputs();
    session_.run();
    if (options_.endToEnd) fetchOutputs();
  }

  // What others left in the caches is not to be measured.
  void rest() {
    if (!rest_) return;
    const bool isCold = rest_([this](std::chrono::milliseconds time) {
      std::this_thread::sleep_for(time);
      return guard_.interrupted();
    });
    if (isCold && !guard_.interrupted()) session_.run();
  }

  void measure() {
    rest();
    const int64_t measured = options_.repeat * options_.number;
    Progress progress(sinks_.err, options_.warmup + measured * (options_.printTime + options_.profile));
    for (int64_t i = 0; i < options_.warmup && !guard_.interrupted(); ++i, progress.step()) session_.run();
    for (int64_t i = 0; options_.printTime && i < options_.repeat && !guard_.interrupted(); ++i) {
      if (i > 0) rest();
      const Clock::time_point start = Clock::now();
      for (int64_t n = 0; n < options_.number && !guard_.interrupted(); ++n, progress.step()) runOnce();
      const double elapsed = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
      report_.milliseconds.push_back(elapsed / static_cast<double>(options_.number));
    }
    if (options_.profile) profile(measured, progress);
  }

  void profile(int64_t runs, Progress &progress) {
    session_.setProfiling(true);
    std::vector<int64_t> sums(static_cast<size_t>(hone_model_call_count(model_.get())), 0);
    for (int64_t i = 0; i < runs && !guard_.interrupted(); ++i, progress.step()) {
      rest();
      session_.run();
      const std::vector<int64_t> times = session_.profile();
      std::transform(sums.begin(), sums.end(), times.begin(), sums.begin(), std::plus<>());
    }
    if (!guard_.interrupted()) report_.peakFlops = measurePeakFlops(context_.threads());
    if (!guard_.interrupted()) report_.clock = measureClock();
    for (size_t i = 0; i < sums.size(); ++i)
      addToProfile(static_cast<int32_t>(i), static_cast<double>(sums[i]) / static_cast<double>(runs) / 1e6);
  }

  void addToProfile(int32_t index, double milliseconds) {
    hone_call_info call = {};
    hone_call_estimate estimate = {};
    detail::check(hone_model_call(model_.get(), index, &call));
    detail::check(hone_model_call_estimate(model_.get(), index, &estimate));
    ProfileRow row = {call.name, call.kernel, milliseconds, call.flops, estimate.limit};
    // The estimate is of one execution: it says nothing of a call that was left out, or of all turns of a loop.
    if (milliseconds > 0 && estimate.repeats == 0 && report_.clock > 0)
      row.estimate = static_cast<double>(estimate.cycles) / report_.clock * 1e3;
    report_.estimateThreads = std::max(report_.estimateThreads, estimate.threads);
    report_.profile.push_back(std::move(row));
  }

  Status finish() {
    report_.model = model_.name();
    report_.threads = context_.threads();
    std::vector<OutputData> outputs;
    for (int32_t i = 0; i < model_.outputCount(); ++i) {
      TensorInfo info = model_.output(i);
      const void *data = session_.output(i, &info.bytes);
      info.shape = session_.outputShape(i);
      outputs.push_back({info, data});
      OutputReport output{info.name, hone_dtype_name(info.dtype), info.shape, {}};
      if (options_.printTop > 0)
        output.top = topElements(info.dtype, data, info.bytes / hone_dtype_size(info.dtype),
                                 static_cast<size_t>(options_.printTop));
      report_.outputs.push_back(std::move(output));
    }
    if (!options_.outputs.empty()) HONE_RT_RETURN_IF_ERROR(writeOutputs(options_.outputs, outputs));
    if (sinks_.npz) {
      HONE_RT_RETURN_IF_ERROR(writeNpz(*sinks_.npz, outputs));
      sinks_.npz->flush();
      if (!*sinks_.npz) return failure(HONE_UNAVAILABLE, "cannot write the outputs");
    }
    options_.json ? printJson(report_, sinks_.out) : printText(report_, sinks_.out);
    sinks_.out.flush();
    if (!sinks_.out) return failure(HONE_UNAVAILABLE, "cannot write the report to standard output");
    return {};
  }

  const RunOptions &options_;
  const RunSinks &sinks_;
  RunReport &report_;
  const Rest &rest_;
  InterruptGuard guard_;
  Context context_;
  Model model_;
  Session session_;
  std::vector<std::string> inputs_, fetched_;
};

// What the run reads: the artifact as a file, or the members of the folder that it is.
std::vector<std::string> inputPaths(const RunOptions &options) {
  std::vector<std::string> paths = {options.path, options.inputs};
  for (const char *member : {"/mod.so", "/mod.json", "/mod.params"}) paths.push_back(options.path + member);
  return paths;
}

}  // namespace

Status runArtifact(const RunOptions &options, const RunSinks &sinks, RunReport &report, const Rest &rest) {
  try {
    return Run(options, sinks, report, rest).execute();
  } catch (const RuntimeError &error) {
    return {error.status(), error.what()};
  } catch (const std::bad_alloc &) {
    return {HONE_UNAVAILABLE, "out of memory"};
  } catch (const std::exception &error) {
    return {HONE_INTERNAL, std::string("internal error: ") + error.what()};
  }
}

int runTool(const std::string &program, const std::vector<std::string> &arguments, std::ostream &out, std::ostream &err,
            const Rest &rest) {
  Result<RunOptions> options = parseRunOptions(arguments);
  if (options.ok() && options->help) {
    out << runHelp(program);
    return HONE_OK;
  }
  RunReport report;
  Status status = options.ok() ? checkOutputPath(options->outputs, inputPaths(*options)) : options.status();
  if (status.ok()) status = runArtifact(*options, {out, err}, report, rest);
  if (!status.ok()) err << "error: " << text::printable(status.message) << std::endl;
  return status.code;
}

}  // namespace hone::runtime
