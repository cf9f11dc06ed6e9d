// What a probe task gives, for those who do probe tasks and those who look whether they were done. A pure function.
#pragma once

#include <cstdint>

namespace hone::test {

inline constexpr int64_t kProbePrime = 1'000'000'007;

/// Without items the number of the seed is that of item 0; with items there is one for each.
constexpr int64_t probeNumber(uint64_t seed, int32_t item) {
  uint64_t value = seed + 0x9E3779B97F4A7C15u * (static_cast<uint64_t>(item) + 1);
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return static_cast<int64_t>(value % kProbePrime);
}

}  // namespace hone::test
