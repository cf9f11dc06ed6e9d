// The number of threads that this process should use.
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <thread>

#include "runtime/cpu.h"

namespace hone::runtime {
namespace {

int affinityThreads() {
  // The kernel's mask may be larger than cpu_set_t: grow until it fits.
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(cpus);
    const bool done = sched_getaffinity(0, size, set) == 0;
    const int count = done ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (done) return count;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

/// quota / period rounded up; 0 for "no limit".
int quotaThreads(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((quota + period - 1) / period, 1 << 20));
}

/// cgroup v2: "max 100000" or "200000 100000".
int unifiedLimit(const std::string &folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  int64_t period = 0;
  if (!(file >> quota >> period) || quota == "max" || quota.size() > 18) return 0;
  const bool digits = quota.find_first_not_of("0123456789") == std::string::npos;
  return digits ? quotaThreads(std::stoll(quota), period) : 0;
}

/// cgroup v1: two files, the quota is -1 when there is none.
int legacyLimit(const std::string &folder) {
  std::ifstream quotaFile(folder + "/cpu.cfs_quota_us"), periodFile(folder + "/cpu.cfs_period_us");
  int64_t quota = 0, period = 0;
  return quotaFile >> quota && periodFile >> period ? quotaThreads(quota, period) : 0;
}

/// The smallest limit of \p path and of the groups above it: each of them counts.
template <typename Limit>
int smallestLimit(const std::string &mount, std::string path, Limit limit) {
  int smallest = 0;
  while (true) {
    if (const int found = limit(mount + path); found > 0) smallest = smallest == 0 ? found : std::min(smallest, found);
    if (path.empty() || path == "/") return smallest;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

bool listsCpu(const std::string &controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

}  // namespace

int cgroupThreads(const std::string &root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  int smallest = 0;
  const auto add = [&](int found) {
    if (found > 0) smallest = smallest == 0 ? found : std::min(smallest, found);
  };
  // Lines are "hierarchy:controllers:path"; v2 is "0::path".
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) add(smallestLimit(root + "/sys/fs/cgroup", path, unifiedLimit));
    if (!listsCpu(controllers)) continue;
    add(smallestLimit(root + "/sys/fs/cgroup/cpu", path, legacyLimit));
    add(smallestLimit(root + "/sys/fs/cgroup/" + controllers, path, legacyLimit));
  }
  return smallest;
}

int availableThreads(const std::string &root) {
  const int affinity = std::max(1, affinityThreads());
  const int quota = cgroupThreads(root);
  return quota > 0 ? std::min(affinity, quota) : affinity;
}

}  // namespace hone::runtime
