// What this process uses, from /proc. A function without state.
#pragma once

#include <cstdint>

namespace hone::server {

struct ProcessUse {
  double cpuSeconds = 0;
  int64_t residentBytes = 0;
  int64_t openFiles = 0;
};

/// Zeros where /proc does not tell.
ProcessUse readProcessUse();

}  // namespace hone::server
