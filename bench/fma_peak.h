// The yardstick: how many floating-point operations a second one thread of this machine does in a loop of nothing but
// fused multiply-adds in registers. Functions without state.
#pragma once

#include <cstdint>
#include <optional>

namespace hone::bench {

/// The rate, in GFLOP/s, of one run that takes about \p seconds, with vectors of \p vectorBytes (64: AVX-512, 32: AVX2,
/// 16: NEON). Nothing when this program knows no such loop or the CPU has no such vectors.
std::optional<double> fmaPeak(int64_t vectorBytes, double seconds);

}  // namespace hone::bench
