#include "runtime/run_kernel.h"

#include <cstdint>

#include "runtime/flush_denormals.h"

namespace hone::runtime {

namespace {

void runPhase(ThreadPool &pool, const hone_phase &phase, void *const *arguments, ThreadScratch scratch) {
  struct Range {
    const hone_phase &phase;
    void *const *arguments;
    ThreadScratch scratch;
  };
  Range range{phase, arguments, scratch};
  const auto piece = [](void *argument, int64_t begin, int64_t end, int thread) {
    const Range &given = *static_cast<Range *>(argument);
    char *const scratch = given.phase.scratch_bytes > 0
                              ? given.scratch.data + given.scratch.stride * static_cast<size_t>(thread)
                              : nullptr;
    const FlushDenormals flush;
    given.phase.run(given.arguments, begin, end, scratch);
  };
  if (!pool.tryRun(phase.extent, piece, &range)) piece(&range, 0, phase.extent, 0);
}

}  // namespace

void runKernel(ThreadPool &pool, const hone_kernel &kernel, void *const *arguments, ThreadScratch scratch) {
  for (int32_t phase = 0; phase < kernel.phase_count; ++phase) runPhase(pool, kernel.phases[phase], arguments, scratch);
}

}  // namespace hone::runtime
