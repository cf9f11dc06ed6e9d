// Batch: the candidates of one library, loaded, with all memory that they see. Lives in the thread that measures, which
// it pins to a CPU.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "compiler/driver/library.h"
#include "measure/measure.h"
#include "measure/timed_run.h"
#include "runtime/memory.h"
#include "runtime/module.h"

namespace hone::measure {

class Batch {
 public:
  static absl::StatusOr<Batch> load(Measurement &measurement, const driver::Library &library, int threads);

  /// Runs candidate \p position once, and keeps its outputs by buffer of the task's kernel.
  absl::StatusOr<std::map<int, std::vector<char>>> outputsOf(size_t position);

  std::vector<absl::StatusOr<Timing>> time(const MeasureOptions &options);

 private:
  /// A candidate whose turns are counted.
  struct Racer {
    size_t position;
    Call call;
    int64_t runs = 1;  ///< of a turn
    double spent = 0;
    std::vector<double> seconds = {};  ///< of one run, by turn
  };

  Batch(Measurement &measurement, const driver::Library &library) : measurement_(&measurement), library_(&library) {}
  absl::Status allocateBuffers();
  std::vector<std::vector<size_t>> groups(int64_t memoryBytes) const;
  int64_t parameterBytes(size_t position) const;
  absl::StatusOr<Call> makeCall(size_t position, int64_t copies);
  absl::Status runOnce(Call &call);
  absl::Status check(Racer &racer);
  void timeGroup(const std::vector<size_t> &group, const MeasureOptions &options,
                 std::vector<absl::StatusOr<Timing>> &timings);
  double timeOnce(Racer &racer, const MeasureOptions &options);
  std::vector<size_t> warmUp(std::vector<Racer> &racers, const MeasureOptions &options);
  void takeTurns(std::vector<Racer> &racers, const MeasureOptions &options);
  double turn(Racer &racer, const MeasureOptions &options);
  void readInputs();

  const driver::Candidate &candidate(size_t position) const { return *library_->candidates[position]; }

  Measurement *measurement_;
  const driver::Library *library_;
  runtime::Module module_;
  std::optional<Runner> runner_;
  struct Memory {
    runtime::Block block;
    int64_t bytes = 0;
  };
  std::map<int, Memory> inputs_, outputs_;  ///< by buffer of the task's kernel
  std::minstd_rand order_;
  char read_ = 0;  ///< of inputs, so that reading them is not left out
};

}  // namespace hone::measure
