#include <limits>

#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::tensor::testing {
namespace {

/// One pass over a row: (count, mean, sum of squared distances), combined as by Chan's formula.
void addMoments(KernelBuilder &b, int x, int count, int mean, int squares, int64_t rows, int64_t columns) {
  b.begin("moments", {parallel("r", rows), reduce("c", columns)});
  const Scalar n0 = accumulator(0, DType::F32), m0 = accumulator(1, DType::F32), s0 = accumulator(2, DType::F32);
  const Scalar n1 = element(0, DType::F32), m1 = element(1, DType::F32), s1 = element(2, DType::F32);
  const Scalar n = n0 + n1;
  // Two empty parts have no mean: dividing by at least 1 keeps the identity neutral.
  const Scalar share = n1 / maximum(n, f32(1));
  const Scalar distance = m1 - m0;
  b.fold({n, m0 + distance * share, s0 + s1 + distance * distance * n0 * share}, {f32(0), f32(0), f32(0)});
  b.put(f32(1), count, {dim(0)});
  b.put(b.get(x, {dim(0), dim(1)}), mean, {dim(0)});
  b.put(f32(0), squares, {dim(0)});
}

}  // namespace

Kernel maxPool(const ConvolutionSize &s) {
  KernelBuilder b("max_pool");
  const int data = b.input("data", {s.n, s.ic, s.y, s.x});
  const int out = b.output("out", {s.n, s.ic, s.outY(), s.outX()});
  b.begin("pool", {parallel("n", s.n), parallel("c", s.ic), parallel("y", s.outY()), parallel("x", s.outX()),
                   reduce("ky", s.kernel), reduce("kx", s.kernel)});
  b.fold(CombinerKind::Max);
  const Index y = dim(2) * s.stride + dim(4) * s.dilation - s.padding;
  const Index x = dim(3) * s.stride + dim(5) * s.dilation - s.padding;
  b.put(b.get(data, {dim(0), dim(1), y, x}, -std::numeric_limits<double>::infinity()), out,
        {dim(0), dim(1), dim(2), dim(3)});
  return b.finish();
}

Kernel argmax(int64_t rows, int64_t columns) {
  KernelBuilder b("argmax");
  const int x = b.input("x", {rows, columns});
  const int index = b.output("index", {rows}, DType::I64);
  const int value = b.output("value", {rows});
  b.begin("best", {parallel("r", rows), reduce("c", columns)});
  const Scalar best = accumulator(0, DType::F32), at = accumulator(1, DType::I64);
  const Scalar other = element(0, DType::F32), otherAt = element(1, DType::I64);
  // Of equal elements the first is taken, in whatever order parts are combined.
  const Scalar better =
      apply(ScalarOp::Or, {less(best, other), apply(ScalarOp::And, {equal(best, other), less(otherAt, at)})});
  b.fold({select(better, other, best), select(better, otherAt, at)},
         {identity(CombinerKind::Max, DType::F32), identity(CombinerKind::Min, DType::I64)});
  b.put(b.get(x, {dim(0), dim(1)}), value, {dim(0)});
  b.put(indexValue(dim(1)), index, {dim(0)});
  return b.finish();
}

Kernel meanAndVariance(int64_t rows, int64_t columns) {
  KernelBuilder b("mean_and_variance");
  const int x = b.input("x", {rows, columns});
  const int count = b.temporary("count", {rows});
  const int squares = b.temporary("squares", {rows});
  const int mean = b.output("mean", {rows});
  const int variance = b.output("variance", {rows});
  addMoments(b, x, count, mean, squares, rows, columns);
  b.begin("variance", {parallel("r", rows)});
  b.put(b.get(squares, {dim(0)}) / b.get(count, {dim(0)}), variance, {dim(0)});
  return b.finish();
}

Kernel layerNorm(int64_t rows, int64_t columns) {
  KernelBuilder b("layer_norm");
  const int x = b.input("x", {rows, columns});
  const int scale = b.parameter("scale", {columns});
  const int shift = b.parameter("shift", {columns});
  const int count = b.temporary("count", {rows});
  const int mean = b.temporary("mean", {rows});
  const int squares = b.temporary("squares", {rows});
  const int out = b.output("out", {rows, columns});
  addMoments(b, x, count, mean, squares, rows, columns);
  b.begin("out", {parallel("r", rows), parallel("c", columns)});
  const Index r = dim(0), c = dim(1);
  const Scalar deviation = apply(ScalarOp::Sqrt, {b.get(squares, {r}) / b.get(count, {r}) + f32(1e-5)});
  const Scalar centred = b.get(x, {r, c}) - b.get(mean, {r});
  b.put(centred / deviation * b.get(scale, {c}) + b.get(shift, {c}), out, {r, c});
  return b.finish();
}

Kernel splitReduction(int64_t rows, int64_t columns, int64_t parts) {
  KernelBuilder b("split_reduction");
  const int64_t length = (columns + parts - 1) / parts;
  const int x = b.input("x", {rows, columns});
  const int partial = b.temporary("partial", {parts, rows});
  const int out = b.output("out", {rows});
  b.begin("partial", {parallel("p", parts), parallel("r", rows), reduce("c", length)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(x, {dim(1), dim(0) * length + dim(2)}, 0), partial, {dim(0), dim(1)});
  b.begin("out", {parallel("r", rows), reduce("p", parts)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(partial, {dim(1), dim(0)}), out, {dim(0)});
  return b.finish();
}

Kernel integerReductions(int64_t rows, int64_t columns) {
  KernelBuilder b("integer_reductions");
  const int x = b.input("x", {rows, columns}, DType::U8);
  const int sum = b.output("sum", {rows}, DType::U8);
  const int product = b.output("product", {rows}, DType::I32);
  const int any = b.output("any", {rows}, DType::Bool);
  const std::vector<Dim> dims = {parallel("r", rows), reduce("c", columns)};
  const std::vector<Index> here = {dim(0), dim(1)};
  b.begin("sum", dims);
  b.fold(CombinerKind::Sum);
  b.put(b.get(x, here) * number(37, DType::U8), sum, {dim(0)});
  b.begin("product", dims);
  b.fold(CombinerKind::Product);
  b.put(cast(DType::I32, b.get(x, here)) - number(3, DType::I32), product, {dim(0)});
  b.begin("any", dims);
  b.fold(CombinerKind::Max);
  b.put(less(number(18, DType::U8), b.get(x, here)), any, {dim(0)});
  return b.finish();
}

Kernel quantizedMatmul(int64_t m, int64_t n, int64_t k) {
  KernelBuilder b("quantized_matmul");
  const int left = b.input("a", {m, k}, DType::U8);
  const int right = b.parameter("b", {k, n}, DType::I8);
  const int zero = b.parameter("zero", {}, DType::U8);
  const int out = b.output("out", {m, n}, DType::I32);
  b.begin("out", {parallel("m", m), parallel("n", n), reduce("k", k)});
  b.fold(CombinerKind::Sum);
  const Scalar a = cast(DType::I32, b.get(left, {dim(0), dim(2)})) - cast(DType::I32, b.get(zero, {}));
  b.put(a * cast(DType::I32, b.get(right, {dim(2), dim(1)})), out, {dim(0), dim(1)});
  return b.finish();
}

}  // namespace hone::tensor::testing
