/* A module written by hand, so that the runtime is tested without the compiler. Kernels:
 *   0 scale_add  out[i] = 2 * in[i] + bias[i % 16], in pieces of 16 floats         (input, parameter, arena)
 *   1 total      two phases through shared scratch: sums per piece, then their sum (arena, output)
 *   2 copy       out[i] = in[i], through the thread's scratch                      (arena, output) */
#include <stddef.h>

#include "abi/hone_abi.h"

#define ROWS 1000
#define WIDTH 16

static void scaleAdd(void *const *buffers, int64_t begin, int64_t end, void *scratch) {
  const float *in = buffers[0], *bias = buffers[1];
  float *out = buffers[2];
  for (int64_t row = begin; row < end; ++row)
    for (int i = 0; i < WIDTH; ++i) out[row * WIDTH + i] = 2 * in[row * WIDTH + i] + bias[i];
}

static void partialSums(void *const *buffers, int64_t begin, int64_t end, void *scratch) {
  const float *in = buffers[0];
  double *sums = buffers[2];
  for (int64_t row = begin; row < end; ++row) {
    sums[row] = 0;
    for (int i = 0; i < WIDTH; ++i) sums[row] += in[row * WIDTH + i];
  }
}

static void finalSum(void *const *buffers, int64_t begin, int64_t end, void *scratch) {
  const double *sums = buffers[2];
  double total = 0;
  for (int64_t row = 0; row < ROWS; ++row) total += sums[row];
  *(float *)buffers[1] = (float)total;
}

static void copyRows(void *const *buffers, int64_t begin, int64_t end, void *scratch) {
  const float *in = buffers[0];
  float *out = buffers[1], *row = scratch;
  for (int64_t r = begin; r < end; ++r) {
    for (int i = 0; i < WIDTH; ++i) row[i] = in[r * WIDTH + i];
    for (int i = 0; i < WIDTH; ++i) out[r * WIDTH + i] = row[i];
  }
}

static const hone_phase scaleAddPhases[] = {{scaleAdd, ROWS, 0}};
static const hone_phase totalPhases[] = {{partialSums, ROWS, 0}, {finalSum, 1, 0}};
static const hone_phase copyPhases[] = {{copyRows, ROWS, 64}};
static const hone_kernel kernels[] = {{"scale_add", scaleAddPhases, 1, 3, 0},
                                      {"total", totalPhases, 2, 2, ROWS * sizeof(double)},
                                      {"copy", copyPhases, 1, 2, 0}};
static const hone_module module = {HONE_ABI_VERSION, 3, kernels};

__attribute__((visibility("default"))) const hone_module *hone_module_query(uint32_t abi_version) {
  return abi_version == HONE_ABI_VERSION ? &module : NULL;
}
