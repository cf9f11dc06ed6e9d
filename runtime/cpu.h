// What this machine can execute, and how many threads this process should use. Functions without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/status.h"

namespace hone::runtime {

/// The features that the runtime can detect, by LLVM's names, with whether CPU and operating system offer them.
struct CpuFeature {
  std::string_view name;
  bool available;
};
std::vector<CpuFeature> cpuFeatures();

/// Refuses a model made for another architecture, or that needs a feature which is missing here or not known.
Status checkCpu(std::string_view triple, const std::vector<std::string> &requiredFeatures);

/// CPUs that this process may use: its affinity mask, limited by the quota of its cgroup (v1 or v2, and of those above
/// it).
/// \p root is prepended to /proc and /sys, for tests.
int availableThreads(const std::string &root = "");

/// The quota found under \p root, in CPUs, rounded up; 0 when there is none.
int cgroupThreads(const std::string &root);

}  // namespace hone::runtime
