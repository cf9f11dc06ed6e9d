// What a core can do per cycle: the numbers behind estimates, one row per family of CPUs. A plain value; the table is
// constant.
#pragma once

#include <string_view>

#include "compiler/base/target.h"

namespace hone::estimate {

/// How fast instructions of one kind are done while many are in flight: so many per cycle, and no more than so many
/// bytes. Cores that do wide vectors in halves are limited by the bytes.
struct Rate {
  double perCycle;
  double bytesPerCycle;
  /// Cycles of one instruction on \p bytes.
  double cycles(double bytes) const;
};

struct Machine {
  std::string_view family;
  Rate multiplyAdd, arithmetic, load, store;
  double issue;                       ///< instructions of any kind per cycle
  double multiplyAddLatency;          ///< cycles; also of an addition
  double divideBytes, libraryBytes;   ///< bytes per cycle of divisions and roots; of exponentials and the like
  double fromL2, fromL3, fromMemory;  ///< bytes per cycle and core
  double fork;                        ///< cycles until all threads are at a phase, and back
  bool hasBroadcastLoads;             ///< a load that fills all lanes costs no other instruction
};

/// The row of the target's CPU; of its architecture where the CPU is not known.
const Machine &machineOf(const TargetDescription &target);

}  // namespace hone::estimate
