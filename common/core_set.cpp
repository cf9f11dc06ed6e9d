#include "common/core_set.h"

#include <sched.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hone {

namespace fs = std::filesystem;

namespace {

static_assert(kMostCores == CPU_SETSIZE);

// "0-1,8" as the kernel writes lists; what is none of its lists adds nothing.
CoreSet parseList(absl::string_view text) {
  CoreSet cores;
  for (const absl::string_view part : absl::StrSplit(absl::StripAsciiWhitespace(text), ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(part, absl::MaxSplits('-', 1));
    size_t first = 0, last = 0;
    if (!absl::SimpleAtoi(ends.first, &first) ||
        !absl::SimpleAtoi(ends.second.empty() ? ends.first : ends.second, &last))
      continue;
    for (size_t core = first; core <= last && core < kMostCores; ++core) cores.set(core);
  }
  return cores;
}

// Threads that the process makes meanwhile are those of one that was moved, or are found in the next round.
bool moveThreads(const fs::path &tasks, const cpu_set_t &set, std::set<pid_t> &moved) {
  std::error_code error;
  bool isDone = true;
  for (auto task = fs::directory_iterator(tasks, error); !error && task != fs::directory_iterator();
       task.increment(error)) {
    const std::string name = task->path().filename().string();
    pid_t thread = 0;
    if (!absl::SimpleAtoi(name, &thread) || moved.contains(thread)) continue;
    isDone = false;
    // One that has ended meanwhile needs no place.
    if (sched_setaffinity(thread, sizeof set, &set) == 0 || errno == ESRCH) moved.insert(thread);
  }
  return isDone;
}

}  // namespace

CoreSet allowedCores() {
  CoreSet cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (size_t core = 0; core < kMostCores; ++core) cores[core] = CPU_ISSET(core, &set) != 0;
  return cores;
}

CoreSet withSiblings(const CoreSet &cores) {
  const fs::path folder = "/sys/devices/system/cpu";
  CoreSet all = cores;
  for (size_t core = 0; core < kMostCores; ++core) {
    if (!cores[core]) continue;
    std::ifstream file(folder / absl::StrCat("cpu", core) / "topology" / "thread_siblings_list");
    std::string list;
    if (std::getline(file, list)) all |= parseList(list);
  }
  return all;
}

bool moveProcess(pid_t process, const CoreSet &cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t core = 0; core < kMostCores; ++core)
    if (cores[core]) CPU_SET(core, &set);
  constexpr int kRounds = 100;
  std::set<pid_t> moved;
  for (int round = 0; round < kRounds; ++round)
    if (moveThreads(absl::StrCat("/proc/", process, "/task"), set, moved)) return !moved.empty();
  return false;
}

}  // namespace hone
