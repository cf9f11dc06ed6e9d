#include "bench/fleet/usage.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace hone::bench {

Usage usageOf(int id) {
  Usage usage;
  std::ifstream stat(absl::StrCat("/proc/", id, "/stat"));
  std::string line;
  if (!std::getline(stat, line)) return usage;
  // The name, which may hold anything, ends with the last bracket; user and system time are 12 words further.
  std::istringstream words(line.substr(line.rfind(')') + 1));
  std::string word;
  for (int i = 0; i < 11; ++i) words >> word;
  int64_t user = 0, system = 0;
  words >> user >> system;
  usage.cpuSeconds = static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));

  std::ifstream status(absl::StrCat("/proc/", id, "/status"));
  while (status >> word) {
    int64_t kilobytes = 0;
    if (word == "VmRSS:" && status >> kilobytes) usage.residentBytes = kilobytes << 10;
    if (word == "VmHWM:" && status >> kilobytes) usage.peakBytes = kilobytes << 10;
  }
  return usage;
}

}  // namespace hone::bench
