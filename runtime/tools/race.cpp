#include "runtime/tools/race.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <hone/runtime.hpp>
#include <limits>
#include <thread>

#include "runtime/tools/element.h"
#include "runtime/tools/interrupt_guard.h"
#include "runtime/tools/tensor_data.h"

namespace hone::runtime {
namespace {

using Clock = std::chrono::steady_clock;

// Long against the clock and what starts the threads, short against what others do on the machine.
constexpr double kSampleSeconds = 0.02;
constexpr double kMostRuns = 1e6;

/// The outputs of one run.
struct Output {
  std::string name;
  hone_dtype dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

/// Of \p data from \p expected, both of this dtype; see Racer.
double relativeDifference(hone_dtype dtype, const std::string &data, const std::string &expected) {
  double largest = 0, scale = 0;
  const size_t count = expected.size() / hone_dtype_size(dtype);
  for (size_t i = 0; i < count; ++i) {
    const double actual = elementAsDouble(dtype, data.data(), i);
    const double wanted = elementAsDouble(dtype, expected.data(), i);
    if (std::isfinite(wanted)) scale = std::max(scale, std::fabs(wanted));
    if (actual == wanted || (std::isnan(actual) && std::isnan(wanted))) continue;
    if (!std::isfinite(actual) || !std::isfinite(wanted)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::fabs(actual - wanted));
  }
  if (largest == 0) return 0;
  return scale > 0 ? largest / scale : std::numeric_limits<double>::infinity();
}

/// One execution of a race.
class Race {
 public:
  Race(const RaceOptions &options, RaceReport &report, const Rest &rest, const OnRaceStep &onStep)
      : options_(options),
        report_(report),
        rest_(rest),
        onStep_(onStep),
        context_(static_cast<int32_t>(options.threads), options.pin) {}

  Status execute() {
    try {
      return race();
    } catch (const RuntimeError &error) {
      const std::string artifact = "'" + options_.paths[current_] + "'", sentence = error.what();
      return {error.status(), sentence.find(artifact) == std::string::npos ? artifact + ": " + sentence : sentence};
    }
  }

 private:
  struct Entrant {
    Entrant(const Context &context, const std::string &path) : model(Model::load(path)), session(context, model) {}
    Model model;
    Session session;
  };

  Status race() {
    report_.threads = context_.threads();
    for (size_t i = 0; i < options_.paths.size() && !guard_.interrupted(); ++i) {
      begin("load", i, 0);
      entrants_.emplace_back(context_, options_.paths[i]);
      report_.racers.push_back({options_.paths[i], std::max<int64_t>(options_.number, 1), {}, 0});
    }
    if (guard_.interrupted()) return interruption();
    HONE_RT_RETURN_IF_ERROR(setInputs());
    rest();
    for (size_t i = 0; i < entrants_.size() && !guard_.interrupted(); ++i) HONE_RT_RETURN_IF_ERROR(warmUp(i));
    for (int64_t round = 0; round < options_.rounds && !guard_.interrupted(); ++round)
      for (size_t k = 0; k < entrants_.size() && !guard_.interrupted(); ++k)
        takeSample((static_cast<size_t>(round) + k) % entrants_.size(), round);
    return guard_.interrupted() ? interruption() : Status();
  }

  static Status interruption() { return {static_cast<hone_status>(kInterrupted), "interrupted"}; }

  void begin(const char *what, size_t racer, int64_t round) {
    current_ = racer;
    if (onStep_) onStep_(what, racer, round);
  }

  void rest() {
    if (!rest_) return;
    rest_([this](std::chrono::milliseconds time) {
      std::this_thread::sleep_for(time);
      return guard_.interrupted();
    });
  }

  /// The same for all.
  Status setInputs() {
    for (size_t i = 1; i < entrants_.size(); ++i) HONE_RT_RETURN_IF_ERROR(checkInputs(i));
    RunOptions source;
    source.inputs = options_.inputs;
    source.fillMode = options_.fillMode;
    source.seed = options_.seed;
    std::vector<std::string> filled;
    Result<std::vector<std::string>> inputs = makeInputs(entrants_[0].model, source, filled);
    if (!inputs.ok()) return inputs.status();
    if (!options_.inputs.empty())
      for (const std::string &name : filled)
        report_.notes.push_back("input '" + name + "' is not in '" + options_.inputs + "' and is filled");
    for (current_ = 0; current_ < entrants_.size(); ++current_)
      for (size_t i = 0; i < inputs->size(); ++i)
        entrants_[current_].session.setInput(static_cast<int32_t>(i), (*inputs)[i].data(), (*inputs)[i].size());
    return {};
  }

  Status checkInputs(size_t racer) const {
    const Model &model = entrants_[racer].model, &first = entrants_[0].model;
    const std::string &path = options_.paths[racer], &firstPath = options_.paths[0];
    if (model.inputCount() != first.inputCount())
      return refused("'", path, "' has ", model.inputCount(), " inputs, but '", firstPath, "' has ", first.inputCount(),
                     "; only artifacts with the same inputs can be compared");
    for (int32_t i = 0; i < model.inputCount(); ++i) {
      const TensorInfo info = model.input(i), wanted = first.input(i);
      if (info.name == wanted.name && info.dtype == wanted.dtype && info.shape == wanted.shape) continue;
      return refused("input ", i, " of '", path, "' is '", info.name, "', ", typeText(info.dtype, info.shape),
                     ", but that of '", firstPath, "' is '", wanted.name, "', ", typeText(wanted.dtype, wanted.shape),
                     "; only artifacts with the same inputs can be compared");
    }
    return {};
  }

  Status warmUp(size_t racer) {
    begin("run", racer, 0);
    Session &session = entrants_[racer].session;
    session.run();
    HONE_RT_RETURN_IF_ERROR(compareOutputs(racer));
    for (int64_t i = 1; i < options_.warmup && !guard_.interrupted(); ++i) session.run();
    if (options_.number > 0 || guard_.interrupted()) return {};
    const double seconds = secondsOf(session, 1);
    report_.racers[racer].number = seconds * kMostRuns > kSampleSeconds
                                       ? std::max<int64_t>(1, std::llround(kSampleSeconds / seconds))
                                       : static_cast<int64_t>(kMostRuns);
    return {};
  }

  Status compareOutputs(size_t racer) {
    std::vector<Output> outputs = outputsOf(entrants_[racer]);
    if (racer == 0) {
      expected_ = std::move(outputs);
      return {};
    }
    const std::string &path = options_.paths[racer], &firstPath = options_.paths[0];
    if (outputs.size() != expected_.size())
      return refused("'", path, "' has ", outputs.size(), " outputs, but '", firstPath, "' has ", expected_.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Output &output = outputs[i], &wanted = expected_[i];
      if (output.dtype != wanted.dtype || output.shape != wanted.shape)
        return refused("output ", i, " ('", output.name, "') of '", path, "' is ", typeText(output.dtype, output.shape),
                       ", but that of '", firstPath, "' is ", typeText(wanted.dtype, wanted.shape));
      double &difference = report_.racers[racer].difference;
      difference = std::max(difference, relativeDifference(output.dtype, output.bytes, wanted.bytes));
    }
    return {};
  }

  static std::vector<Output> outputsOf(Entrant &entrant) {
    std::vector<Output> outputs;
    for (int32_t i = 0; i < entrant.model.outputCount(); ++i) {
      const TensorInfo info = entrant.model.output(i);
      size_t bytes = 0;
      const char *data = static_cast<const char *>(entrant.session.output(i, &bytes));
      outputs.push_back({info.name, info.dtype, entrant.session.outputShape(i), std::string(data, bytes)});
    }
    return outputs;
  }

  void takeSample(size_t racer, int64_t round) {
    rest();
    if (guard_.interrupted()) return;
    begin("run", racer, round);
    Session &session = entrants_[racer].session;
    session.run();
    Racer &told = report_.racers[racer];
    told.seconds.push_back(secondsOf(session, told.number));
  }

  /// Of one run, as the mean of \p number.
  double secondsOf(Session &session, int64_t number) const {
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < number && !guard_.interrupted(); ++i) session.run();
    // A coarse clock may not have moved; no run takes no time, and ratios are made of this.
    const double seconds = std::max(std::chrono::duration<double>(Clock::now() - start).count(), 1e-9);
    return seconds / static_cast<double>(number);
  }

  const RaceOptions &options_;
  RaceReport &report_;
  const Rest &rest_;
  const OnRaceStep &onStep_;
  InterruptGuard guard_;
  Context context_;
  std::vector<Entrant> entrants_;
  std::vector<Output> expected_;
  size_t current_ = 0;  ///< whose failure it is if something fails
};

}  // namespace

Status race(const RaceOptions &options, RaceReport &report, const Rest &rest, const OnRaceStep &onStep) {
  try {
    return Race(options, report, rest, onStep).execute();
  } catch (const RuntimeError &error) {
    return {error.status(), error.what()};
  } catch (const std::bad_alloc &) {
    return {HONE_UNAVAILABLE, "out of memory"};
  } catch (const std::exception &error) {
    return {HONE_INTERNAL, std::string("internal error: ") + error.what()};
  }
}

}  // namespace hone::runtime
