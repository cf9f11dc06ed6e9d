// How long a kernel takes by calculation, and what limits it. The model, its source and how well it predicts are in
// docs/design/estimate.md. Pure functions; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/loop/loop_nest.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::estimate {

/// Cycles of one core; those of a phase are of the thread that has most to do.
struct Cycles {
  double arithmetic = 0;  ///< multiply-adds and other vector instructions
  double loads = 0, stores = 0, divisions = 0, instructions = 0;
  double latency = 0;  ///< waiting for results of the step before
  double loops = 0;    ///< leaving loops
  double spills = 0;   ///< what registers do not hold
  double fromL2 = 0, fromL3 = 0, fromMemory = 0;
  double threads = 0;  ///< until threads are at work, and what one waits for another

  double total = 0;  ///< less than the sum: much of it goes on at the same time

  /// The largest part, by its name here.
  std::string_view limit() const;
};

/// Of \p kernel, whose buffers have the roles that \p source gives those of the same name: parameters come from memory,
/// since in a network those of a layer were last read one run ago.
Cycles estimate(const loop::Kernel &kernel, const tensor::Kernel &source, const TargetDescription &target);

/// A line of a table for people, with all parts; and the line above it.
std::string print(std::string_view kernel, const Cycles &cycles);
std::string printHead();

}  // namespace hone::estimate
