// What the core is asked to do by each scope of a phase: instructions, by what limits them. Pure functions.
#pragma once

#include <vector>

#include "compiler/estimate/machine.h"
#include "compiler/estimate/scopes.h"

namespace hone::estimate {

/// Cycles that the parts of a core are busy with some work; they go on beside each other.
struct Work {
  double vectors = 0;  ///< multiply-adds and other arithmetic
  double loads = 0, stores = 0;
  double divisions = 0;  ///< divisions, roots, and calls of exponentials and the like
  double instructions = 0;
  double spills = 0;       ///< what does not fit into registers
  double code = 0;         ///< instructions that are written down
  double held = 0;         ///< registers: sums, and what several steps of unrolled loops use
  bool keepsSums = false;  ///< whether the sums are held from one iteration to the next
  double chain = 0;        ///< results that wait for each other

  double bound() const;
  Work &operator+=(const Work &other);
  Work operator*(double factor) const;
};

/// For each scope, the work of its own statements in one of its iterations, what does not change from one iteration to
/// the next being done further out. Unrolled loops have none: their work is in the scope around them.
std::vector<Work> workOf(const Scopes &scopes, const TargetDescription &target, const Machine &machine);

}  // namespace hone::estimate
