#include <string>

#include "absl/strings/str_format.h"
#include "compiler/estimate/estimate.h"

namespace hone::estimate {

std::string printHead() {
  return absl::StrFormat("%-32s %11s  %-12s %11s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n", "kernel", "cycles",
                         "limit", "arithmetic", "loads", "stores", "divisions", "instr.", "latency", "loops", "spills",
                         "L2", "L3", "memory", "threads");
}

std::string print(std::string_view kernel, const Cycles &c) {
  return absl::StrFormat(
      "%-32s %11.0f  %-12s %11.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f\n", kernel, c.total,
      c.limit(), c.arithmetic, c.loads, c.stores, c.divisions, c.instructions, c.latency, c.loops, c.spills, c.fromL2,
      c.fromL3, c.fromMemory, c.threads);
}

}  // namespace hone::estimate
