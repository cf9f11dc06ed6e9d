// A pool of child processes: each does one piece of work under limits of time and memory; what becomes of it is a
// result, whether it returns, crashes or hangs. The calling process must have one thread, as it forks without exec.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/conformance/outcome.h"

namespace hone::conformance {

#ifdef HONE_SANITIZED
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

/// A busy machine makes everything slow: what computes too long is ended by its own CPU time, what waits by the clock.
struct ChildLimits {
  std::chrono::seconds cpu{kIsSanitized ? 300 : 60}, clock{10 * cpu};
  /// Address space; 0: no limit. The address sanitizer reserves terabytes of it.
  uint64_t memoryBytes = kIsSanitized ? 0 : uint64_t{8} << 30;
};

/// Does \p work for 0 to \p count - 1, each in a child of its own, up to \p jobs of them at once. \p done is called
/// here, in the order in which children end.
void runInChildren(size_t count, int jobs, const ChildLimits &limits, const std::function<CaseResult(size_t)> &work,
                   const std::function<void(size_t, const CaseResult &)> &done);

}  // namespace hone::conformance
