#include "server/admin/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace hone::server {

ProcessUse readProcessUse() {
  ProcessUse use;
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    use.cpuSeconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  int64_t pages = 0, resident = 0;
  if (std::ifstream("/proc/self/statm") >> pages >> resident) use.residentBytes = resident * sysconf(_SC_PAGESIZE);
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (!error) use.openFiles = std::distance(begin(files), end(files));
  return use;
}

}  // namespace hone::server
