// What processes have used, read from /proc. Free functions; any thread.
#pragma once

#include <cstdint>

namespace hone::bench {

struct Usage {
  double cpuSeconds = 0;  ///< user and system, all threads
  int64_t residentBytes = 0;
  int64_t peakBytes = 0;  ///< since the process's start
};

/// Of process \p id; all zero when it is gone.
Usage usageOf(int id);

}  // namespace hone::bench
