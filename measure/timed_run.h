// Runs kernels of a loaded library in the runtime's threads, as a session does. Owns threads and scratch; the thread
// that makes it is pinned to a CPU from then on, and is the only one that may use it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "abi/hone_abi.h"
#include "absl/status/statusor.h"
#include "measure/parameter_copies.h"
#include "runtime/memory.h"
#include "runtime/thread_pool.h"

namespace hone::measure {

/// A kernel with what it is called with.
struct Call {
  const hone_kernel *kernel = nullptr;
  std::vector<void *> arguments;   ///< as the kernel takes them, with a place for the shared scratch at the end
  std::vector<size_t> parameters;  ///< which of them are parameters, in the order of the copies
  ParameterCopies copies;
};

class Runner {
 public:
  /// For kernels whose scratch is at most that of \p table's. RESOURCE_EXHAUSTED: no memory or no threads.
  static absl::StatusOr<Runner> make(const hone_module &table, int threads);

  /// Runs the call once, on the next copy of its parameters.
  void run(Call &call);

 private:
  Runner() = default;

  std::unique_ptr<runtime::ThreadPool> pool_;
  runtime::Block scratch_, sharedScratch_;
  size_t scratchStride_ = 0;
};

}  // namespace hone::measure
