// How long candidate schedules of a task take on this machine, and whether they compute what they should.
//
//   for (const absl::StatusOr<Timing> &one : *measure(task, schedules, target, {.clock = runtime::threadSeconds}))
//     if (one.ok()) use(one->minimum);
//
// Candidates take turns, in an order that changes from round to round, so that a busy minute of a shared machine slows
// all of them. Code of candidates runs in this process; a defect in it may end it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/driver/library.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/task.h"
#include "compiler/tensor/host_tensor.h"
#include "measure/compare_outputs.h"

namespace hone::measure {

struct MeasureOptions {
  /// Seconds since some instant, read in the measuring thread: CPU time of the thread for one thread on a machine that
  /// others use too (runtime::threadSeconds), a steady clock for several. Required.
  std::function<double()> clock;
  int threads = 1;  ///< each pinned to a CPU of its own
  /// Whether parameters come from memory, as in a network, where those of the other kernels have displaced them, or
  /// from the caches, as far as they fit. Inputs come from the caches in either case.
  bool cold = true;
  int rounds = 15;  ///< turns of each candidate
  double turnSeconds =
      3e-4;  ///< a turn repeats runs until about so much time is spent, but no parameters within a turn
  double limitSeconds = 0.15;  ///< a candidate that has used more has no further turns, once it had three
  /// A candidate that takes more than so many times what the fastest takes, in each of three runs, has no turns: its
  /// time is the least of them. A random schedule may be a hundred times slower than a good one. 0: there is no such
  /// bound.
  double hopelessFactor = 5;
  int64_t cacheBytes = 0;  ///< what copies of cold parameters must exceed; 0: twice the last cache of this machine
  int64_t memoryBytes = int64_t{1} << 30;  ///< for the parameters of candidates that take turns; beyond, in groups
};

/// Seconds of one run.
struct Timing {
  double minimum = 0;
  double median = 0;            ///< of the turns
  std::vector<double> turns;    ///< in their order; candidates that took turns have their n-th about the same time
  int64_t copies = 1;           ///< of the parameters
  int64_t stackReferences = 0;  ///< of the emitted code: spills of the register tile
};

/// What all libraries of one task are measured with: data, and the results of the task's default schedule with plain
/// sums. Not thread-safe: it is used by one thread at a time.
class Measurement {
 public:
  /// Builds and runs the default schedule. \p seed: of the data.
  static absl::StatusOr<Measurement> make(const schedule::Task &task, const TargetDescription &target,
                                          uint64_t seed = 0);

  /// By candidate of \p library, which is of the same task and target: how long it takes, or why that does not matter:
  /// the library's error, or DATA_LOSS: it computes something else, with the first difference. An error of all where
  /// the library cannot be loaded or there is no memory.
  absl::StatusOr<std::vector<absl::StatusOr<Timing>>> run(const driver::Library &library,
                                                          const MeasureOptions &options);

 private:
  friend class Batch;
  using DerivedKey = std::tuple<int, int64_t, size_t, size_t>;  ///< source, and the transform's tile, y and x
  Measurement() = default;
  /// The bytes of parameter \p buffer of a candidate, in its layout.
  std::vector<char> parameterOf(const driver::Candidate &candidate, size_t buffer);

  tensor::Kernel kernel_;
  std::vector<tensor::HostTensor> arguments_;  ///< by buffer of the kernel
  std::map<DerivedKey, std::vector<char>> derived_;
  std::map<int, ExpectedOutput> expected_;  ///< by buffer of the kernel
};

/// All in one: builds \p schedules, which are in the names of the task, and measures them.
absl::StatusOr<std::vector<absl::StatusOr<Timing>>> measure(const schedule::Task &task,
                                                            const std::vector<schedule::Schedule> &schedules,
                                                            const TargetDescription &target,
                                                            const MeasureOptions &options, uint64_t seed = 0);

}  // namespace hone::measure
