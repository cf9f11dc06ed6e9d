// The machine's multiply-add peak, measured: what kernels' GFLOP/s are compared with. Functions without state; while
// they run they use all of their threads fully.
#pragma once

#include <cstdint>

namespace hone::runtime {

/// Float32 operations per second (a multiply-add counts two) that \p threads threads sustain together on the widest
/// vectors of this CPU. Takes about a tenth of a second.
double measurePeakFlops(int threads);

/// Cycles per second of one core while it computes; 0 where no way to measure it is known. Takes some milliseconds.
double measureClock();

/// Seconds of CPU time of the calling thread: the clock for work of one thread on a machine that others use too.
double threadSeconds();

/// The same of one thread, on vectors of \p vectorBytes (64: AVX-512, 32: AVX2, 16: NEON), per second of CPU time over
/// about
/// \p seconds: for who takes turns with what is compared. 0 when this CPU has no multiply-add of that width.
double sustainedFlops(int64_t vectorBytes, double seconds);

}  // namespace hone::runtime
