#include "runtime/tools/peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hone::runtime {
namespace {

using Clock = std::chrono::steady_clock;

/// Independent accumulators: more than latency times throughput of any CPU's multiply-add units (4 x 2 to 4 x 4).
constexpr int kAccumulators = 16;
constexpr int64_t kIterations = 4096;
constexpr std::chrono::milliseconds kDuration{25};
constexpr int kRounds = 3;

/// Runs kIterations steps of kAccumulators multiply-adds and returns the operations done. The empty statement makes
/// every accumulator opaque to the compiler, once per step.
using Kernel = int64_t (*)();

#if defined(__x86_64__)

__attribute__((target("avx512f"))) int64_t runAvx512() {
  __m512 sums[kAccumulators], factor = _mm512_set1_ps(0.5f), addend = _mm512_set1_ps(1.0f);
  for (__m512 &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 16
    for (int a = 0; a < kAccumulators; ++a) {
      sums[a] = _mm512_fmadd_ps(sums[a], factor, addend);
      __asm__ volatile("" : "+v"(sums[a]));
    }
  }
  return kIterations * kAccumulators * 16 * 2;
}

__attribute__((target("avx2,fma"))) int64_t runAvx2() {
  // Fewer, because there are 16 registers only.
  constexpr int kCount = 12;
  __m256 sums[kCount], factor = _mm256_set1_ps(0.5f), addend = _mm256_set1_ps(1.0f);
  for (__m256 &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 16
    for (int a = 0; a < kCount; ++a) {
      sums[a] = _mm256_fmadd_ps(sums[a], factor, addend);
      __asm__ volatile("" : "+x"(sums[a]));
    }
  }
  return kIterations * kCount * 8 * 2;
}

int64_t runBaseline() {
  constexpr int kCount = 12;
  __m128 sums[kCount], factor = _mm_set1_ps(0.5f), addend = _mm_set1_ps(1.0f);
  for (__m128 &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 16
    for (int a = 0; a < kCount; ++a) {
      sums[a] = _mm_add_ps(_mm_mul_ps(sums[a], factor), addend);
      __asm__ volatile("" : "+x"(sums[a]));
    }
  }
  return kIterations * kCount * 4 * 2;
}

std::vector<Kernel> kernels() {
  std::vector<Kernel> usable = {runBaseline};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable = {runAvx2};
  if (__builtin_cpu_supports("avx512f")) usable.push_back(runAvx512);
  return usable;
}

#elif defined(__aarch64__)

int64_t runNeon() {
  float32x4_t sums[kAccumulators], factor = vdupq_n_f32(0.5f), addend = vdupq_n_f32(1.0f);
  for (float32x4_t &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 16
    for (int a = 0; a < kAccumulators; ++a) {
      sums[a] = vfmaq_f32(addend, sums[a], factor);
      __asm__ volatile("" : "+w"(sums[a]));
    }
  }
  return kIterations * kAccumulators * 4 * 2;
}

std::vector<Kernel> kernels() { return {runNeon}; }

#else

std::vector<Kernel> kernels() { return {}; }

#endif

/// Operations per second of one thread that runs \p kernel for kDuration.
double measure(Kernel kernel) {
  const Clock::time_point start = Clock::now();
  int64_t operations = 0;
  Clock::time_point now = start;
  do {
    operations += kernel();
    now = Clock::now();
  } while (now - start < kDuration);
  return static_cast<double>(operations) / std::chrono::duration<double>(now - start).count();
}

}  // namespace

double measurePeakFlops(int threads) {
  double best = 0;
  for (Kernel kernel : kernels()) {
    for (int round = 0; round < kRounds; ++round) {
      std::vector<double> rates(static_cast<size_t>(threads), 0);
      std::vector<std::thread> others;
      for (size_t thread = 1; thread < rates.size(); ++thread)
        others.emplace_back([&rates, thread, kernel] { rates[thread] = measure(kernel); });
      rates[0] = measure(kernel);
      for (std::thread &other : others) other.join();
      double total = 0;
      for (double rate : rates) total += rate;
      best = std::max(best, total);
    }
  }
  return best;
}

}  // namespace hone::runtime
