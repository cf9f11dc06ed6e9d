#include "measure/machine.h"

#include <unistd.h>

#include <algorithm>

namespace hone::measure {

int64_t lastCacheBytes() {
  const int64_t told = std::max<int64_t>(sysconf(_SC_LEVEL3_CACHE_SIZE), sysconf(_SC_LEVEL2_CACHE_SIZE));
  return told > 0 ? told : int64_t{32} << 20;
}

}  // namespace hone::measure
