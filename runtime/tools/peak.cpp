#include "runtime/tools/peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
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

/// Independent accumulators: more than latency times throughput of any CPU's multiply-add units (4 x 2), and few enough
/// to stay in 16 registers.
constexpr int kAccumulators = 12;
constexpr int64_t kIterations = 4096;
constexpr double kSeconds = 0.025;
constexpr int kRounds = 3;
constexpr int kCallsPerWindow = 16;

/// Runs kIterations steps of kAccumulators multiply-adds and returns the operations done. The sum goes to a volatile
/// variable, so that the compiler cannot leave the loop out.
using Run = int64_t (*)();

struct Kernel {
  int64_t vectorBytes;
  bool fused;  ///< a multiply-add in one instruction
  Run run;
};

#if defined(__x86_64__)

__attribute__((target("avx512f"))) int64_t runAvx512() {
  __m512 sums[kAccumulators];
  const __m512 factor = _mm512_set1_ps(0.5f), addend = _mm512_set1_ps(1.0f);
  for (__m512 &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (__m512 &sum : sums) sum = _mm512_fmadd_ps(sum, factor, addend);
  }
  for (int a = 1; a < kAccumulators; ++a) sums[0] = _mm512_add_ps(sums[0], sums[a]);
  [[maybe_unused]] const volatile float sink = _mm512_cvtss_f32(sums[0]);
  return kIterations * kAccumulators * 16 * 2;
}

__attribute__((target("avx2,fma"))) int64_t runAvx2() {
  __m256 sums[kAccumulators];
  const __m256 factor = _mm256_set1_ps(0.5f), addend = _mm256_set1_ps(1.0f);
  for (__m256 &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (__m256 &sum : sums) sum = _mm256_fmadd_ps(sum, factor, addend);
  }
  for (int a = 1; a < kAccumulators; ++a) sums[0] = _mm256_add_ps(sums[0], sums[a]);
  [[maybe_unused]] const volatile float sink = _mm256_cvtss_f32(sums[0]);
  return kIterations * kAccumulators * 8 * 2;
}

int64_t runBaseline() {
  __m128 sums[kAccumulators];
  const __m128 factor = _mm_set1_ps(0.5f), addend = _mm_set1_ps(1.0f);
  for (__m128 &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (__m128 &sum : sums) sum = _mm_add_ps(_mm_mul_ps(sum, factor), addend);
  }
  for (int a = 1; a < kAccumulators; ++a) sums[0] = _mm_add_ps(sums[0], sums[a]);
  [[maybe_unused]] const volatile float sink = _mm_cvtss_f32(sums[0]);
  return kIterations * kAccumulators * 4 * 2;
}

std::vector<Kernel> kernels() {
  std::vector<Kernel> usable = {{16, false, runBaseline}};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable = {{32, true, runAvx2}};
  if (__builtin_cpu_supports("avx512f")) usable.push_back({64, true, runAvx512});
  return usable;
}

#elif defined(__aarch64__)

int64_t runNeon() {
  float32x4_t sums[kAccumulators];
  const float32x4_t factor = vdupq_n_f32(0.5f), addend = vdupq_n_f32(1.0f);
  for (float32x4_t &sum : sums) sum = addend;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (float32x4_t &sum : sums) sum = vfmaq_f32(addend, sum, factor);
  }
  for (int a = 1; a < kAccumulators; ++a) sums[0] = vaddq_f32(sums[0], sums[a]);
  [[maybe_unused]] const volatile float sink = vgetq_lane_f32(sums[0], 0);
  return kIterations * kAccumulators * 4 * 2;
}

std::vector<Kernel> kernels() { return {{16, true, runNeon}}; }

#else

std::vector<Kernel> kernels() { return {}; }

#endif

#if defined(__x86_64__) || defined(__aarch64__)

/// Additions that wait for each other take a cycle each; not those of constants, which some cores do in passing.
int64_t runChain() {
  int64_t sum = 0;
  const int64_t addend = 3;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (int a = 0; a < kAccumulators; ++a) {
#if defined(__x86_64__)
      asm volatile("add %1, %0" : "+r"(sum) : "r"(addend) : "cc");
#else
      asm volatile("add %0, %0, %1" : "+r"(sum) : "r"(addend));
#endif
    }
  }
  return kIterations * kAccumulators;
}

#endif

/// Operations per second of one thread that runs \p run for kSeconds, in the best of its windows: these are shorter
/// than the time slices in which other programs take the CPU away.
double measure(Run run) {
  const Clock::time_point start = Clock::now();
  const Clock::time_point stop =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(kSeconds));
  double best = 0;
  for (Clock::time_point begin = start; begin < stop;) {
    int64_t operations = 0;
    for (int i = 0; i < kCallsPerWindow; ++i) operations += run();
    const Clock::time_point end = Clock::now();
    best = std::max(best, static_cast<double>(operations) / std::chrono::duration<double>(end - begin).count());
    begin = end;
  }
  return best;
}

}  // namespace

double measurePeakFlops(int threads) {
  double best = 0;
  for (const Kernel &kernel : kernels()) {
    for (int round = 0; round < kRounds; ++round) {
      std::vector<double> rates(static_cast<size_t>(threads), 0);
      std::vector<std::thread> others;
      for (size_t thread = 1; thread < rates.size(); ++thread)
        others.emplace_back([&rates, thread, &kernel] { rates[thread] = measure(kernel.run); });
      rates[0] = measure(kernel.run);
      for (std::thread &other : others) other.join();
      double total = 0;
      for (double rate : rates) total += rate;
      best = std::max(best, total);
    }
  }
  return best;
}

double measureClock() {
#if defined(__x86_64__) || defined(__aarch64__)
  return measure(runChain);
#else
  return 0;
#endif
}

double threadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double sustainedFlops(int64_t vectorBytes, double seconds) {
  for (const Kernel &kernel : kernels()) {
    if (!kernel.fused || kernel.vectorBytes != vectorBytes) continue;
    const double start = threadSeconds();
    double elapsed = 0;
    int64_t operations = 0;
    do {
      for (int i = 0; i < kCallsPerWindow; ++i) operations += kernel.run();
      elapsed = threadSeconds() - start;
    } while (elapsed < seconds);
    return static_cast<double>(operations) / elapsed;
  }
  return 0;
}

}  // namespace hone::runtime
