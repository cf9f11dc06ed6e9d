// Space: all schedules of a kernel that are worth a thought, as a finite list of named knobs. The default schedule is
// the least of them by an estimate, a tuner searches the same ones with measurements. Immutable; thread-safe.
//
//   winograd 4 3   conv_v.blocks 24 48 64   conv_m.registers 14x2 … 7x4   …
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/schedule/choices.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::schedule {

/// Positions of values: of a form, and of its knobs.
struct Point {
  int form = 0;
  std::vector<int> knobs;
  bool operator==(const Point &) const = default;
};

/// The schedule that asks for nothing: scalar code, in loops as they stand. Legal for every kernel.
Schedule plainSchedule(const tensor::Kernel &kernel);

class Space {
 public:
  /// A way to go about it that has knobs of its own.
  struct Form {
    std::string algorithm;
    std::vector<std::string> choices;  ///< what makes it, "pool.vectors along rows"
    std::vector<Knob> knobs;
    int64_t size() const;
  };

  /// All algorithms of \p algorithms, each of which must fit the kernel.
  Space(const tensor::Kernel &kernel, const TargetDescription &target, const std::vector<std::string> &algorithms);

  const std::vector<Form> &forms() const { return forms_; }
  /// The number of points; below 2^62.
  int64_t size() const;
  Point at(int64_t position) const;
  Point random(std::mt19937_64 &rng) const;
  /// The points that differ from \p point in one knob.
  std::vector<Point> neighbours(const Point &point) const;
  /// Each knob of one or the other, where they have the same form; else one of the two.
  Point crossover(const Point &a, const Point &b, std::mt19937_64 &rng) const;

  /// INVALID_ARGUMENT: the rule that forbids this point, as legal() has it.
  absl::StatusOr<Schedule> expand(const Point &point) const;
  /// The kernel that the point's algorithm makes, for which the schedule is.
  const tensor::Kernel &rewritten(const Point &point) const;
  /// As a person reads it: "conv.registers 14x2, conv.order rows, …".
  std::string text(const Point &point) const;

 private:
  struct Rewritten {
    std::string algorithm;
    tensor::Rewrite rewrite;
  };
  void addForms(size_t rewritten);

  tensor::Kernel kernel_;
  TargetDescription target_;
  std::vector<Rewritten> rewritten_;
  std::vector<Form> forms_;
  std::vector<std::pair<size_t, std::vector<int>>> origins_;  ///< by form: of rewritten_, and the answers that make it
};

}  // namespace hone::schedule
