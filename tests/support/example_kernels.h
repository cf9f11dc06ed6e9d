// The kernels of worked-example.md and more, as TensorOps: what tests interpret, and what they lower, compile and
// run. Pure functions; each kernel passes verify().
#pragma once

#include <vector>

#include "compiler/tensor/tensor_op.h"
#include "tests/support/arguments.h"

namespace hone::tensor::testing {

/// A two-dimensional convolution: data [n, ic, y, x], weight [oc, ic, ky, kx]; padding on both sides.
struct ConvolutionSize {
  int64_t n = 1, ic = 3, oc = 4, y = 7, x = 6, kernel = 3, stride = 1, padding = 1, dilation = 1;

  int64_t outY() const { return out(y); }
  int64_t outX() const { return out(x); }

 private:
  int64_t out(int64_t in) const { return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1; }
};

// ------------------------------------------------------------- worked-example.md (example_kernels.cpp)

/// data, weight -> out
Kernel convolution(const ConvolutionSize &size);
/// data, weight, bias [oc], residual -> out = max(conv + bias + residual, 0)
Kernel convolutionWithEpilogue(const ConvolutionSize &size);
/// a [batch, m, k] x b [batch, k, n] -> out
Kernel matmul(int64_t batch, int64_t m, int64_t n, int64_t k);
/// The four stages of Winograd F(m, 3), m = `tile`, one image, padding 1. Arguments: data, weight, g [m + 2, 3],
/// bt [m + 2, m + 2], at [m, m + 2].
Kernel winogradStages(int64_t tile, int64_t ic, int64_t oc, int64_t y, int64_t x);
/// x [rows, columns] -> out
Kernel softmax(int64_t rows, int64_t columns);
/// Grouped with one channel per group: data [n, c, y, x], weight [c, ky, kx].
Kernel depthwise(const ConvolutionSize &size);
/// Reads data[.., (y + padding - ky) / stride, ..] where that is a whole number.
Kernel transposedConvolution(const ConvolutionSize &size);

// ------------------------------------------------------ reductions and tuples (example_reductions.cpp)

Kernel maxPool(const ConvolutionSize &size);
/// x [rows, columns] -> index [rows] (i64) of the first largest element, and value [rows].
Kernel argmax(int64_t rows, int64_t columns);
/// x [rows, columns] -> mean [rows], variance [rows], in one pass over tuples (count, mean, sum of squares).
Kernel meanAndVariance(int64_t rows, int64_t columns);
/// x [rows, columns], scale, shift [columns] -> out
Kernel layerNorm(int64_t rows, int64_t columns);
/// x [rows, columns] -> out [rows]: partial sums of `parts` parts, then their sum.
Kernel splitReduction(int64_t rows, int64_t columns, int64_t parts);
/// x u8 [rows, columns] -> sum (u8, wrapping), product (i32), any != 0 (bool).
Kernel integerReductions(int64_t rows, int64_t columns);
/// u8 a [m, k] x i8 b [k, n] -> i32, with the zero point subtracted.
Kernel quantizedMatmul(int64_t m, int64_t n, int64_t k);

// ---------------------------------------------- moves, gathers and recurrences (example_networks.cpp)

/// table [entries, width], indices i64 [count] (clamped) -> out [count, width]
Kernel gather(int64_t entries, int64_t width, int64_t count);
/// x [steps, n, in], w [4 hidden, in], r [4 hidden, hidden], b [4 hidden], h0, c0 [n, hidden] -> h [steps, n, hidden].
/// Gates are in the order input, forget, cell, output.
Kernel lstm(int64_t steps, int64_t n, int64_t in, int64_t hidden);
/// x [rows, columns] -> running sums along columns (a scan dim alone).
Kernel cumulativeSum(int64_t rows, int64_t columns);
/// a [rows, ca], b [rows, cb] -> out [rows, ca + cb]: two stages that write one buffer.
Kernel concatenation(int64_t rows, int64_t ca, int64_t cb);
/// x [a, b, c] -> out [c * a, b] with b reversed: a transpose, a reshape and a slice in one.
Kernel rearrangement(int64_t a, int64_t b, int64_t c);
/// x [rows, columns] -> out, padded by `padding` on all sides: edges repeated.
Kernel edgePadding(int64_t rows, int64_t columns, int64_t padding);
/// x [y, x] -> out [2 y, 2 x], linear between neighbours.
Kernel linearResize(int64_t y, int64_t x);

/// All of the above in small, awkward sizes.
std::vector<Kernel> exampleKernels();

}  // namespace hone::tensor::testing
