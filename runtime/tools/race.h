// Artifacts timed in turns in one process, on the same inputs: A B A B … What happens to the machine meanwhile happens
// to all of them. Uses the runtime by its public interface. One call at a time per process, as for run_tool.h.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/status.h"
#include "runtime/tools/run_options.h"
#include "runtime/tools/run_tool.h"

namespace hone::runtime {

// What a race may ask for, wherever it is asked. Fewer rounds have no interval of 95 %.
inline constexpr int kFewestRacers = 2, kMostRacers = 8;
inline constexpr int kFewestRounds = 6, kMostRounds = 10000;

struct RaceOptions {
  std::vector<std::string> paths;  ///< of the artifacts; the first is what the others are compared with
  std::string inputs;              ///< npz to read; empty: fill
  FillMode fillMode = FillMode::Random;
  uint64_t seed = 0;
  int64_t rounds = 20;
  int64_t number = 0;  ///< runs per sample; 0: for each artifact as many as take 20 ms
  int64_t warmup = 1;  ///< runs of each before the first round, at least 1
  int64_t threads = 0;
  bool pin = false;
};

struct Racer {
  std::string name;             ///< the artifact's path, unless who calls knows a better one
  int64_t number = 1;           ///< runs per sample
  std::vector<double> seconds;  ///< per run, one for each round
  /// Of its outputs from the first artifact's: the largest difference of two elements, relative to the largest absolute
  /// value there. Infinite where one is a number and the other is not, or a difference has nothing to be relative to.
  double difference = 0;
};

struct RaceReport {
  int threads = 1;
  std::vector<Racer> racers;       ///< in the order of the options
  std::vector<std::string> notes;  ///< sentences
};

/// What is done next, outside of what is measured: \p what ("load", "run") with artifact \p racer; \p round is from 0.
using OnRaceStep = std::function<void(const char *what, size_t racer, int64_t round)>;

/// In each round every artifact is run once untimed, so that it finds in the caches what it left there, and then timed;
/// the one that begins changes from round to round. Refuses artifacts whose inputs or outputs are not of the same
/// types. The status's code is 130 when interrupted. \p rest as for runArtifact(); either function may be empty.
Status race(const RaceOptions &options, RaceReport &report, const Rest &rest, const OnRaceStep &onStep);

void printRaceText(const RaceReport &report, std::ostream &out);
void printRaceJson(const RaceReport &report, std::ostream &out);

}  // namespace hone::runtime
