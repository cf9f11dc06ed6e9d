// The machine's multiply-add peak, measured: what kernels' GFLOP/s are compared with. A function without state; while
// it runs it uses all of its threads fully.
#pragma once

namespace hone::runtime {

/// Float32 operations per second (a multiply-add counts two) that \p threads threads sustain together on the widest
/// vectors of this CPU. Takes about a tenth of a second.
double measurePeakFlops(int threads);

}  // namespace hone::runtime
