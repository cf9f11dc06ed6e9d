#include "bench/fma_peak.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hone::bench {
namespace {

// A multiply-add takes about four cycles and two start in each: more accumulators than eight keep the units busy,
// and these stay in registers on every vector width.
constexpr int kAccumulators = 12;
constexpr int64_t kSteps = 1 << 14;
constexpr float kFactor = 0.999F;

using Loop = float (*)();

#if defined(__x86_64__)

__attribute__((target("avx512f"), noinline)) float loop512() {
  __m512 accumulators[kAccumulators];
  for (__m512 &accumulator : accumulators) accumulator = _mm512_set1_ps(1.0F);
  const __m512 factor = _mm512_set1_ps(kFactor);
  for (int64_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m512 &accumulator : accumulators) accumulator = _mm512_fmadd_ps(accumulator, factor, factor);
  }
  __m512 sum = accumulators[0];
  for (int i = 1; i < kAccumulators; ++i) sum = _mm512_add_ps(sum, accumulators[i]);
  return _mm512_cvtss_f32(sum);
}

__attribute__((target("avx2,fma"), noinline)) float loop256() {
  __m256 accumulators[kAccumulators];
  for (__m256 &accumulator : accumulators) accumulator = _mm256_set1_ps(1.0F);
  const __m256 factor = _mm256_set1_ps(kFactor);
  for (int64_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m256 &accumulator : accumulators) accumulator = _mm256_fmadd_ps(accumulator, factor, factor);
  }
  __m256 sum = accumulators[0];
  for (int i = 1; i < kAccumulators; ++i) sum = _mm256_add_ps(sum, accumulators[i]);
  return _mm256_cvtss_f32(sum);
}

Loop loopFor(int64_t vectorBytes) {
  if (vectorBytes == 64 && __builtin_cpu_supports("avx512f")) return loop512;
  if (vectorBytes == 32 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return loop256;
  return nullptr;
}

#elif defined(__aarch64__)

__attribute__((noinline)) float loop128() {
  float32x4_t accumulators[kAccumulators];
  for (float32x4_t &accumulator : accumulators) accumulator = vdupq_n_f32(1.0F);
  const float32x4_t factor = vdupq_n_f32(kFactor);
  for (int64_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (float32x4_t &accumulator : accumulators) accumulator = vfmaq_f32(factor, accumulator, factor);
  }
  float32x4_t sum = accumulators[0];
  for (int i = 1; i < kAccumulators; ++i) sum = vaddq_f32(sum, accumulators[i]);
  return vaddvq_f32(sum);
}

Loop loopFor(int64_t vectorBytes) { return vectorBytes == 16 ? loop128 : nullptr; }

#else

Loop loopFor(int64_t) { return nullptr; }

#endif

}  // namespace

std::optional<double> fmaPeak(int64_t vectorBytes, double seconds) {
  const Loop loop = loopFor(vectorBytes);
  if (loop == nullptr) return std::nullopt;
  using Clock = std::chrono::steady_clock;
  volatile float sink = 0;
  int64_t loops = 0;
  const Clock::time_point start = Clock::now();
  double elapsed = 0;
  do {
    sink = loop();
    ++loops;
    elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  } while (elapsed < seconds);
  (void)sink;
  const double lanes = static_cast<double>(vectorBytes) / sizeof(float);
  return static_cast<double>(loops) * kSteps * kAccumulators * lanes * 2 / elapsed * 1e-9;
}

}  // namespace hone::bench
