// Runs a function over the numbers 0..count-1 in threads.
#pragma once

#include <functional>

namespace hone::driver {

/// CPUs that this process may use, at least 1.
int availableCpus();

/// Calls \p body once for each number below \p count, in at most \p threads threads (this one among them), and returns
/// when all are done. The order is not defined; \p body must not throw.
void parallelFor(int count, int threads, const std::function<void(int)> &body);

}  // namespace hone::driver
