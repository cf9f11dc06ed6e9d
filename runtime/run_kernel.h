// One call of a kernel, in the threads of a pool. Whoever makes it owns all that it is given; thread-safe as far as the
// scratch is the caller's alone.
#pragma once

#include <cstddef>

#include "abi/hone_abi.h"
#include "runtime/thread_pool.h"

namespace hone::runtime {

/// Memory that the pieces of a kernel's phases may use, \p stride bytes for each thread of the pool.
struct ThreadScratch {
  char *data = nullptr;
  size_t stride = 0;
};

/// Runs the phases one after the other; those for which the pool is busy in the calling thread alone. \p arguments as
/// the kernel takes them.
void runKernel(ThreadPool &pool, const hone_kernel &kernel, void *const *arguments, ThreadScratch scratch);

}  // namespace hone::runtime
